"""The points of an auditor's checklist, each a test."""
