"""``python -m tests.upstream --port 8099``: the upstream by hand, with the settings that point the application at it.

While it runs, a line such as ``break carbon HTML`` or ``mend carbon`` on standard input changes how it behaves.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from tests.upstream import Fault, Upstream, World


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def obey(upstream: Upstream, line: str) -> str:
    """Do what a line says; what to answer."""
    match line.split():
        case ["break", api, fault] if fault in Fault.__members__ and api in upstream.apis:
            upstream.break_(Fault[fault], api)
            return f"{api} is broken: {fault}"
        case ["mend", api] if api in upstream.apis:
            upstream.mend(api)
            return f"{api} is mended"
        case ["mend"]:
            upstream.mend()
            return "all is mended"
        case _:
            apis, faults = ", ".join(upstream.apis), ", ".join(Fault.__members__)
            return f"break API FAULT, or mend [API]; APIs: {apis}; faults: {faults}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description="A scripted upstream on loopback.")
    parser.add_argument("--port", type=int, default=8099, help="of the first API (default 8099); the others follow")
    parser.add_argument("--seed", type=int, default=1, help="of the world it tells of (default 1)")
    parser.add_argument("--recorded", type=Path, help="folder of recorded figures, for Great Britain in 2023")
    arguments = parser.parse_args()
    world = World.of_recorded(arguments.recorded) if arguments.recorded else World(arguments.seed)
    try:
        upstream = Upstream(world, port=arguments.port)
    except OSError as error:
        say(f"{arguments.port} and the ports after it cannot be had: {error.strerror}. Choose another --port.")
        return 2
    with upstream:
        for name, value in upstream.settings_overrides().items():
            say(f"export {name.upper()}={shlex.quote(value)}")
        try:
            for line in sys.stdin:
                say(obey(upstream, line))
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
