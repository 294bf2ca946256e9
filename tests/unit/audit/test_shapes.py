"""Lines matched by their shape are exactly those that reading them whole would accept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verifier.lines import LineFault, Links, envelope_of, links_of
from audit.verifier.shapes import OFTEN, Shapes
from tests.unit.audit.samples import write_log


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return (
        write_log(tmp_path_factory.mktemp("log") / "decisions.jsonl", 3)[1].rstrip(b"\n").replace("£".encode(), b"GBP")
    )


def whole(seq: int, raw: bytes) -> Links | str:
    try:
        envelope = envelope_of(seq, raw)
    except LineFault as fault:
        return fault.reason
    return links_of(envelope)


def matched(shapes: Shapes, seq: int, raw: bytes) -> Links | str:
    try:
        return shapes.read(seq, raw)
    except LineFault as fault:
        return fault.reason


def taught(line: bytes) -> Shapes:
    shapes = Shapes()
    for _ in range(OFTEN + 1):
        shapes.read(1, line)
    return shapes


def test_a_line_of_a_known_shape_is_not_read_whole(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = taught(line)
    monkeypatch.setattr("audit.verifier.shapes.envelope_of", lambda *_: pytest.fail("read whole"))
    assert shapes.read(1, line) == whole(1, line)
    assert shapes.read(1, line.replace(b'"seq":1', b'"seq":12345')).seq == 12345


CHANGES = [
    (b'"seq":1', b'"seq":01'),
    (b'"seq":1', b'"seq":-0'),
    (b'"seq":1', b'"seq":1.0'),
    (b'"seq":1', b'"seq":1e3'),
    (b'"seq":1', b'"seq":9007199254740993'),
    (b'"seq":1', b'"seq":"1"'),
    (b'"seq":1', b'"seq":true'),
    (b'"seq":1', b'"seq": 1'),
    (b"slackwater.audit/2", b"slackwater.audit/9"),
    (b'"site-1"', b'"site\\u002d1"'),
    (b'"site-1"', b'"si\\te-1"'),
    (b'"site-1"', '"sité-1"'.encode()),
    (b'"site-1"', b'"site\x011"'),
    (b'"site-1"', b'"site\x7f1"'),
    (b'"site-1"', b'"site-1","x":"y"'),
    (b'"site_id"', b'"site_ie"'),
    (b'"site_id"', b'"aite_id"'),
    (b'"recorded_at":"2', b'"recorded_at":"x'),
    (b'Z","refs"', b'","refs"'),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_changed_line_is_judged_as_by_reading_it_whole(line: bytes, old: bytes, new: bytes) -> None:
    assert old in line
    changed = line.replace(old, new, 1)
    assert matched(taught(line), 1, changed) == whole(1, changed)


@given(data=st.data())
def test_any_bytes_put_anywhere_are_judged_as_by_reading_them_whole(line: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(line)))
    cut = data.draw(st.integers(0, 3))
    odd = st.sampled_from([b'"', b"\\", b",", b"{", b"}", b"[", b"]", b":", b"0", b"-", b" ", b"\x00", b"\xff"])
    put = data.draw(st.one_of(st.binary(max_size=4), st.lists(odd, max_size=4).map(b"".join)))
    changed = line[:at] + put + line[at + cut :]
    assert matched(taught(line), 1, changed) == whole(1, changed)


@given(text=st.text(max_size=12))
def test_any_text_for_a_value_is_judged_as_by_reading_it_whole(line: bytes, text: str) -> None:
    for spelled in (json.dumps(text, ensure_ascii=False), json.dumps(text)):
        changed = line.replace(b'"site-1"', spelled.encode(errors="surrogatepass"), 1)
        assert matched(taught(line), 1, changed) == whole(1, changed)


def test_a_log_of_many_shapes_makes_few_patterns(line: bytes) -> None:
    shapes = Shapes()
    for number in range(2000):
        shapes.read(1, line.replace(b'"commit":{}', b'"commit":{"k%d":"v"}' % (number % 500)))
    assert shapes.made <= 64


def test_the_log_that_was_taught_may_lie_anywhere(tmp_path: Path) -> None:
    lines = [line.rstrip(b"\n") for line in write_log(tmp_path / "decisions.jsonl", 2 * OFTEN)]
    shapes = Shapes()
    assert [shapes.read(seq, raw).seq for seq, raw in enumerate(lines)] == list(range(2 * OFTEN))
