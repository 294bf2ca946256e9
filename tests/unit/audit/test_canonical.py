from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import canonical
from audit.verifier.spelling import MAX_SAFE_INTEGER, NotCanonical, parse_canonical

SCALARS = (
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.text(st.characters(codec="utf-8"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_is_written_canonically_is_accepted_and_read_back_the_same(value):
    assert parse_canonical(canonical(value)) == value


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), st.just(1), min_size=2, max_size=6))
def test_only_the_key_order_of_rfc_8785_is_accepted(value):
    other = dict(sorted(value.items(), reverse=True))
    text = b"{" + b",".join(canonical(k) + b":1" for k in other) + b"}"
    if text == rfc8785.dumps(value):
        assert parse_canonical(text) == value
    else:
        with pytest.raises(NotCanonical, match="not canonical"):
            parse_canonical(text)


def test_keys_beyond_the_basic_plane_sort_as_utf_16():
    assert canonical({"｡": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"｡":1}'.encode()
    with pytest.raises(NotCanonical):
        parse_canonical('{"｡":1,"\U0001f600":2}'.encode())


@pytest.mark.parametrize("value", [1.5, 1.0, float("nan"), [{"a": 0.0}], {"a": [1, (2.0,)]}])
def test_a_float_is_refused_wherever_it_stands(value):
    with pytest.raises(ValueError, match="is a float"):
        canonical(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**53, "exceeds safe integer"),
        (-(2**53), "exceeds safe integer"),
        ("\ud800", "non-UTF-8"),
        ({1: 2}, "keys must be strings"),
        ({"a": b"bytes"}, "unsupported type"),
    ],
)
def test_what_rfc_8785_cannot_spell_is_refused(value, reason):
    with pytest.raises(ValueError, match=reason):
        canonical(value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b'"\\ud800"', "not canonical"),
        (b"NaN", "not an integer"),
        (b"1.0", "not an integer"),
        (b"1e3", "not an integer"),
        (b"-0", "not canonical"),
        (b"9007199254740992", "beyond"),
        (b' {"a":1}', "not canonical"),
        (b'{"a": 1}', "not canonical"),
        (b'{"b":1,"a":1}', "not canonical"),
        (b'{"a":1,"a":1}', "not canonical"),
        (b'"\\u0041"', "not canonical"),
        (b'"\\/"', "not canonical"),
    ],
)
def test_another_spelling_is_refused_with_its_reason(raw, reason):
    with pytest.raises(NotCanonical, match=reason):
        parse_canonical(raw)
