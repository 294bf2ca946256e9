"""A scripted upstream: the feeds' APIs over real sockets on loopback, and their misbehaviour on demand."""

from __future__ import annotations

from tests.upstream.faults import Fault, affected
from tests.upstream.server import Upstream
from tests.upstream.world import World

__all__ = ["Fault", "Upstream", "World", "affected"]
