"""``signals check``: ask every feed once."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from agents.energy.build import build_energy
from agents.site.profiles import load_sites
from core.clock import Clock
from core.settings import Settings
from store.database import Database
from store.vintages import VintageRepository


def check(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """0 when every feed that was asked answers; 1 otherwise. The answers are stored like any others."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url)
    try:
        database.migrate()
        zones = tuple(dict.fromkeys(site.zone for site in load_sites(settings.sites_file)))
        energy = build_energy(settings, clock, VintageRepository(database), zones)
        energy.refresh(force=True)
        statuses, notices = energy.status(), energy.notices()
    finally:
        database.close()
    if arguments.json:
        print(json.dumps([asdict(status) for status in statuses], default=str))
    else:
        for status in statuses:
            until = f"known until {status.known_until:%Y-%m-%d %H:%M}Z" if status.known_until else "nothing known"
            print(
                f"{status.feed:28} {status.zone:12} {status.quantity:7} {status.state:10} {until} {status.error or ''}"
            )
        for notice in notices:
            print(f"! {notice.feed}: {notice.detail}")
    return 1 if any(status.error for status in statuses) else 0
