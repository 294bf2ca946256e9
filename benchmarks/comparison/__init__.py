"""Runs the planner and its peers on the same instances, has every plan judged, and writes the page."""
