"""``python -m demo``: plays the story and says whether all was as it must be."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from demo.story import play


def main() -> int:
    """0 where all was as it must be; whoever was started is ended also when it is broken off."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--schemas", type=Path, help="folder of the published schemas; judges every message by them")
    parser.add_argument("--keep", type=Path, help="folder for stores and logs; default: one that is removed in the end")
    parser.add_argument("--verbose", action="store_true", help="print more of what travels")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return play(arguments.keep.resolve(), arguments.schemas, verbose=arguments.verbose)
    with tempfile.TemporaryDirectory(prefix="slackwater-demo-") as folder:
        return play(Path(folder), arguments.schemas, verbose=arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
