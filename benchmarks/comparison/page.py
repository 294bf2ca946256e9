"""docs/benchmarks.md: every figure in it comes from a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from benchmarks.comparison import tables
from benchmarks.comparison.results import Results
from benchmarks.instances.demand import PENALTY_GBP_PER_KWH, SLACK_SLOTS

PICTURES = {
    "caps": "What a cap on power leaves to be saved. Rules that ignore it promise the dotted line; no plan can be "
    "above the dashed one. A method has no point where its plan leaves jobs out.",
    "gaps": "Cost above the best bound of each instance, for valid plans that serve every job.",
    "sizes": "Planning time and memory as instances grow.",
}

TEMPLATE = Path(__file__).with_name("page.md")


def page(results: Results, pictures: Sequence[str]) -> str:
    """The whole page."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        machine=results.machine,
        source=results.source,
        targets=tables.targets(results),
        comparison=tables.comparison(results),
        pictures="\n\n".join(f"![{PICTURES[name]}](benchmarks/{name}.svg)\n\n*{PICTURES[name]}*" for name in pictures),
        faults=tables.faults(results),
        penalty=f"{PENALTY_GBP_PER_KWH:g}",
        slack=SLACK_SLOTS,
    )
