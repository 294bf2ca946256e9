"""Tests of the peers and of the adapters to them."""
