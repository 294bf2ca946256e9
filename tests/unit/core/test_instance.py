"""Instance files: read whole or refused with the path of the field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.instance import Instance, read_instance, write_json

SITE = {
    "id": "s",
    "region": "GB-C",
    "headroom_kw": [10, 10],
    "price_gbp_per_kwh": [0.1, -0.1],
    "carbon_g_per_kwh": [0, 100],
    "pue": 1.2,
}
JOB = {
    "id": "j",
    "kind": "block",
    "earliest_slot": 0,
    "latest_slot": 2,
    "sites": ["s"],
    "unserved_penalty_gbp": 5,
    "power_kw": 1,
    "duration_slots": 1,
}


def document(site: dict[str, Any] | None = None, job: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "name": "two slots",
        "start": "2023-03-01T00:00Z",
        "slots": 2,
        "carbon_price_gbp_per_tonne": 100,
        "sites": [SITE | (site or {})],
        "jobs": [JOB | (job or {})],
        **changes,
    }


def refusal(folder: Path, content: Any) -> InputError:
    path = folder / "instance.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_instance(path)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"site": {"colour": "red"}}, "sites.0.colour"),
        ({"job": {"colour": "red"}}, "jobs.0.colour"),
        ({"job": {"power_kw": -1}}, "jobs.0.power_kw"),
        ({"site": {"headroom_kw": [1, -1]}}, "sites.0.headroom_kw.1"),
        ({"site": {"price_gbp_per_kwh": [0, float("nan")]}}, "sites.0.price_gbp_per_kwh.1"),
        ({"start": "2023-03-01T00:00"}, "start"),
        ({"slots": 0}, "slots"),
        ({"slot_minutes": 15}, "slot_minutes"),
        ({"frozen": [{"job": "j", "site": "s", "runs": [[0, 1]]}]}, "frozen.0.runs.0.2"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(tmp_path: Path, changes: dict[str, Any], field: str):
    error = refusal(tmp_path, document(**changes))
    assert error.field == field
    assert field in str(error)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"site": {"headroom_kw": [1]}}, "headroom_kw has 1 values for 2 slots"),
        ({"job": {"sites": ["elsewhere"]}}, "unknown site 'elsewhere'"),
        ({"job": {"latest_slot": 3}}, "latest_slot 3 is beyond"),
        ({"job": {"power_kw": None}}, "needs power_kw and duration_slots"),
        ({"job": {"kind": "elastic"}}, "needs levels and work"),
        ({"job": {"pause_cost_gbp": 1}}, "takes no pause_cost_gbp"),
        ({"sites": [SITE, SITE]}, "duplicate site id 's'"),
        ({"jobs": [JOB, JOB]}, "duplicate job id 'j'"),
        ({"frozen": [{"job": "x", "site": "s", "runs": [[0, 1, 1.0]]}]}, "one of them is unknown"),
        ({"frozen": [{"job": "j", "site": "s", "runs": [[1, 3, 1.0]]}]}, "leave the 2 slots"),
    ],
)
def test_parts_that_do_not_go_together_are_refused_in_words(tmp_path: Path, changes: dict[str, Any], words: str):
    assert words in str(refusal(tmp_path, document(**changes)))


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_an_instance_is_the_same_after_writing_and_reading(tmp_path: Path, suffix: str):
    made = Instance.model_validate(document())
    write_json(made, tmp_path / f"i{suffix}")
    assert read_instance(tmp_path / f"i{suffix}") == made


def test_the_same_instance_makes_the_same_bytes(tmp_path: Path):
    made = Instance.model_validate(document())
    for name in ("a.json.gz", "b.json.gz"):
        write_json(made, tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


WHOLE = gzip.compress(json.dumps(document()).encode(), mtime=0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"\xff\xfe\xfd"),
        ("a.json.gz", b"not gzip"),
        ("a.json.gz", WHOLE[:-20]),
        ("a.json.gz", WHOLE[:20] + bytes([WHOLE[20] ^ 0xFF, WHOLE[21] ^ 0xFF]) + WHOLE[22:]),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, name: str, content: bytes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="not readable JSON"):
        read_instance(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no file"):
        read_instance(tmp_path / "absent.json")
    with pytest.raises(InputError):
        read_instance(tmp_path)
