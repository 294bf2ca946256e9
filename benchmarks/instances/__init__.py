"""Seeded instances: the six families that peers are compared on (``build``), and mixed ones of any size (``generate``).

``python -m benchmarks.instances NAME --out FILE`` writes one of ``NAMES``.
"""

from benchmarks.instances.demand import KINDS
from benchmarks.instances.families import NAMES, build
from benchmarks.instances.mixed import generate

__all__ = ["KINDS", "NAMES", "build", "generate"]
