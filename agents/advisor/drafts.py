"""Drafts of jobs: what a sentence says, what had to be assumed, and nothing else.

Every number of a draft is in the sentence, or is an assumption that is told as one. A draft is never submitted by
itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from agents.advisor.sentence import DIMENSION_OF, TIMES, Said, Sentence
from core.errors import InputError
from core.job import MAX_WINDOW, FlexibilityType, JobRequest, Tier
from core.slots import format_utc, slot_ceil, slot_floor

MOST_CHARACTERS = 600
DEFAULT_HOURS = 2.0
DEFAULT_KW = 10.0
DEFAULT_WINDOW = timedelta(hours=24)
NAME_CHARACTERS = 60
PLAIN = {"job_type": "batch", "flexibility_type": FlexibilityType.DEFERRABLE, "tier": Tier.STANDARD}
"""fields that are words, with what is assumed where the sentence has none"""
NUMBERS = frozenset({*DIMENSION_OF, *TIMES})


@dataclass(frozen=True, slots=True)
class Understood:
    """A field that was read from the sentence, and the words that say it; none where the whole sentence does."""

    field: str
    value: Any
    said: str


@dataclass(frozen=True, slots=True)
class Assumed:
    """A field that the sentence does not say, what was put there, and why."""

    field: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A job drafted from a sentence.

    :param unread: parts of the sentence that are in no field.
    :param source: who read it; ``note`` says why the rules did where a model was to.
    """

    request: JobRequest
    understood: tuple[Understood, ...]
    assumed: tuple[Assumed, ...]
    unread: tuple[str, ...]
    source: Literal["rules", "model"]
    note: str = ""


def sentence_of(text: str, now: datetime, places: Mapping[str, str]) -> Sentence:
    """The sentence, its spaces put in order; :class:`InputError` for one that is empty or too long."""
    plain = " ".join(text.split())
    if not 0 < len(plain) <= MOST_CHARACTERS:
        raise InputError(
            f"the sentence has {len(plain)} characters",
            field="text",
            value=plain[:80],
            remedy=f"Describe the job in 1 to {MOST_CHARACTERS} characters.",
        )
    return Sentence(plain, now, places)


def rule_draft(sentence: Sentence, note: str = "") -> Draft:
    """The draft by rules alone; :class:`InputError` where they understand no number of it."""
    return _completed(sentence, sentence.read(), "rules", (), note)


def model_draft(sentence: Sentence, proposed: Mapping[str, Any]) -> Draft:
    """The draft that a model proposed, each of its numbers held against the sentence.

    A number that the sentence does not state is not taken: what the rules read stands in its place, or an assumption.
    """
    read, rules, refused = {}, sentence.read(), []
    for field, value in proposed.items():
        said = sentence.says(field, value) if field in NUMBERS else _words_of(sentence, field, value, rules)
        if said is None:
            refused.append(f"{field} {value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else f"{field} {value}")
        else:
            read[field] = Said(value, said)
    for field in NUMBERS & rules.keys():
        if not (field in {"power_kw", "gpu_count"} and read.keys() & {"power_kw", "gpu_count"}):
            read.setdefault(field, rules[field])
    if "power_kw" in read:
        read.pop("gpu_count", None)
    return _completed(sentence, read, "model", refused, "")


def _words_of(sentence: Sentence, field: str, value: Any, rules: Mapping[str, Said]) -> str | None:
    """The words behind a value that is no number; a name with digits of its own is refused."""
    if field == "job_name":
        digits = "".join(c if c.isdigit() else " " for c in value).split()
        return "" if all(number in sentence.text for number in digits) else None
    same = field in rules and rules[field].value == value
    return rules[field].said if same else ""


def _completed(
    sentence: Sentence, read: Mapping[str, Said], source: Literal["rules", "model"], refused: Any, note: str
) -> Draft:
    """The draft with what is missing assumed."""
    if not NUMBERS & read.keys():
        raise InputError(
            "the sentence names no duration, power, number of GPUs or deadline that could be read",
            field="text",
            value=sentence.text[:80],
            remedy="Say them with their units, such as: train on 8 GPUs for 6 hours, by tomorrow 18:00.",
        )
    assumed = _assumptions(sentence, read)
    fields = {field: words.value for field, words in read.items()} | {one.field: one.value for one in assumed}
    try:
        request = JobRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "text"
        raise InputError(
            f"read as {field} {fields.get(field)}: {first['msg']}" if field in fields else str(first["msg"]),
            field="text",
            value=sentence.text[:80],
            remedy="Change the sentence, or fill in the form.",
        ) from error
    unread = [*sentence.unread(read), *(f"{one} (not in the sentence)" for one in refused)]
    understood = tuple(Understood(field, words.value, words.said) for field, words in sorted(read.items()))
    return Draft(request, understood, tuple(assumed), tuple(unread), source, note)


def _assumptions(sentence: Sentence, read: Mapping[str, Said]) -> list[Assumed]:
    """What a job needs and the sentence does not say."""
    assumed = []
    if "job_name" not in read:
        assumed.append(Assumed("job_name", _name(sentence.text), "the sentence's own beginning"))
    if "duration_hours" not in read:
        assumed.append(Assumed("duration_hours", DEFAULT_HOURS, "no duration was understood"))
    if not read.keys() & {"power_kw", "gpu_count"}:
        assumed.append(Assumed("power_kw", DEFAULT_KW, "no power and no number of GPUs was understood"))
    if "latest_finish" not in read:
        assumed.append(
            Assumed(
                "latest_finish",
                _deadline(sentence, read),
                "no deadline was understood: a day or, of a longer job, twice its duration",
            )
        )
    plain = {field: value for field, value in PLAIN.items() if field not in read}
    return assumed + [Assumed(field, value, "nothing in the sentence says otherwise") for field, value in plain.items()]


def _deadline(sentence: Sentence, read: Mapping[str, Said]) -> datetime:
    """A day after the job may start, or twice its duration, but no later than may be asked for."""
    first = read["earliest_start"].value if "earliest_start" in read else sentence.now
    duration = timedelta(hours=read["duration_hours"].value) if "duration_hours" in read else timedelta()
    return min(slot_ceil(first + max(DEFAULT_WINDOW, 2 * duration)), slot_floor(sentence.now + MAX_WINDOW))


def _name(text: str) -> str:
    """The beginning of a sentence, up to a whole word."""
    if len(text) <= NAME_CHARACTERS:
        return text.rstrip(".!? ")
    return text[:NAME_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:. ")


def shown(value: Any) -> str:
    """A field's value as text."""
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
