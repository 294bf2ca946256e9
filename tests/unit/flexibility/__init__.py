"""Tests of what can be moved, at what price, and what came of it."""
