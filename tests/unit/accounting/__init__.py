"""Tests of accounting/."""
