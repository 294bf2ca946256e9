"""Whom we trade with: the flexibility left over, offered as slots and booked."""
