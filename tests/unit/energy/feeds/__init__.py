"""Tests of the energy agent."""
