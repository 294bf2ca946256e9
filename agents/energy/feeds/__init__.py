"""The feeds: one module a source, each with its declaration."""
