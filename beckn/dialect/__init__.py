"""The dialect of 2025 beside version 2: read into it where a message comes, written from it where an answer goes."""
