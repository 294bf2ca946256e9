"""The figures of the world that decisions rest on, by the digests of their bytes."""

from __future__ import annotations

from audit.fields import Body, Hex64, Time


class AnswerBody(Body):
    """One body as it was received: what was asked, without anything secret, and the digest of the bytes."""

    url: str
    sha256: Hex64
    raw_bytes: int


class FeedSeriesBody(Body):
    """What was read from the answers for one quantity."""

    quantity: str
    valid_from: Time
    valid_to: Time
    kinds: list[str]
    unit: str


class FeedSnapshotBody(Body):
    """What a feed answered, by the digests of its bytes: recorded before the first round that uses it."""

    fetch_id: str
    feed: str
    zone: str
    fetched_at: Time
    answers: list[AnswerBody]
    series: list[FeedSeriesBody]
