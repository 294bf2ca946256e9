"""A whole trade on loopback, told step by step: registry, two Slackwaters, scripted peers. ``python -m demo``."""
