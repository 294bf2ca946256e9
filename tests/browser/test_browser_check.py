"""The check that runs in the auditor's browser: it believes the bytes alone, and names the line that was changed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from werkzeug.serving import make_server

from audit.canonical import canonical
from audit.keys import SigningKey
from audit.log import AuditLog
from audit.record import digest
from audit.verifier.notes import note_of
from tests.browser.fakes import full_house
from tests.unit.audit.samples import delivery
from tests.unit.web.fakes import House
from web.application import create_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A day's records, a checkpoint over them, and one record more."""
    built = full_house(tmp_path_factory.mktemp("checked"))
    built.log.checkpoint()
    built.log.append("delivery", delivery("after the checkpoint"), refs=[built.log.get(seq).ref for seq in (3, 38)])
    yield built
    built.log.close()


@pytest.fixture(scope="module")
def address(house: House) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(house.services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/audit")
    yield page
    context.close()
    assert complaints == []


Change = Callable[[list[bytes]], list[bytes]]


def serve(page: Page, log: AuditLog, change: Change) -> None:
    """Serve the log's lines as ``change`` leaves them, in pages of twelve."""
    lines = change(log.path.read_bytes().splitlines(keepends=True))

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        first, limit = int(asked["from"][0]), min(12, int(asked["limit"][0]))
        route.fulfill(body=b"".join(lines[first : first + limit]), content_type="text/plain; charset=utf-8")

    page.route("**/api/audit/lines*", answer)


def outcome(page: Page, kept: str = "", key: str = "") -> str:
    """What the page says once it has checked."""
    page.get_by_label("A head hash or checkpoint that you kept").fill(kept)
    page.get_by_label("Your verifier key").fill(key)
    page.get_by_role("button", name="Check every line here").click()
    expect(page.locator("[data-verify-outcome] .verdict").first).to_be_visible()
    expect(page.get_by_role("button", name="Check every line here")).to_be_enabled()
    return page.locator("[data-verify-outcome]").inner_text()


def test_a_whole_log_is_checked_by_the_browser_to_the_same_root_head_and_checkpoint(page: Page, house: House) -> None:
    count, head = house.log.head()
    told = outcome(page)
    assert f"{count} records are whole, in order and linked. Head {head}, root {house.log.root()}." in told
    assert f"The head that this page names is record {count - 1}" in told
    assert f"The tree over the first {count - 1} records has the root of the last checkpoint of the server." in told
    assert page.locator(".verdict.bad").count() == 0


def flip(seq: int) -> Change:
    """Change one letter of a line's body, so that it is still a canonical record."""

    def change(lines: list[bytes]) -> list[bytes]:
        changed = lines[seq].replace(b"job-", b"jub-", 1)
        assert changed != lines[seq]
        return [*lines[:seq], changed, *lines[seq + 1 :]]

    return change


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:7], lines[8], lines[7], *lines[9:]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (flip(4), 5),
        (flip(0), 1),
        (flip(11), 12),
        (flip(12), 13),
        (lambda lines: [*lines[:6], *lines[7:]], 7),
        (lambda lines: [*lines[:6], lines[6], *lines[6:]], 8),
        (swapped, 8),
        (lambda lines: [*lines[:9], lines[9].replace(b'{"actor"', b'{ "actor"'), *lines[10:]], 10),
        (lambda lines: [*lines[:9], lines[9].replace(b"}\n", b"}"), *lines[10:]], 10),
        (lambda lines: [*lines[:-1], lines[-1].replace(b"after", b"aftur")], 40),
    ],
    ids=["flip", "flip first", "flip end of a page", "flip start of a page", "delete", "duplicate", "swap", "respell",
         "join", "flip last"],
)  # fmt: skip
def test_point_02_the_browser_names_the_exact_line_that_was_changed(
    page: Page, house: House, change: Change, line: int
) -> None:
    serve(page, house.log, change)
    told = outcome(page)
    assert f"Not intact. First bad line: {line}, record {line - 1}." in told


def linked_anew(seq: int, change: Callable[[dict[str, Any]], object]) -> Change:
    """Change one record, and write the links of all that follow anew."""

    def changed(lines: list[bytes]) -> list[bytes]:
        prev, found = "0" * 64, []
        for place, line in enumerate(lines):
            envelope = json.loads(line)
            if place == seq:
                change(envelope)
            found.append(canonical(envelope | {"prev": prev}) + b"\n")
            prev = digest(found[-1].rstrip(b"\n"))
        return found

    return changed


@pytest.mark.parametrize(
    "change",
    [
        linked_anew(3, lambda envelope: envelope["body"].update(job_id="another")),
        linked_anew(38, lambda envelope: envelope["body"].update(job_id="another")),
        linked_anew(39, lambda envelope: envelope["refs"][0].update(leaf="a" * 64)),
        linked_anew(39, lambda envelope: envelope["refs"][0].update(seq=39)),
        linked_anew(39, lambda envelope: envelope.update(refs=[None])),
        linked_anew(39, lambda envelope: envelope.update(refs={})),
    ],
    ids=["a record of another page", "the record before", "leaf", "itself", "none", "no list"],
)
def test_a_reference_that_is_not_to_the_record_as_it_was_is_told_by_its_line(
    page: Page, house: House, change: Change
) -> None:
    serve(page, house.log, change)
    told = outcome(page)
    assert "Not intact. First bad line: 40, record 39. In full: it names an earlier record by another leaf" in told


