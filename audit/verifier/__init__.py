"""The offline verifier: standard library only, so that these modules, joined, are one file that an auditor can carry.

The server opens and checks its own log with the same code.
"""
