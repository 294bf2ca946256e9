"""``python -m benchmarks.scale_out INSTANCE``: one instance planned by one process, by several, and by a Dask cluster.

The jobs are divided into the same shards each time, so that all three must come to the same plan: its digest is printed
beside the time, and the command fails where they differ.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

from agents.job.crew import Crew
from agents.negotiation import Effort, negotiate, warm_up
from core.instance import Instance, read_instance
from core.plan import Plan

LONG_S = 3600.0
WAYS = ("one process", "processes", "dask")


def digest(plan: Plan) -> str:
    """SHA-256 of everything in a plan but the time that it took."""
    decided = plan.model_dump(mode="json", exclude={"wall_s"})
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def crew_of(way: str, workers: int) -> Iterator[Crew]:
    """Who works on the shards."""
    if way == WAYS[0]:
        yield Crew()
    elif way == WAYS[1]:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            _ready(pool, workers)
            yield Crew(pool)
    else:
        from dask.distributed import Client, LocalCluster

        warnings.filterwarnings("ignore", "Sending large graph")  # what a shard does is some MB, and new in each round
        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,  # type: ignore[no-untyped-call]
        ):
            pool = client.get_executor(pure=False)
            _ready(pool, workers)
            yield Crew(pool)


def _ready(pool: Executor, workers: int) -> None:
    """Have every worker load what it needs before the clock runs."""
    for future in [pool.submit(warm_up) for _ in range(4 * workers)]:
        future.result()


def planned(instance: Instance, way: str, workers: int, shards: int, seed: int) -> tuple[Plan, float]:
    """The plan and how long it took, in seconds."""
    with crew_of(way, workers) as crew:
        started = time.perf_counter()
        outcome = negotiate(instance, seed, Effort(time_limit_s=LONG_S, trials_a_job=0, shards=shards), crew)
        return outcome.plan, time.perf_counter() - started


def main(arguments: list[str]) -> int:
    """Print one line a way; 1 when the plans differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out", description=__doc__)
    parser.add_argument("instance", type=Path)
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--shards", type=int, default=4, help="parts that the jobs are divided into")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    instance = read_instance(options.instance)
    warm_up()
    found = []
    for way in WAYS:
        plan, wall_s = planned(instance, way, options.workers, options.shards, options.seed)
        found.append(digest(plan))
        workers = 1 if way == WAYS[0] else options.workers
        print(
            f"{way:<12} {workers} workers, {options.shards} shards: plan {found[-1]}, "
            f"gap {plan.gap:.3%}, {len(plan.unserved)} unserved, {wall_s:.2f} s",
            flush=True,
        )
    same = len(set(found)) == 1
    print("the plans are the same" if same else "the plans DIFFER")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
