"""Tests of the job agent."""
