"""What people see: API, pages, live events and problems."""
