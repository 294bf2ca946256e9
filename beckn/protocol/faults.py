"""What is wrong with a message, by the protocol's codes: the prefix names the layer that found it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CAUSES = 3
"""links of a chain of errors"""
_LONGEST = 500
_STATUS_OF_LAYER: Mapping[str, int] = {"CTX": 400, "AUT": 401, "SCH": 400, "POL": 403, "BIZ": 400, "NET": 500}
_STATUS: Mapping[str, int] = {"NET_OVERLOADED": 429, "NET_NOT_IMPLEMENTED": 400}
LAYERS = ("CTX", "AUT", "SCH", "POL", "BIZ")
"""in the order in which messages are checked; the first fault ends it"""


class Fault(Exception):
    """A message that cannot be taken, or a request that cannot be met.

    :param path: JSONPath of the field at fault. :param cause: an error of another system that led to this one.
    """

    def __init__(
        self, code: str, message: str, path: str | None = None, cause: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.cause = cause

    @property
    def status(self) -> int:
        """HTTP status where it is told at once."""
        return _STATUS.get(self.code, _STATUS_OF_LAYER[self.code.partition("_")[0]])

    def error(self) -> dict[str, Any]:
        """The protocol's error object."""
        details: dict[str, Any] = {}
        if self.path is not None:
            details["path"] = self.path
        if self.cause is not None:
            details["cause"] = _shortened(self.cause, MOST_CAUSES - 1)
        told: dict[str, Any] = {"code": self.code, "message": str(self)[:_LONGEST]}
        return {**told, "details": details} if details else told


def _shortened(error: Mapping[str, Any], links: int) -> dict[str, Any]:
    """An error with at most ``links`` links of its chain."""
    told: dict[str, Any] = {name: str(error.get(name, ""))[:_LONGEST] for name in ("code", "message")}
    cause = error.get("details", {}).get("cause") if isinstance(error.get("details"), Mapping) else None
    if links > 1 and isinstance(cause, Mapping):
        told["details"] = {"cause": _shortened(cause, links - 1)}
    return told
