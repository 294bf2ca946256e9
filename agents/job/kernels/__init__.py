"""Compiled answers of the jobs: how one runs at the least charge, how many bid in turn, how they trade places.

A *course* is how one job runs: its power in each slot at one site. Import this package only where a negotiation is
computed: it brings the compiler.
"""
