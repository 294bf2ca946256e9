"""What evidence costs: durable appends by several writers, verified lines, a proof out of ten million leaves.

    python -m benchmarks.evidence [--folder DIR] [--seconds 10] [--lines 1000000] [--leaves 10000000]

Prints a line a figure. ``--folder`` is where the log is written: put it on the disk that is asked about.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from audit.bodies.settlement import DeliveryBody
from audit.envelope import Speller, spelled_refs
from audit.log import AuditLog
from audit.merkle import MerkleIndex
from audit.record import Build, Entry, digest
from audit.verifier.files import check_log
from audit.verifier.lines import NO_HASH
from audit.verifier.tree import included
from core.clock import SystemClock

WRITERS = 8
BUILD = Build("benchmark", "unknown", "0" * 64)


def delivery(number: int) -> DeliveryBody:
    """The record of a job's end."""
    return DeliveryBody(
        job_id=f"job-{number:012d}",
        site_id="london",
        status="completed",
        delivered_kwh="12.500000",
        committed_kwh="12.500000",
        cost_gbp="1.250000",
        carbon_kg="0.800000",
        claim_level="forecast",
        data_kinds=["forecast"],
        method="simulated meter",
    )


def appends(folder: Path, seconds: float) -> str:
    """Rate and latency of single durable appends by eight writers at once."""
    log = AuditLog.open(folder / "appends" / "decisions.jsonl", clock=SystemClock(), build=BUILD)
    took_s: list[list[float]] = [[] for _ in range(WRITERS)]
    end = time.perf_counter() + seconds

    def write(mine: list[float]) -> None:
        while (began := time.perf_counter()) < end:
            log.append("delivery", delivery(len(mine)), agent="site")
            mine.append(time.perf_counter() - began)

    threads = [threading.Thread(target=write, args=(mine,)) for mine in took_s]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    every = sorted(took for mine in took_s for took in mine)
    p50, p99 = (1000 * every[int(len(every) * share)] for share in (0.5, 0.99))
    return f"{WRITERS} writers: {len(every) / seconds:,.0f} durable records/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def write_lines(path: Path, count: int) -> None:
    """A log of ``count`` records, without the cost of syncing each."""
    speller, prev, refs = Speller("benchmark", BUILD), NO_HASH, spelled_refs(())
    with path.open("wb") as stream:
        for seq in range(count):
            line = speller.spell(Entry("delivery", delivery(seq), "site")).line(
                prev, b'"2026-03-01T12:00:00Z"', refs, seq
            )
            stream.write(line + b"\n")
            prev = digest(line)


def verified(folder: Path, count: int) -> str:
    """Rate of the verifier on a log of ``count`` lines."""
    path = folder / "verified.jsonl"
    write_lines(path, count)
    began = time.perf_counter()
    found = check_log([path])
    took_s = time.perf_counter() - began
    if not found.ok or found.records != count:
        raise RuntimeError(f"the log of the benchmark does not verify: {found.reason}")
    size = path.stat().st_size / count
    return f"verify: {count:,} lines of {size:.0f} bytes in {took_s:.2f} s, {count / took_s:,.0f} lines/s"


def proofs(leaves: int, asked: int = 1000) -> str:
    """Time of an inclusion proof out of ``leaves`` random leaves."""
    tree, block = MerkleIndex(), 32 * 65536
    while tree.size < leaves:
        drawn = os.urandom(min(block, 32 * (leaves - tree.size)))
        for start in range(0, len(drawn), 32):
            tree.append(drawn[start : start + 32])
    root = tree.root()
    began = time.perf_counter()
    paths = [tree.inclusion(number * (leaves // asked), leaves) for number in range(asked)]
    each_ms = (time.perf_counter() - began) / asked * 1000
    step = leaves // asked
    if not all(included(tree.leaf(n * step), n * step, leaves, path, root) for n, path in enumerate(paths)):
        raise RuntimeError("a proof does not hold")
    return f"inclusion proof: one of {leaves:,} in {each_ms:.3f} ms, {len(paths[0])} hashes"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="where logs are written (default: the system's temporary folder)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of appending (default 10)")
    parser.add_argument("--lines", type=int, default=1_000_000, help="to verify (default 1000000)")
    parser.add_argument("--leaves", type=int, default=10_000_000, help="to prove one of (default 10000000)")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        print(appends(Path(name), asked.seconds))
        print(verified(Path(name), asked.lines))
    print(proofs(asked.leaves))


if __name__ == "__main__":
    main()
