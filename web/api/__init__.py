"""The JSON API: one module a subject, each with its routes and the shapes they answer."""
