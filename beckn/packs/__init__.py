"""The words of the domain on the wire: half-hour grids, what is sold and asked for, what it comes to. No I/O."""
