"""``audit``: check the decision log offline, and what an auditor needs for that."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from audit.build import git_sha
from audit.bundle import verifier_source
from audit.envelope import json_schemas
from audit.keys import read_vkeys
from audit.log import AuditLog
from audit.proofs import consistency_proof, inclusion_proof
from audit.record import Build
from audit.scanner import scan_records
from audit.timestamp import Attested, check_stamps, read_authorities
from audit.vault import Vault
from audit.verifier.cli import in_words
from audit.verifier.files import Verification, parts_of
from audit.verifier.notes import BadEvidence, Checkpoint, Key, decoded, read_checkpoints, shown
from audit.verifier.proof_file import check_proof
from audit.verify import records_in, verify
from commands.keeping import keeping_of, log_path
from core.clock import SystemClock
from core.errors import InputError
from core.settings import Settings
from core.slots import format_utc
from store.repositories import Repositories


@contextmanager
def _opened(arguments: argparse.Namespace, settings: Settings) -> Iterator[AuditLog]:
    """The log, open for writing: while a server has it open, that is refused."""
    build = Build("command line", git_sha(Path(__file__).parents[1]), settings.config_sha256)
    path, keeping = log_path(settings, arguments.log), keeping_of(settings)
    with closing(AuditLog.open(path, clock=SystemClock(), build=build, keeping=keeping)) as log:
        yield log


def verify_log(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 when every line, and every proof and time-stamp asked for, verifies, 1 when one does not."""
    path = log_path(settings, arguments.log)
    authorities = read_authorities(arguments.tsa_ca) if arguments.tsa_ca else None
    try:
        keys = [Key.parse(vkey) for vkey in arguments.key or read_vkeys(path)]
        held = [each for file in arguments.checkpoint for each in read_checkpoints(decoded(file.read_bytes()))]
        for proof in arguments.proof:
            own = "" if arguments.key else "no auditor's key given, the keys were taken from beside the log; "
            print(shown(f"{proof}: {own}{check_proof(decoded(proof.read_bytes()), keys)}"))
    except BadEvidence as error:
        print(shown(str(error)))
        return 1
    result = _with_bar(path, held, keys, arguments)
    stamps = check_stamps(path, authorities) if authorities and result.ok else None
    if arguments.json:
        print(json.dumps(asdict(result) | ({} if stamps is None else {"timestamps": list(map(_stamp_fields, stamps))})))
    else:
        for line in [in_words(path, result), *([] if stamps is None else _stamps_in_words(path, stamps))]:
            print(shown(line))
    hold = stamps is None or (bool(stamps) and not any(stamp.fault for stamp in stamps))
    return 0 if result.ok and hold else 1


def _with_bar(
    path: Path, held: Sequence[Checkpoint], keys: Sequence[Key], arguments: argparse.Namespace
) -> Verification:
    """Verify the log, with a bar of how far that is."""
    size = sum(part.stat().st_size for part in parts_of(path))
    with tqdm(total=size, unit="B", unit_scale=True, disable=arguments.json, leave=False) as bar:

        def show(done_bytes: int, _all_bytes: int) -> None:
            bar.update(done_bytes - bar.n)

        return verify(path, progress=show, held=held, keys=keys, keys_given=bool(arguments.key))


def _stamp_fields(stamp: Attested) -> dict[str, int | str | None]:
    return {"size": stamp.size, "at": None if stamp.at is None else format_utc(stamp.at), "fault": stamp.fault}


def _stamps_in_words(path: Path, stamps: Sequence[Attested]) -> Iterator[str]:
    """What the time-stamps say, a line each; what to do about one that does not hold, and where there is none."""
    if not stamps:
        yield f"no time-stamp lies beside {path}: copy {path.name}.tsr-* too, or set TIMESTAMP_URL to have new ones"
    for size, at, fault in stamps:
        if at is None:
            yield f"{fault}; compare --tsa-ca with the root that the authority publishes, then ask for the file anew"
        else:
            yield f"the checkpoint of {size} records existed at {format_utc(at)}"


def keys(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the verifier keys, the present one last; with ``--rotate`` change it first; 0."""
    if arguments.rotate or not read_vkeys(log_path(settings, arguments.log)):
        with _opened(arguments, settings) as log:
            if arguments.rotate:
                log.rotate_key()
            else:
                log.vkey()
    print("\n".join(read_vkeys(log_path(settings, arguments.log))))
    return 0


def prove(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a proof to a file or to standard output; 0."""
    if (arguments.seq is None) == (arguments.consistency is None):
        raise InputError("give a record's number, or --consistency with an older size", field="SEQ")
    with _opened(arguments, settings) as log:
        if arguments.seq is None:
            text = consistency_proof(log, arguments.consistency)
        else:
            text = inclusion_proof(log, arguments.seq)
    return _give(arguments.out, text)


def verifier(arguments: argparse.Namespace, _settings: Settings) -> int:
    """Write the offline verifier as one file; 0."""
    return _give(arguments.out, verifier_source())


def _give(out: Path | None, text: str) -> int:
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
        print(f"written to {out}")
    return 0


def erase(arguments: argparse.Namespace, settings: Settings) -> int:
    """Record that a value is erased, and erase it; 0."""
    with _opened(arguments, settings) as log:
        record = log.erase(arguments.field, arguments.value, arguments.why)
    print(f"record {record.seq}: commitment {record.body['commitments'][0]} cannot be opened any more")
    return 0


def scan(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 when no record says a meter identifier or a name of the vault or the store in clear, 1 when one does."""
    path, store = log_path(settings, arguments.log), Repositories.at(settings.resolved_database_url)
    with closing(Vault(path)) as vault, closing(store.database):
        names = vault.values()
        jobs, _ = store.jobs.find(limit=sum(store.jobs.counts().values()))
        for job in jobs:
            names += [("job name", job.job_name), ("tenant", job.tenant)]
        found = list(scan_records(records_in(path), [pair for pair in names if pair[1] != "default"]))
    for finding in found:
        print(f"record {finding.seq} says a {finding.what} in clear at {finding.path}")
    print(f"{path}: {len(found)} places say what they should only commit to")
    return 1 if found else 0


def write_schemas(arguments: argparse.Namespace, _settings: Settings) -> int:
    """Write the JSON Schema of each kind of record into a folder; 0."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    for kind, schema in json_schemas().items():
        path = arguments.out / f"{kind}.json"
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(json_schemas())} schemas written to {arguments.out}")
    return 0


ACTIONS: Mapping[str, Callable[[argparse.Namespace, Settings], int]] = {
    "verify": verify_log,
    "keys": keys,
    "prove": prove,
    "verifier": verifier,
    "erase": erase,
    "scan": scan,
    "schemas": write_schemas,
}
