"""Who explains: wording of decisions for people, never numbers."""
