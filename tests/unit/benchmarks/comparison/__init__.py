"""Tests of what runs, measures and shows the comparison."""
