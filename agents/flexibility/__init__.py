"""Flexibility: what planned load can be moved away from half-hours, at what cost, and what came of it.

Indications are read off the plan in force at its own prices; a firm price is the difference of two certified plans.
"""
