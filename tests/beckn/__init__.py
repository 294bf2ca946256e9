"""Tests of the trade over Beckn, by the points of its checklist."""
