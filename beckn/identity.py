"""Who we are in a network, and how we write where the specification contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from core.errors import InputError
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """This server as others know it.

    :param url: base URL of its endpoints, without a slash at the end.
    :param network_id: of the network that it belongs to, where it names one.
    :param discovery_id: subscriber id of that network's discovery service, which speaks for others.
    """

    subscriber_id: str
    url: str
    network_id: str | None = None
    discovery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How acknowledgements and errors are written, repeated callbacks taken, and in which dialect requests come."""

    ack_body: Literal["flat", "nested"] = "flat"
    no_callback_status: Literal[202, 409] = 202
    error_fields: Literal["code", "errorCode"] = "code"
    repeated_callbacks: Literal["accept", "reject"] = "accept"
    dialect: Literal["v2", "2025"] = "v2"


@dataclass(frozen=True, slots=True)
class SellingTerms:
    """What the operator has set for what is sold.

    :param hold: how long an initialised draft keeps its capacity. :param notice: least time before what is sold begins.
    :param margin: share added to what selling costs us. :param penalty_per_kwh: what we owe for a kWh not delivered.
    :param delivery: how long a message is tried. :param open_drafts: of one peer, that hold capacity at once.
    """

    hold: timedelta
    notice: timedelta
    margin: float
    penalty_per_kwh: float
    delivery: timedelta
    open_drafts: int
    support_email: str | None
    currency: str = "GBP"


def identity_of(settings: Settings) -> Identity | None:
    """This server in its network; None where it is in none."""
    if settings.beckn_subscriber_id is None or settings.beckn_url is None:
        return None
    return Identity(
        settings.beckn_subscriber_id,
        settings.beckn_url.rstrip("/"),
        settings.beckn_network_id,
        settings.beckn_discovery_id,
    )


def require_identity(settings: Settings) -> Identity:
    """This server in its network; :class:`InputError` says what is to be set where it is in none."""
    found = identity_of(settings)
    if found is None:
        raise InputError(
            "this server is in no Beckn network",
            field="BECKN_URL",
            remedy="Set BECKN_SUBSCRIBER_ID and BECKN_URL, and make a key: python app.py beckn keys --make",
        )
    return found


def manner_of(settings: Settings) -> Manner:
    """How this server writes."""
    return Manner(
        settings.beckn_ack_body,
        settings.beckn_no_callback_status,
        settings.beckn_error_fields,
        settings.beckn_repeated_callbacks,
    )


def terms_of(settings: Settings) -> SellingTerms:
    """On which terms this server sells."""
    return SellingTerms(
        hold=timedelta(seconds=settings.beckn_hold_seconds),
        notice=timedelta(minutes=settings.beckn_notice_minutes),
        margin=settings.beckn_margin,
        penalty_per_kwh=settings.beckn_penalty_gbp_per_kwh,
        delivery=timedelta(seconds=settings.beckn_delivery_seconds),
        open_drafts=settings.beckn_open_drafts,
        support_email=settings.beckn_support_email,
    )
