"""Tests of what the project says about itself: its documents, its rules, its files."""
