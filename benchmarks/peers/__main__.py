"""``python -m benchmarks.peers METHOD INSTANCE --out PLAN --time-limit S``: run one of ``METHODS``."""

from __future__ import annotations

import sys

from benchmarks.peers.forms import run
from benchmarks.peers.methods import METHODS


def main(arguments: list[str]) -> int:
    """Run the method."""
    if not arguments or arguments[0] not in METHODS:
        print(f"usage: python -m benchmarks.peers METHOD INSTANCE --out PLAN --time-limit S\n{', '.join(METHODS)}")
        return 2
    return run(METHODS[arguments[0]], arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
