"""The consumer's side of the trade: compute windows bought of several providers, and utilities' needs answered."""
