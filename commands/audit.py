"""``audit verify``: check the decision log offline."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from tqdm import tqdm

from audit.verify import verify
from core.errors import InputError
from core.settings import Settings


def verify_log(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 when every line verifies, 1 when one does not."""
    path = arguments.log or settings.data_dir / "decisions.jsonl"
    if not path.exists():
        raise InputError(
            f"there is no decision log at {path}",
            field="log",
            value=str(path),
            remedy="Name the file, or set DATA_DIR to the folder that holds it.",
        )
    with tqdm(total=path.stat().st_size, unit="B", unit_scale=True, disable=arguments.json, leave=False) as bar:

        def show(done_bytes: int, _all_bytes: int) -> None:
            bar.update(done_bytes - bar.n)

        result = verify(path, progress=show)
    if arguments.json:
        print(json.dumps(asdict(result), default=str))
    elif result.ok:
        print(f"{path}: {result.records} records verify; head {result.head_hash}")
    else:
        print(f"{path}: line {result.first_bad_line} is bad: {result.reason}")
    return 0 if result.ok else 1
