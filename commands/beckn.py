"""``beckn``: what a participant of a Beckn network needs before it trades."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from beckn.keys import FILE, KeyRing, PublicKey
from beckn.signing import BadSignature, KeyId, Signature
from commands import trade
from commands.listen import listen
from commands.outbox import outbox, replay
from commands.registry import serve_registry
from core.clock import Clock
from core.errors import InputError
from core.settings import Settings
from core.slots import format_utc


def keys(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Make, choose or drop a key as asked; then show the public half of all, as a registry wants it."""
    name, ring = _subscriber_id(settings), KeyRing(settings.data_dir / FILE)
    if arguments.make:
        ring.make(clock.now())
    if arguments.use:
        ring.use(arguments.use)
    if arguments.drop:
        ring.drop(arguments.drop)
    found = ring.public()
    if arguments.json:
        print(json.dumps([_told(name, key) for key in found]))
    elif not found:
        print("There is no key yet. Make one: python app.py beckn keys --make")
    else:
        print("\n\n".join(_in_words(name, key) for key in found))
    return 0


def sign(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Print the header that signs the bytes of a file."""
    signer = KeyRing(settings.data_dir / FILE).signer(
        _subscriber_id(settings), settings.beckn_digest_label, settings.beckn_key_id, settings.beckn_network_id
    )
    print(signer.sign(_bytes(arguments.body), clock.now(), arguments.answers).header())
    return 0


def verify(arguments: argparse.Namespace, _settings: Settings, clock: Clock) -> int:
    """0 when the header signs the bytes of a file with the key given, 1 when it does not."""
    try:
        key = base64.b64decode(arguments.key, validate=True)
    except ValueError as error:
        raise InputError(
            "the key is not Base64", field="--key", value=arguments.key, remedy="Copy it from the registry's record."
        ) from error
    try:
        signature = Signature.parse(arguments.header)
        signature.require(_bytes(arguments.body), key, clock.now(), arguments.answers)
    except BadSignature as error:
        print(f"{error.code}: {error}")
        return 1
    print(f"{signature.key_id} signed these bytes")
    return 0


def _subscriber_id(settings: Settings) -> str:
    if settings.beckn_subscriber_id is None:
        raise InputError(
            "this server has no name in a Beckn network",
            field="BECKN_SUBSCRIBER_ID",
            remedy="Set BECKN_SUBSCRIBER_ID to the name under which the registry knows it, such as flex.example.org.",
        )
    return settings.beckn_subscriber_id


def _bytes(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})", field="body", value=str(path), remedy="Name a readable file."
        ) from error


def _told(subscriber_id: str, key: PublicKey) -> dict[str, object]:
    key_id = str(KeyId(subscriber_id, key.unique_key_id))
    return {"subscriber_id": subscriber_id, "key_id": key_id, **asdict(key), "made_at": format_utc(key.made_at)}


def _in_words(subscriber_id: str, key: PublicKey) -> str:
    state = "signs" if key.used else "does not sign; when the registry knows it: beckn keys --use " + key.unique_key_id
    return (
        f"keyId               {KeyId(subscriber_id, key.unique_key_id)}\n"
        f"signing_public_key  {key.signing_public_key}\n"
        f"made                {format_utc(key.made_at)}\n"
        f"state               {state}"
    )


ACTIONS: Mapping[str, Callable[[argparse.Namespace, Settings, Clock], int]] = {
    "keys": keys,
    "sign": sign,
    "verify": verify,
    "registry": serve_registry,
    "listen": listen,
    "outbox": outbox,
    "replay": replay,
    **trade.ACTIONS,
}
