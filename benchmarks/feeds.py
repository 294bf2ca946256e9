"""What feeds cost: CPU of asking every one for all sites, and time to store and query a year of half-hours.

Run by ``make bench-signals``. The upstream is the scripted one of the tests, in a process of its own on loopback, so
that only this side's work is counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agents.energy.agent import EnergyAgent
from agents.energy.build import build_energy
from agents.site.profiles import load_sites
from core.clock import SystemClock
from core.series import Kind, Series, Unit
from core.settings import Settings
from core.slots import SLOT
from core.vintage import Fetch, RawAnswer
from store.database import Database
from store.scores import ScoreRepository
from store.vintages import VintageRepository

PASSES = 3
YEAR_SLOTS = 365 * 48
CHUNK_SLOTS = 13 * 48
START = datetime(2025, 1, 1, tzinfo=UTC)


@contextmanager
def upstream() -> Iterator[dict[str, str]]:
    """The scripted upstream; the settings that lead to it."""
    command = [sys.executable, "-m", "tests.upstream", "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        settings: dict[str, str] = {}
        for line in process.stdout or ():
            name, _, value = line.removeprefix("export ").strip().partition("=")
            settings[name.lower()] = value
            if "mempool_url" in settings:
                break
        yield settings
        process.terminate()


def passes(folder: Path) -> list[tuple[float, int]]:
    """CPU seconds of each pass over every feed for the built-in sites, and how many feeds and zones were asked."""
    with upstream() as told:
        settings = Settings.model_validate({"data_dir": folder, **told})
        database = Database(settings.resolved_database_url)
        database.migrate()
        zones = tuple(dict.fromkeys(site.zone for site in load_sites(None)))
        agent = build_energy(settings, SystemClock(), VintageRepository(database), ScoreRepository(database), zones)
        found = [_pass(agent) for _ in range(1 + PASSES)]
        database.close()
    return found


def _pass(agent: EnergyAgent) -> tuple[float, int]:
    began = time.process_time()
    statuses = agent.refresh(force=True)
    return time.process_time() - began, len(statuses)


def year(folder: Path) -> tuple[float, float]:
    """Seconds to store a year of half-hours in fetches of 13 days, and to query it."""
    database = Database(f"sqlite:///{folder / 'year.db'}")
    database.migrate()
    vintages = VintageRepository(database)
    values = 150 + 60 * np.sin(np.arange(YEAR_SLOTS) / 7.6)
    fetches = [_fetch(first, values[first : first + CHUNK_SLOTS]) for first in range(0, YEAR_SLOTS, CHUNK_SLOTS)]
    began = time.perf_counter()
    for fetch in fetches:
        vintages.add(fetch)
    stored = time.perf_counter() - began
    began = time.perf_counter()
    series = vintages.history("GB", "carbon", START, YEAR_SLOTS)
    queried = time.perf_counter() - began
    database.close()
    if int((series.kinds == Kind.ESTIMATE).sum()) != YEAR_SLOTS:
        raise SystemExit("the year that was queried is not the year that was stored")
    return stored, queried


def _fetch(first: int, values: np.ndarray) -> Fetch:
    start = START + SLOT * first
    now = start + SLOT * values.size + timedelta(hours=1)
    series = Series.of(start, values, Kind.ESTIMATE, Unit.G_PER_KWH, "bench", now)
    answer = RawAnswer.of(f"bench:{first}", "application/json", os.urandom(30_000))
    return Fetch("bench", "GB", now, start, series.end, (answer,), {"carbon": series})


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stored, queried = year(folder)
        first, *later = passes(folder)
    print(f"A year of half-hours: stored in {stored * 1000:.0f} ms, queried in {queried * 1000:.0f} ms.")
    print(f"First pass over every feed, with its history: {first[0]:.2f} s CPU.")
    cpu = [seconds for seconds, _ in later]
    print(f"A pass over every feed for 13 sites ({later[0][1]} feeds and zones): {max(cpu):.2f} s CPU at most.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
