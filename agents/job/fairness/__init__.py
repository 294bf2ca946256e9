"""Fairness between tenants: whose jobs go first where they want more room than there is (docs/adr/0014)."""
