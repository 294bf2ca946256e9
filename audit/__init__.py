"""What can be proved: records, their canonical form, the hash-chained log and its verifier."""
