"""The backtest: nine months of recorded half-hours, planned again at each of them and settled on what came.

``python -m benchmarks.backtest`` runs it and writes docs/backtest.md. Time is counted in half-hours from the world's
``start``; a *delivery* is one job's power in one half-hour at one site.
"""
