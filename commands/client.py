"""``submit``, ``quote``, ``jobs``, ``tick``, ``shares``: a running server over its REST API.

:class:`Client` is the same for Python.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import requests
from tqdm import tqdm

from core.clock import SystemClock
from core.errors import InputError, SlackwaterError, Unavailable
from core.job import TERMINAL
from core.settings import Settings
from core.slots import format_utc

TIMEOUT_S = (3.05, 120.0)
POLL_S = 1.0


class Client:
    """A Slackwater server, as a Python program uses it.

    >>> Client("http://127.0.0.1:5000").submit({"job_name": "train", ...})  # doctest: +SKIP
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def submit(self, job: dict[str, Any]) -> dict[str, Any]:
        """Submit a job (fields of ``core.job.JobRequest``); the accepted job."""
        return self._call("POST", "/api/jobs", job)

    def quote(self, job: dict[str, Any], deadlines: Sequence[str] = ()) -> dict[str, Any]:
        """What the job would cost by each of ``deadlines`` (default: a ladder of hours); nothing is stored."""
        return self._call("POST", "/api/quote", job | ({"deadlines": [*deadlines]} if deadlines else {}))

    def job(self, job_id: str) -> dict[str, Any]:
        """One job with its plan, baseline and savings."""
        return self._call("GET", f"/api/jobs/{job_id}")

    def jobs(self, **filters: str) -> dict[str, Any]:
        """Jobs, newest first."""
        return self._call("GET", "/api/jobs", params=filters)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """End a job."""
        return self._call("POST", f"/api/jobs/{job_id}/cancel", {})

    def tick(self) -> dict[str, Any]:
        """Negotiate now."""
        return self._call("POST", "/api/ticks", {})

    def shares(self) -> dict[str, Any]:
        """How every tenant stands."""
        return self._call("GET", "/api/shares")

    def buy(self, purchase: dict[str, Any]) -> dict[str, Any]:
        """Begin to buy compute windows (fields of ``beckn.consumer.shapes.PurchaseRequest``)."""
        return self._call("POST", "/api/trade/purchases", purchase)

    def purchases(self) -> dict[str, Any]:
        """Purchases, newest first."""
        return self._call("GET", "/api/trade/purchases")

    def purchase(self, purchase_id: str) -> dict[str, Any]:
        """One purchase with its legs."""
        return self._call("GET", f"/api/trade/purchases/{purchase_id}")

    def needs(self) -> dict[str, Any]:
        """Utilities' needs that were seen."""
        return self._call("GET", "/api/trade/needs")

    def seek_needs(self, providers: Sequence[str] = ()) -> dict[str, Any]:
        """Ask utilities for their needs."""
        return self._call("POST", "/api/trade/needs", {"providers": [*providers]})

    def answer_need(self, need_id: str) -> dict[str, Any]:
        """Answer one need."""
        return self._call("POST", f"/api/trade/needs/{need_id}/answer", {})

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON answer; :class:`InputError` with the server's words for a problem it reports."""
        try:
            answer = self._session.request(method, self.url + path, json=body, params=params, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise Unavailable(
                f"no answer from {self.url}", remedy="Start the server with `make run`, or name another with --url."
            ) from error
        try:
            content = answer.json()
        except ValueError as error:
            raise SlackwaterError(f"{self.url}{path} answered {answer.status_code} and no JSON") from error
        if not answer.ok:
            raise _refused(content)
        return dict(content)


def _refused(problem: dict[str, Any]) -> InputError:
    """A problem+json answer as an error."""
    first = (problem.get("errors") or [{}])[0]
    message = first.get("message") or problem.get("detail") or problem.get("title") or "refused"
    field = str(first.get("field") or "request")
    return InputError(f"{field}: {message}.", field=field, remedy=first.get("remedy") or "")


def connect(arguments: argparse.Namespace, settings: Settings) -> Client:
    """The server that the arguments or the settings name."""
    token = settings.token.get_secret_value() if settings.token else None
    return Client(arguments.url or f"http://{settings.host}:{settings.port}", token)


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    """The job that the arguments describe."""
    body = {
        "job_name": arguments.name,
        "duration_hours": arguments.hours,
        "power_kw": arguments.kw,
        "gpu_count": arguments.gpus,
        "latest_finish": instant(arguments.deadline, "--deadline"),
        "earliest_start": arguments.earliest,
        "flexibility_type": arguments.kind,
        "tier": arguments.tier,
        "priority_level": arguments.level,
        "tenant": arguments.tenant,
        "allowed_regions": arguments.region or None,
        "max_price_gbp_per_kwh": arguments.max_price,
        "carbon_cap_g_per_kwh": arguments.max_carbon,
        "command": arguments.run or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def instant(text: str, option: str) -> str:
    """An instant as it was written, or ``+HOURS`` from now."""
    if not text.startswith("+"):
        return text
    try:
        hours = float(text[1:])
    except ValueError as error:
        raise InputError(
            f"{text!r} is no number of hours", field=option, remedy="Write +24, or an ISO 8601 time."
        ) from error
    return format_utc(SystemClock().now() + timedelta(hours=hours))


def submit(arguments: argparse.Namespace, settings: Settings) -> int:
    """Submit; with --wait follow to the end (1 when it did not complete)."""
    client = connect(arguments, settings)
    job = client.submit(_request(arguments))
    if arguments.wait:
        job = _followed(client, job["job_id"], quiet=arguments.json)
    if arguments.json:
        print(json.dumps(job))
    else:
        print(f"{job['job_id']} {job['status']} {job.get('site_id') or ''} {job.get('reason') or ''}".rstrip())
    return 0 if not arguments.wait or job["status"] == "completed" else 1


def _followed(client: Client, job_id: str, *, quiet: bool) -> dict[str, Any]:
    """Poll until the job has ended."""
    ended = {status.value for status in TERMINAL}
    with tqdm(bar_format="{desc} {elapsed}", disable=quiet, leave=False) as bar:
        while True:
            job = client.job(job_id)
            job = job.get("job", job)
            if job["status"] in ended:
                return dict(job)
            bar.set_description_str(f"{job_id} {job['status']}")
            time.sleep(POLL_S)


def quote(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say what the job would cost by each deadline; 1 when it cannot be placed by its own."""
    deadlines = [instant(text, "--by") for text in arguments.by]
    found = connect(arguments, settings).quote(_request(arguments), deadlines)
    if arguments.json:
        print(json.dumps(found))
    else:
        _print_quote(found)
    return 0 if found["own"]["offer"] else 1


def _print_quote(found: dict[str, Any]) -> None:
    """A line for running now and for each deadline."""
    print(f"{'finish by':21} {'wait h':>6} {'GBP':>9} {'kg CO2':>9} {'saves GBP':>9} {'saves kg':>9}  where and when")
    if found["now"]:
        print(f"{'now':21} {'':6} {_course(found['now'])[0]} {'':9} {'':9}  {_course(found['now'])[1]}")
    for point in found["points"]:
        by = f"{point['latest_finish']:21} {point['patience_h']:6.1f}"
        if not point["offer"]:
            print(f"{by}  {point['reason']}. {point['remedy']}")
            continue
        figures, course = _course(point["offer"])
        saved = " ".join(f"{'-' if value is None else format(value, '.2f'):>9}" for value in _saved(point))
        print(f"{by} {figures} {saved}  {course}")


def _course(offer: dict[str, Any]) -> tuple[str, str]:
    figures = f"{offer['cost_gbp'] + offer['pause_gbp']:9.2f} {offer['carbon_kg']:9.2f}"
    return figures, f"{offer['site_id']}, {offer['start']} to {offer['end']} ({', '.join(offer['kinds'])})"


def _saved(point: dict[str, Any]) -> tuple[float | None, float | None]:
    return point["saved_gbp"], point["saved_kg"]


def jobs(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, show or cancel."""
    client = connect(arguments, settings)
    if arguments.cancel and arguments.job_id is None:
        raise InputError("--cancel needs a job", field="job_id", remedy="Name it: jobs JOB_ID --cancel.")
    if arguments.job_id is not None:
        found = client.cancel(arguments.job_id) if arguments.cancel else client.job(arguments.job_id)
        print(json.dumps(found, indent=None if arguments.json else 2))
        return 0
    found = client.jobs(**({"status": arguments.status} if arguments.status else {}))
    if arguments.json:
        print(json.dumps(found))
        return 0
    for job in found["jobs"]:
        print(f"{job['job_id']}  {job['status']:10} {job.get('site_id') or '-':16} {job['job_name']}")
    print(f"{found['total']} jobs")
    return 0


def tick(arguments: argparse.Namespace, settings: Settings) -> int:
    """Negotiate now; 1 when there is no plan."""
    record = connect(arguments, settings).tick()
    if arguments.json:
        print(json.dumps(record))
    else:
        gap = "" if record.get("gap") is None else f", gap {record['gap']:.3%}"
        print(f"{record['outcome']}: {record['placed']} placed, {record['unserved']} unserved{gap}. {record['detail']}")
    return 0 if record["outcome"] in ("planned", "idle") else 1


def shares(arguments: argparse.Namespace, settings: Settings) -> int:
    """A line for each tenant."""
    found = connect(arguments, settings).shares()
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(
        f"{'tenant':24} {'weight':>6} {'due':>7} {'uses':>7} {'used':>7} {'level':>6} {'open':>6} {'waiting':>7}  since"
    )
    for row in found["tenants"]:
        level = "-" if row["level"] is None else f"{row['level']:.2f}"
        shown = " ".join(f"{row[name]:7.1%}" for name in ("fair_share", "used_share", "usage"))
        jobs_ = f"{row['open_jobs']:6} {row['waiting']:7}  {row['oldest_since'] or '-'}"
        print(f"{row['tenant']:24} {row['weight']:6g} {shown} {level:>6} {jobs_}")
    print(f"{len(found['tenants'])} tenants; what is used is half forgotten after {found['half_life_hours']:g} h")
    return 0


COMMANDS = {"submit": submit, "quote": quote, "jobs": jobs, "tick": tick, "shares": shares}
"""The subcommands served here, by name."""
