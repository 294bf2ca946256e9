"""Replay: every decision derived again from what was stored, with no network and no clock (docs/adr/0015)."""