def rewritten(folder: Path) -> Change:
    """All lines written anew, whole and linked, by someone who has the program."""
    forged = full_house(folder)
    try:
        forged.log.append("delivery", delivery("in place of the true one"))
        lines = forged.log.path.read_bytes().splitlines(keepends=True)
    finally:
        forged.log.close()
    return lambda _: lines


def test_point_03_a_log_written_anew_fails_against_what_the_auditor_kept(
    page: Page, house: House, tmp_path: Path
) -> None:
    checkpoint = note_of(house.log.checkpoints()[-1])
    serve(page, house.log, rewritten(tmp_path))
    told = outcome(page, checkpoint)
    assert "records has another root than what you kept" in told
    assert "No record has the hash of what you kept" in outcome(page, house.log.get(20).hash)


def test_a_head_kept_earlier_is_found_among_later_records(page: Page, house: House) -> None:
    assert "What you kept is record 20, and it is here unchanged." in outcome(page, house.log.get(20).hash)
    assert "neither a hash of 64 hex digits nor a checkpoint" in outcome(page, "something else")


def test_a_log_that_was_cut_is_noticed(page: Page, house: House) -> None:
    serve(page, house.log, lambda lines: lines[:-5])
    told = outcome(page)
    assert re.search(r"Cut\. 39 records stand behind the last checkpoint of the server, 35 are here\.", told)


def label_of(vkey: str) -> str:
    """Name and hash of a verifier key."""
    return "+".join(vkey.split("+")[:2])


def test_the_signature_is_checked_by_the_key_of_the_server_and_said_to_be_so(page: Page, house: House) -> None:
    told, label = outcome(page), label_of(house.log.vkey())
    assert "Signed by a key that came from this server." in told
    assert f"The signature of the last checkpoint of the server by {label} holds; compare that key" in told
    shown = page.get_by_label("Verifier keys", exact=True)
    assert (shown.text_content() or "").split() == [house.log.vkey()]
    assert page.locator(".verdict.bad").count() == 0


def test_the_signature_is_checked_by_the_auditors_own_key(page: Page, house: House) -> None:
    kept, vkey = note_of(house.log.checkpoints()[-1]), house.log.vkey()
    told = outcome(page, kept, f"  {vkey}\n")
    assert f"Signed. The last checkpoint of the server is signed by your key {label_of(vkey)}." in told
    assert f"Signed. What you kept is signed by your key {label_of(vkey)}." in told
    other = SigningKey.new(house.log.checkpoints()[-1].origin).vkey
    told = outcome(page, kept, other)
    assert told.count("Not signed by your key.") == 2
    assert f"is signed by {label_of(vkey)}, not by {label_of(other)}." in told
    assert outcome(page, kept, vkey.replace("+", "-")).startswith("Not read. Your verifier key is none of a log")
    assert outcome(page, kept, f"{vkey[:-4]}AAAA").startswith("Not read.")


def test_a_signature_that_does_not_hold_is_told(page: Page, house: House) -> None:
    note = note_of(house.log.checkpoints()[-1])
    forged = note[:-12] + ("A" if note[-12] != "A" else "B") + note[-11:]
    for key in ("", house.log.vkey()):
        told = outcome(page, forged, key)
        assert f"Forged. The signature of what you kept by {label_of(house.log.vkey())} does not hold." in told
    stranger = SigningKey.new(house.log.checkpoints()[-1].origin)
    text = house.log.checkpoints()[-1].text
    assert f"What you kept is signed by {label_of(stranger.vkey)}, and by no key of this server." in outcome(
        page, stranger.sign(text)
    )


def test_a_browser_without_ed25519_says_that_the_signature_was_not_checked(page: Page, house: House) -> None:
    page.add_init_script("""
        const real = SubtleCrypto.prototype.importKey;
        SubtleCrypto.prototype.importKey = function (form, bytes, how, ...rest) {
            if (how.name !== "Ed25519") return real.call(this, form, bytes, how, ...rest);
            return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
        };
    """)
    page.reload()
    told = outcome(page, "", house.log.vkey())
    assert "Signature not checked. This browser has no Ed25519 in WebCrypto." in told
    assert "Signed." not in told
    assert f"The head that this page names is record {house.log.head()[0] - 1}" in told


def test_a_context_that_is_not_secure_is_said_plainly(page: Page) -> None:
    page.add_init_script("Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined })")
    page.reload()
    expect(page.locator("[data-verify-outcome]")).to_contain_text("Not possible here.")
    expect(page.get_by_role("button", name="Check every line here")).to_be_hidden()
