"""What others do on the same instances: rules, exact models, and schedulers from PyPI. None of it is the planner's."""
