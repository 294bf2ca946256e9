"""What is remembered: tables, repositories and migrations."""
