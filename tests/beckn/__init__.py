"""Trade over Beckn: the points of its checklist, each a test by its number."""
