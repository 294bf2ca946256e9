"""Messages of the protocol as evidence: who signed what, the digest of the bytes, and the bytes in readable form."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from core.trade import Direction, Message

MOST_SHOWN = 20_000
"""characters of a body on the page; the whole is a download"""
_KEY_ID = re.compile(r'keyId="([^"]*)"')
_SIGNATURE = re.compile(r'(?<![A-Za-z])signature="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and what can be told of it.

    :param key_id: of the key that signed it. :param brief: the beginning of its signature.
    :param signed: how often it was signed: each attempt to deliver signs anew.
    :param text: of the body, indented; :param cut: whether that is its beginning only.
    """

    message: Message
    key_id: str | None
    brief: str | None
    signed: int
    sha256: str
    size: int
    text: str
    cut: bool

    @property
    def came(self) -> bool:
        """Whether it came from the peer."""
        return self.message.direction is Direction.IN


def letter_of(message: Message) -> Letter:
    """What can be told of a message, whatever its bytes are."""
    text = readable(message.body)
    key_id = _KEY_ID.search(message.signature)
    found = _SIGNATURE.findall(message.signature) or message.signature.split()
    return Letter(
        message=message,
        key_id=key_id[1] if key_id else None,
        brief=f"{found[-1][:16]}…" if found else None,
        signed=len(found),
        sha256=hashlib.sha256(message.body).hexdigest(),
        size=len(message.body),
        text=text[:MOST_SHOWN],
        cut=len(text) > MOST_SHOWN,
    )


def readable(body: bytes) -> str:
    """A body as indented JSON, or as text where it is none."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
