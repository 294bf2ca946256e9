"""Settings: the only place that reads the environment. Each is documented in docs/settings.md."""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.job import TENANT, Instant

FEEDS_WITH_A_URL = (
    "carbon_intensity",
    "octopus",
    "elexon",
    "neso",
    "open_meteo",
    "open_meteo_archive",
    "energy_charts",
    "electricity_maps",
    "watttime",
    "ercot",
    "entsoe",
    "mempool",
)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Frozen settings, read once at start and passed on as arguments."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=".env", env_file_encoding="utf-8")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=1, le=65535, description="port to listen on")
    data_dir: Path = Field(Path("var"), description="folder of the database, the decision log and job output")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default SQLite in DATA_DIR")
    signals: str = Field(
        "auto", pattern=r"^(auto|live|simulated|replay:.+)$", description="auto, live, simulated or replay:PATH"
    )
    clock_start: Instant | None = Field(None, description="first instant of a replay; default: its first recorded day")
    clock_epoch: Instant | None = Field(
        None, description="real instant at which the clock stood at CLOCK_START; default: when the process starts"
    )
    clock_speed: float = Field(1.0, gt=0, le=100_000, description="with simulated or replay: times real speed")
    tick_seconds: float = Field(300.0, gt=0, le=86_400, description="period of the negotiation, in the clock's seconds")
    solve_seconds: float = Field(20.0, gt=0, le=600, description="deadline of one negotiation, in real seconds")
    carbon_price_gbp_per_tonne: float = Field(100.0, ge=0, le=10_000, description="what a tonne of CO2 counts as")
    move_cost_gbp: float = Field(
        0.05, ge=0, le=1000, description="a planned job is moved only where that saves more than this"
    )
    risk_weight: float = Field(
        0.0, ge=0, le=1, description="share of bad outcomes in what a plan is judged by; 0: the expected cost alone"
    )
    risk_level: float = Field(0.9, ge=0, lt=1, description="outcomes beyond this quantile of the cost are the bad ones")
    risk_scenarios: int = Field(
        16, ge=2, le=200, multiple_of=2, description="scenarios of price and carbon drawn where RISK_WEIGHT is not 0"
    )
    tenant_weights: Annotated[tuple[tuple[str, float], ...], NoDecode] = Field(
        (), description="comma-separated TENANT=WEIGHT: who is due how much of scarce room; others have 1"
    )
    usage_half_life_hours: float = Field(
        24.0, gt=0, le=8760, description="time in which what a tenant used is half forgotten"
    )
    reserve_for_spikes: bool = Field(True, description="keep room where much flexible load is expected")
    seed: int = Field(20230301, ge=0, description="seed of every simulation and of the planner")
    sites_file: Path | None = Field(None, description="TOML file of sites; default: the 13 built in")
    settlement_file: Path | None = Field(
        None, description="TOML file of BM units, MSID pairs, activations and certificates; without one no site has any"
    )
    secret_key: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_hex(32)), description="signs form tokens; default: a new one"
    )
    operator_tokens: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (), description="comma-separated NAME=SHA256 of the tokens that may do everything from other machines"
    )
    auditor_tokens: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (), description="comma-separated NAME=SHA256 of the tokens that may read the evidence and export it"
    )
    token: SecretStr | None = Field(None, description="your token, sent by the commands that ask a server")
    anthropic_api_key: SecretStr | None = Field(None, description="lets a Claude model word explanations and drafts")
    advisor_model: str = Field("claude-haiku-5-5", min_length=1, description="Claude model that the advisor asks")
    advisor_tokens_per_day: int = Field(200_000, ge=0, description="most tokens the advisor uses between midnights UTC")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field((), description="comma-separated CORS origins")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma-separated Host names served besides loopback and HOST"
    )
    default_region: str = Field("GB-C", description="grid zone shown first")
    enabled_regions: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma-separated grid zones to use; empty: all"
    )
    cache_ttl_seconds: float = Field(1800.0, gt=0, le=86_400, description="age at which a feed is asked again")
    carbon_intensity_url: str = Field("https://api.carbonintensity.org.uk", description="base URL of the feed")
    octopus_url: str = Field("https://api.octopus.energy/v1", description="base URL of the feed")
    octopus_product: str | None = Field(
        None, description="Agile import product code; default: the one on sale, found by asking"
    )
    octopus_export_product: str = Field("AGILE-OUTGOING-19-05-13", description="Agile export product code")
    elexon_url: str = Field("https://data.elexon.co.uk/bmrs/api/v1", description="base URL of the feed")
    neso_url: str = Field("https://api.neso.energy", description="base URL of the feed")
    open_meteo_url: str = Field("https://api.open-meteo.com", description="base URL of the weather forecast")
    open_meteo_archive_url: str = Field(
        "https://archive-api.open-meteo.com", description="base URL of the weather archive"
    )
    energy_charts_url: str = Field("https://api.energy-charts.info", description="base URL of the feed")
    electricity_maps_url: str = Field("https://api.electricitymaps.com", description="base URL of the feed")
    electricity_maps_key: SecretStr | None = Field(None, description="your key; without one the feed is not asked")
    watttime_url: str = Field("https://api.watttime.org", description="base URL of the feed")
    watttime_username: str | None = Field(None, description="your account; without one the feed is not asked")
    watttime_password: SecretStr | None = Field(None, description="its password")
    ercot_url: str = Field("https://www.ercot.com", description="base URL of the feed")
    entsoe_url: str = Field("https://web-api.tp.entsoe.eu", description="base URL of the feed")
    entsoe_key: SecretStr | None = Field(None, description="your security token; without one the feed is not asked")
    mempool_url: str = Field("https://mempool.space", description="base URL of the feed")
    ca_bundle: Path | None = Field(
        None, description="PEM file of the authorities that TLS trusts; default: the usual public ones"
    )
    eur_gbp: float = Field(0.86, gt=0, le=10, description="GBP for one EUR, for prices quoted in EUR")
    usd_gbp: float = Field(0.76, gt=0, le=10, description="GBP for one USD, for prices quoted in USD")
    keep_answers_days: float = Field(60.0, ge=1, le=3650, description="days for which raw answers of feeds are kept")
    log_segment_mb: float = Field(64.0, gt=0, le=10_000, description="size at which a file of the log is sealed")
    log_segment_days: float = Field(31.0, gt=0, le=3660, description="age at which a file of the log is sealed")
    log_retention_days: int = Field(
        2557, ge=1, le=36_600, description="age at which sealed files of the log are removed; default 7 years"
    )
    checkpoint_records: int = Field(10_000, ge=1, description="records after which a checkpoint is signed")
    checkpoint_seconds: float = Field(
        600.0, gt=0, le=86_400, description="time after which records without a checkpoint get one"
    )
    witness_url: str | None = Field(None, description="submission prefix of a C2SP witness that cosigns checkpoints")
    witness_key: str | None = Field(None, description="its verifier key, name+hash+base64")
    timestamp_url: str | None = Field(None, description="RFC 3161 authority that time-stamps checkpoints")
    timestamp_ca: Path | None = Field(None, description="PEM file of the roots that its time-stamps must lead to")
    beckn_subscriber_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$",
        description="name under which a Beckn registry knows this server, such as flex.example.org; none: no trade",
    )
    beckn_url: str | None = Field(
        None, description="base URL at which peers reach the Beckn endpoints, such as https://flex.example.org/beckn/v2"
    )
    beckn_registry_url: str = Field(
        "https://fabric.nfh.global/registry/dedi", description="base URL of the registry of participants and keys"
    )
    beckn_registry_seconds: float = Field(
        300.0, gt=0, le=86_400, description="age at which a looked-up participant is looked up again"
    )
    beckn_network_id: str | None = Field(None, description="network that messages name, and that peers must belong to")
    beckn_discovery_url: str | None = Field(
        None, description="discovery service that is asked and published to; none: providers are asked directly"
    )
    beckn_discovery_id: str | None = Field(None, description="subscriber id of that discovery service")
    beckn_private_addresses: bool = Field(
        False, description="send to peers at loopback and private addresses, over http too: for development"
    )
    beckn_context_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("schema.nfh.global", "schema.beckn.io"),
        description="comma-separated hosts whose @context is accepted besides our own",
    )
    beckn_digest_label: Literal["BLAKE-512", "BLAKE2b-512"] = Field(
        "BLAKE-512", description="name of the digest in signing strings that we write; both are accepted"
    )
    beckn_key_id: Literal["subscriber", "record"] = Field(
        "subscriber", description="keyId that we write: of the subscriber and its key, or of the record in the registry"
    )
    beckn_ack_body: Literal["flat", "nested"] = Field(
        "flat", description="acknowledgements of version 2: message.status, or message.ack.status"
    )
    beckn_no_callback_status: Literal[202, 409] = Field(
        202, description="HTTP status of an acknowledgement after which no callback follows"
    )
    beckn_error_fields: Literal["code", "errorCode"] = Field(
        "code", description="names in errors: code, message and details, or errorCode and errorMessage"
    )
    beckn_repeated_callbacks: Literal["accept", "reject"] = Field(
        "accept", description="another callback with the messageId of an earlier one"
    )
    beckn_dialect_2025: bool = Field(False, description="serve the dialect of 2025 under /beckn/2025")
    beckn_requests_per_second: float = Field(
        100.0, gt=0, le=100_000, description="requests of one peer that are answered; beyond that 429"
    )
    beckn_open_drafts: int = Field(20, ge=1, le=10_000, description="drafts of one peer that may hold capacity at once")
    beckn_hold_seconds: float = Field(300.0, gt=0, le=86_400, description="time for which an initialised draft is held")
    beckn_notice_minutes: float = Field(60.0, ge=0, le=10_080, description="least time between confirmation and start")
    beckn_margin: float = Field(0.1, ge=0, le=10, description="share added to what selling costs us")
    beckn_penalty_gbp_per_kwh: float = Field(
        0.05, ge=0, le=100, description="what we owe for each kWh promised and not delivered"
    )
    beckn_delivery_seconds: float = Field(
        600.0, gt=0, le=604_800, description="time for which a callback is tried before it is a dead letter"
    )
    beckn_retention_days: int = Field(
        90, ge=32, le=36_600, description="days for which messages, deliveries and drafts are kept after their end"
    )
    beckn_support_email: str | None = Field(None, description="address that on_support names")
    retrain_hours: float = Field(24.0, gt=0, le=168, description="hours after which forecast models are fitted anew")
    allow_commands: bool | None = Field(
        None, description="run jobs' commands; default: only when HOST is loopback, and only for local requests"
    )

    @field_validator("allowed_origins", "allowed_hosts", "enabled_regions", "beckn_context_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("tenant_weights", mode="before")
    @classmethod
    def _weighted(cls, value: object) -> object:
        return _weights(value) if isinstance(value, str) else value

    @field_validator("operator_tokens", "auditor_tokens", mode="before")
    @classmethod
    def _named_digests(cls, value: object) -> object:
        return _digests(value) if isinstance(value, str) else value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or origin != f"{parts.scheme}://{parts.netloc}"
                or not parts.netloc
            ):
                raise ValueError(f"{origin!r} is no origin: write it like https://example.org or http://localhost:3000")
        return value

    @field_validator(
        *(f"{name}_url" for name in FEEDS_WITH_A_URL), "beckn_url", "beckn_registry_url", "beckn_discovery_url"
    )
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
            raise ValueError("a base URL is http:// or https:// and a host, without a user or a password")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.clock_speed != 1 and self.signals in {"auto", "live"}:
            raise ValueError("CLOCK_SPEED needs SIGNALS=simulated or replay:PATH: live feeds keep real time")
        names = [name for name, _ in (*self.operator_tokens, *self.auditor_tokens)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice!r} has two tokens in OPERATOR_TOKENS and AUDITOR_TOKENS: names stand in records")
        if (self.witness_url is None) != (self.witness_key is None):
            raise ValueError("WITNESS_URL and WITNESS_KEY go together: a cosignature is checked before it is kept")
        if (self.timestamp_url is None) != (self.timestamp_ca is None):
            raise ValueError("TIMESTAMP_URL and TIMESTAMP_CA go together: a time-stamp is checked before it is kept")
        if self.beckn_url is not None and self.beckn_subscriber_id is None:
            raise ValueError("BECKN_URL needs BECKN_SUBSCRIBER_ID: the name under which the registry knows this server")
        if (self.beckn_discovery_url is None) != (self.beckn_discovery_id is None):
            raise ValueError("BECKN_DISCOVERY_URL and BECKN_DISCOVERY_ID go together: its messages are signed")
        if self.clock_start is not None and self.signals in {"auto", "live"}:
            raise ValueError("CLOCK_START needs SIGNALS=simulated or replay:PATH: live feeds keep real time")
        if self.clock_epoch is not None and self.clock_start is None:
            raise ValueError("CLOCK_EPOCH needs CLOCK_START: it says when the clock stood there")
        return self

    @property
    def resolved_database_url(self) -> str:
        """``DATABASE_URL``, or SQLite in ``DATA_DIR``."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'slackwater.db'}"

    @property
    def commands_enabled(self) -> bool:
        """Whether jobs may bring a command at all."""
        return self.host in LOOPBACK if self.allow_commands is None else self.allow_commands

    @property
    def config_sha256(self) -> str:
        """Digest of what is set, hex, secrets left out: two servers with the same one decide by the same settings."""
        secret = {name for name, field in type(self).model_fields.items() if _is_secret(field.annotation)}
        told = self.model_dump(mode="json", exclude=secret | {"database_url"})
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def replay_folder(self) -> Path | None:
        """Folder of recorded data in replay mode."""
        return Path(self.signals.removeprefix("replay:")) if self.signals.startswith("replay:") else None


def _is_secret(annotation: object) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _digests(text: str) -> tuple[tuple[str, str], ...]:
    """``ada=SHA256, grace=SHA256`` read; :class:`ValueError` names the part that cannot be, without its digest."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, digest = (side.strip() for side in part.partition("="))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}", name) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"{name!r} is not followed by =SHA256: `python app.py token NAME` prints what to write")
        found.append((name, digest))
    return tuple(found)


def _weights(text: str) -> tuple[tuple[str, float], ...]:
    """``acme=3, acme/research=2`` read; :class:`ValueError` names the part that cannot be."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        tenant, _, written = (side.strip() for side in part.partition("="))
        try:
            weight = float(written)
        except ValueError:
            weight = math.nan
        if not re.match(TENANT, tenant) or not 0 < weight < math.inf:
            raise ValueError(f"{part!r} is no TENANT=WEIGHT with a weight above 0: write it like acme=2")
        if tenant in found:
            raise ValueError(f"tenant {tenant!r} has two weights: leave one of them out")
        found[tenant] = weight
    return tuple(found.items())
