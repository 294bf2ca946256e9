"""The bodies of records, one module a subject; which kind carries which is in audit/record.py."""
