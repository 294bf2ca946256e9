"""Tests of the seeded instances."""
