"""A job drafted from a sentence, the same for a page as for the API; nothing is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import InputError, Unavailable
from core.site import Site
from web.services import Services

if TYPE_CHECKING:
    from agents.advisor.drafts import Draft
    from agents.quotes.quote import Quote

COUNTRIES = {
    "AU": ("Australia",),
    "CA": ("Canada",),
    "CL": ("Chile",),
    "DE": ("Germany",),
    "GB": ("Great Britain", "Britain", "United Kingdom", "UK", "England"),
    "IE": ("Ireland",),
    "IS": ("Iceland",),
    "JP": ("Japan",),
    "NO": ("Norway",),
    "SG": ("Singapore",),
    "US": ("United States", "USA", "America"),
}
"""names of the built-in sites' countries, the first one shown"""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft with what it would cost; or why it cannot be submitted as it is, or not be priced just now."""

    draft: Draft
    quote: Quote | None
    problem: InputError | Unavailable | None


def draft_job(services: Services, text: str) -> Draft:
    """Draft a job from a sentence; may wait for the advisor's model.

    :raises InputError: no job can be made of the sentence.
    """
    return services.advisor.draft(text, services.clock.now(), region_names(services.sites.sites()))


def priced(services: Services, draft: Draft) -> Drafted:
    """The draft with its quote, or with why it has none."""
    try:
        return Drafted(draft, services.loop.quote(draft.request), None)
    except (InputError, Unavailable) as problem:
        return Drafted(draft, None, problem)


def region_names(sites: Sequence[Site]) -> dict[str, str]:
    """Every name by which a person may mean a region: sites by id, name and town, zones, countries by name and code.

    A country or zone with one site is that site; a name that is both a country's and a site's is the country's.
    """
    names: dict[str, str] = {}
    for site in sites:
        names |= dict.fromkeys((site.site_id, site.name, site.name.split(",")[0]), site.site_id)
    wide: dict[str, tuple[str, ...]] = {site.zone: (site.zone,) for site in sites}
    wide |= {site.country: (site.country, *COUNTRIES.get(site.country, ())) for site in sites}
    for region, called in wide.items():
        inside = [site.site_id for site in sites if region in (site.country, site.zone)]
        taken = {name.casefold() for name in called}
        names = {name: of for name, of in names.items() if name.casefold() not in taken}
        names |= dict.fromkeys(called, inside[0] if len(inside) == 1 else region)
    return names
