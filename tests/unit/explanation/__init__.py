"""Explanations, held against slow and plain answers."""
