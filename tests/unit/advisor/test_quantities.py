"""Numbers with their units, however they are written."""

from __future__ import annotations

import pytest

from agents.advisor.quantities import Dimension, quantities

H, KW, GPUS, PRICE, CARBON, MONEY, OTHER = Dimension


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("6 hours", [(H, 6)]),
        ("2 h 30 min", [(H, 2.5)]),
        ("1h30m", [(H, 1.5)]),
        ("90-minute job", [(H, 1.5)]),
        ("half an hour", [(H, 0.5)]),
        ("an hour and a half", [(H, 1.5)]),
        ("seven half-hours", [(H, 3.5)]),
        ("a 3-day run", [(H, 72)]),
        ("1.5 MW", [(KW, 1500)]),
        ("1,200kW", [(KW, 1200)]),
        ("500 watts", [(KW, 0.5)]),
        ("8 GPUs", [(GPUS, 8)]),
        ("4 x A100 GPUs", [(GPUS, 4)]),
        ("16 H100s", [(GPUS, 16)]),
        ("12p/kWh", [(PRICE, 0.12)]),
        ("18.5 pence per kWh", [(PRICE, 0.185)]),
        ("£0.15/kWh", [(PRICE, 0.15)]),
        ("200 g/kWh", [(CARBON, 200)]),
        ("150 grams of CO2 per kWh", [(CARBON, 150)]),
        ("£2 a pause", [(MONEY, 2)]),
        ("50p", [(MONEY, 0.5)]),
        ("250 kWh", [(OTHER, 250)]),
        ("300 frames of 4K", [(OTHER, 300), (OTHER, 4)]),
        ("version 2.5 of model7", [(OTHER, 2.5)]),
        ("no number at all", []),
    ],
)
def test_a_quantity_is_read_in_the_units_of_jobs(sentence: str, found: list[tuple[Dimension, float]]) -> None:
    assert [(q.dimension, pytest.approx(q.value)) for q in quantities(sentence)] == found


def test_each_quantity_remembers_its_words_and_none_is_read_twice() -> None:
    sentence = "8 H100s for 6 hours below 12 p/kWh"
    found = quantities(sentence)
    assert [q.said for q in found] == ["8 H100s", "6 hours", "12 p/kWh"]
    assert [sentence[q.start : q.end] for q in found] == [q.said for q in found]


def test_what_is_taken_already_is_left_out() -> None:
    assert [q.said for q in quantities("at 6 pm for 2 h", [(3, 7)])] == ["2 h"]
