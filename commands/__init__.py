"""What the command line does, one module a command; ``app.py`` parses and composes."""
