"""Quotes: what a job that is not submitted would cost for each of several deadlines, against the standing plan.

Nothing is negotiated and nothing compiled: a quote works on arrays of sites by half-hours that are made once a tick,
however many jobs are planned.
"""
