"""The advisor: its rules, its check, its model."""
