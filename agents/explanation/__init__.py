"""Why here, why then, what else: read off an instance, a plan and its prices, and nothing else."""
