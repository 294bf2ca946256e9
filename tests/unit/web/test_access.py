"""Who may ask what: operators everything, auditors the evidence alone, strangers nothing once there are tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.settings import Settings
from tests.unit.web.fakes import build_house
from web.access import new_token, token_digest
from web.application import create_app

FAR = {"REMOTE_ADDR": "203.0.113.9"}
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    return {name: new_token()[0] for name in ("ada", "grace")}


@pytest.fixture
def guarded(tmp_path: Path, tokens: dict[str, str]) -> Iterator[FlaskClient]:
    yield from served(tmp_path, tokens, operator_tokens=f"ada={token_digest(tokens['ada'])}")


@pytest.fixture
def audited(tmp_path: Path, tokens: dict[str, str]) -> Iterator[FlaskClient]:
    """A server on which auditors alone have tokens."""
    yield from served(tmp_path, tokens)


def served(folder: Path, tokens: dict[str, str], **settings: str) -> Iterator[FlaskClient]:
    house = build_house(folder, auditor_tokens=f"grace={token_digest(tokens['grace'])}", **settings)
    app = create_app(house.services)
    app.config["WTF_CSRF_ENABLED"] = False
    yield app.test_client()
    house.log.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def far(client: FlaskClient, method: str, path: str, **options: Any) -> Any:
    return client.open(path, method=method, environ_base=FAR, **options)


def test_without_tokens_whoever_reaches_the_server_is_its_operator(client: FlaskClient) -> None:
    assert far(client, "GET", "/api/jobs").status_code == 200


def test_a_stranger_is_asked_for_a_token(guarded: FlaskClient) -> None:
    refused = far(guarded, "GET", "/api/jobs")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "Bearer TOKEN" in refused.json["remedy"]
    sent = far(guarded, "GET", "/jobs?page=2", headers=PAGE)
    assert (sent.status_code, sent.location) == (303, "/sign-in?next=/jobs?page%3D2")
    assert far(guarded, "GET", "/health").status_code == 200


def test_a_request_that_a_proxy_passed_on_is_not_local(audited: FlaskClient) -> None:
    assert audited.get("/api/jobs").status_code == 200
    assert audited.get("/api/jobs", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401


def test_where_operators_have_tokens_the_servers_own_machine_needs_one_too(guarded: FlaskClient) -> None:
    assert guarded.get("/api/jobs").status_code == 401


def test_an_unknown_token_is_refused_even_from_the_servers_own_machine(guarded: FlaskClient) -> None:
    assert guarded.get("/api/jobs", headers=bearer("slackwater_nobody")).status_code == 401


def test_an_operator_may_do_everything(guarded: FlaskClient, tokens: dict[str, str]) -> None:
    assert far(guarded, "GET", "/api/jobs", headers=bearer(tokens["ada"])).status_code == 200
    assert far(guarded, "POST", "/api/ticks", headers=bearer(tokens["ada"]), json={}).status_code != 403


AUDITED = ["/audit", "/audit/0", "/api/logs", "/api/audit/records/0", "/api/audit/verify", "/health", "/signals"]


@pytest.mark.parametrize("path", AUDITED)
def test_point_30_an_auditor_reads_the_evidence(guarded: FlaskClient, tokens: dict[str, str], path: str) -> None:
    answer = far(guarded, "GET", path, headers=bearer(tokens["grace"]))
    assert answer.status_code in {200, 404}


def test_point_30_an_auditor_changes_nothing_whatever_the_route(guarded: FlaskClient, tokens: dict[str, str]) -> None:
    changed = []
    allowed = {"/audit/verify", "/audit/export", "/api/audit/exports", "/sign-in", "/sign-out"}
    for rule in guarded.application.url_map.iter_rules():
        path = rule.rule.replace("<int:seq>", "0").replace("<", "").replace(">", "")
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            if path in allowed or path.startswith(("/beckn/", "/api/beckn/")):
                continue
            answer = far(guarded, method, path, headers=bearer(tokens["grace"]), json={})
            changed += [] if answer.status_code == 403 else [(method, path, answer.status_code)]
    assert changed == []


@pytest.mark.parametrize("path", ["/", "/jobs", "/api/jobs", "/shares", "/submit", "/metrics", "/api/assets"])
def test_point_30_an_auditor_does_not_see_whose_jobs_there_are(
    guarded: FlaskClient, tokens: dict[str, str], path: str
) -> None:
    assert far(guarded, "GET", path, headers=bearer(tokens["grace"])).status_code == 403


def test_signing_in_lasts_until_signing_out(guarded: FlaskClient, tokens: dict[str, str]) -> None:
    entered = far(guarded, "POST", "/sign-in", data={"token": tokens["grace"], "next": "/audit?kind=decision"})
    assert (entered.status_code, entered.location) == (303, "/audit?kind=decision")
    page = far(guarded, "GET", "/audit", headers=PAGE).text
    assert "grace, auditor" in page
    assert 'href="/jobs"' not in page
    assert far(guarded, "GET", "/jobs", headers=PAGE).status_code == 403
    far(guarded, "POST", "/sign-out")
    assert far(guarded, "GET", "/audit", headers=PAGE).status_code == 303


def test_a_wrong_token_says_so_and_signs_nobody_in(guarded: FlaskClient) -> None:
    refused = far(guarded, "POST", "/sign-in", data={"token": "slackwater_guess"})
    assert refused.status_code == 401
    assert "not known here" in refused.text
    assert far(guarded, "GET", "/audit", headers=PAGE).status_code == 303


@pytest.mark.parametrize("address", ["https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_server(guarded: FlaskClient, tokens: dict[str, str], address: str) -> None:
    assert far(guarded, "POST", "/sign-in", data={"token": tokens["ada"], "next": address}).location == "/"


@pytest.mark.parametrize("value", ["ada", "ada=xyz", "=" + "0" * 64, "a b=" + "0" * 64])
def test_a_setting_of_tokens_that_cannot_be_read_is_refused_without_its_digest(value: str) -> None:
    with pytest.raises(ValueError, match="is not followed by"):
        Settings(auditor_tokens=value)  # type: ignore[arg-type]


def test_two_tokens_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two tokens"):
        Settings(auditor_tokens=f"ada={'0' * 64}", operator_tokens=f"ada={'1' * 64}")  # type: ignore[arg-type]
