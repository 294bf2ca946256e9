"""The protocol on the wire: context, errors, acknowledgements, the layers of checks."""
