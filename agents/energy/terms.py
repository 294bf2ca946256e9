"""The settings that figures depend on, kept with every answer: an exchange rate changed later changes no old figure."""

from __future__ import annotations

import json

from core.errors import FeedInvalid
from core.settings import Settings
from core.vintage import Fetch, RawAnswer

ADDRESS = "slackwater:settings"
FIELDS = (
    *(name for name in Settings.model_fields if name.endswith("_url") and name != "database_url"),
    "octopus_product",
    "octopus_export_product",
    "eur_gbp",
    "usd_gbp",
)
"""No secret is among them."""


def terms_of(settings: Settings) -> RawAnswer:
    """The settings as one more body of each fetch; stored once, because equal bodies are."""
    values = settings.model_dump(mode="json", include=set(FIELDS))
    return RawAnswer.of(ADDRESS, "application/json", json.dumps(values, sort_keys=True).encode())


def settings_of(fetch: Fetch) -> Settings | None:
    """The settings that a fetch was made with; None where it keeps none."""
    body = next((answer.body for answer in fetch.answers if answer.url == ADDRESS), None)
    if body is None:
        return None
    try:
        return Settings(_env_file=None, **json.loads(body))
    except (TypeError, ValueError) as error:
        raise FeedInvalid(f"{fetch.fetch_id} keeps settings that cannot be read: {error}.") from error
