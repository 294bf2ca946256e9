"""How long, how large and how often: every bound of the shared client in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may cost, and when a host is left alone.

    With the defaults a request ends after about 30 s at worst: no attempt starts later than 15 s after the first one,
    and an attempt lasts at most 13 s (resolving the host's name is the system's own affair). Waiting for a turn under
    a host's rate limit comes on top.

    :param connect_s: longest wait for a connection.
    :param silence_s: longest wait for the next bytes of an answer.
    :param whole_s: longest time from the sent request to the last byte, headers included.
    :param body_bytes: longest body, both as sent and after decompression.
    :param attempts: most attempts of one request.
    :param attempts_within_s: no attempt starts later than this after the first.
    :param pause_s: pause before the second attempt, doubled before each further one; half to all of it is waited.
    :param longest_pause_s: a host that asks for a longer pause than this is not asked again within the request.
    :param longest_wait_s: a request whose turn under the rate limit comes later than this is not made.
    :param open_after: requests in a row without an answer after which the host is left alone.
    :param open_s: for how long at first; doubled each time the host still does not answer.
    :param longest_open_s: for how long at most, unless the host itself asks for longer.
    """

    connect_s: float = 3.05
    silence_s: float = 6.0
    whole_s: float = 10.0
    body_bytes: int = 8 * 1024 * 1024
    attempts: int = 3
    attempts_within_s: float = 15.0
    pause_s: float = 0.5
    longest_pause_s: float = 2.0
    longest_wait_s: float = 20.0
    open_after: int = 3
    open_s: float = 30.0
    longest_open_s: float = 1800.0
