"""``python -m benchmarks.instances NAME --out FILE``: write one of the named instances."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.instances import NAMES, build
from benchmarks.instances.figures import write


def main(arguments: list[str]) -> int:
    """Write the instance."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instances", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of recorded figures; without it they are synthetic")
    options = parser.parse_args(arguments)
    write(build(options.name, options.data, options.seed), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
