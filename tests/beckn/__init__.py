"""The points of the trade over Beckn, each with tests of its own."""
