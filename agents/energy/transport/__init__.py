"""What the shared client is made of: bounds, the wire, what is known of a host, secrets, and named faults."""
