"""Lines read by their shape: once a shape was checked whole, lines that differ in plain values alone are matched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from audit.verifier.lines import Links, envelope_of, is_time, links_of

OFTEN = 32
"""lines with as many quotation marks, after which a pattern is made of the next"""
MOST = 64
"""patterns: to make one takes as long as to read some hundred lines"""
_ALPHABET = re.compile(rb"[ !#-\[\]-~\"]*")
_TOKEN = re.compile(rb'"[^"]*"|-?[0-9]+')
_TEXT = rb"[ !#-\[\]-~]*"
_INTEGER = rb"(?:0|-?[1-9][0-9]{0,14})"
_LINKS = frozenset({b'"kind"', b'"prev"', b'"log_id"', b'"recorded_at"'})
_LEAF = rb'"([0-9a-f]{64})"'


class Shapes:
    """The shapes that one process has seen often.

    A canonical line of plain ASCII without escapes stays canonical when its text values, and integers of up to 15
    digits, are exchanged for others of that kind: keys, their order and all punctuation are the same. Such lines match
    a pattern made of one of them; every other line is read whole, and so decided by :func:`envelope_of` alone.
    """

    def __init__(self) -> None:
        self._patterns: dict[int, list[re.Pattern[bytes]]] = {}
        self._seen: Counter[int] = Counter()
        self.made = 0

    def read(self, seq: int, raw: bytes) -> Links:
        """What a line says of its place; :class:`LineFault` when it is no canonical record."""
        quotes = raw.count(b'"')
        for pattern in self._patterns.get(quotes, ()):
            match = pattern.fullmatch(raw)
            if match is not None:
                kind, log_id, prev, at, *named, number = match.groups()
                refs = _refs(named) if named else ()
                own = int(number)
                if is_time(at.decode()) and all(0 <= ref < own for ref, _ in refs):
                    return Links(own, prev.decode(), log_id.decode(), kind.decode(), refs)
        envelope = envelope_of(seq, raw)
        self._learn(quotes, raw)
        return links_of(envelope)

    def _learn(self, quotes: int, raw: bytes) -> None:
        self._seen[quotes] += 1
        if self._seen[quotes] >= OFTEN and self.made < MOST and _ALPHABET.fullmatch(raw):
            self._seen[quotes] = 0
            self.made += 1
            self._patterns.setdefault(quotes, []).append(re.compile(b"".join(_pattern(raw))))


def _refs(named: list[bytes]) -> tuple[tuple[int, bytes], ...]:
    """Numbers and leaf hashes out of the groups of a pattern, where they alternate, the leaf first."""
    return tuple(zip(map(int, named[1::2]), (bytes.fromhex(leaf.decode()) for leaf in named[::2])))  # noqa: B905  pairs


def _pattern(raw: bytes) -> Iterator[bytes]:
    """The parts of the pattern that ``raw`` and lines of its shape match.

    Its groups are kind, log_id, prev, time, leaf and number of each reference, and seq.
    """
    depth, end, key = 0, 0, b""
    for token in _TOKEN.finditer(raw):
        gap, text = raw[end : token.start()], token.group()
        depth += len(re.findall(rb"[{\[]", gap)) - len(re.findall(rb"[}\]]", gap))
        end = token.end()
        yield re.escape(gap)
        if not text.startswith(b'"'):
            named = key == b'"refs"' or (depth == 1 and key == b'"seq"')
            yield rb"(%b)" % _INTEGER if named else _INTEGER
        elif raw[end : end + 1] == b":":
            key = text if depth == 1 else key
            yield re.escape(text)
        elif depth == 1 and key in _LINKS:
            yield rb'"(%b)"' % _TEXT
        elif key == b'"refs"':
            yield _LEAF
        else:
            yield re.escape(text) if depth == 1 and key == b'"schema"' else rb'"%b"' % _TEXT
    yield re.escape(raw[end:])
