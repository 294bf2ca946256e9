"""Adapters: each runs in a peer's own environment, reads an instance file and writes a plan file."""
