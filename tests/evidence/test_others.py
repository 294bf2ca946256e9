"""Point 6, and the witness: what others sign is checked before it is kept, and their absence stops nothing."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import pytest
import requests
import responses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.publishing import Publisher
from audit.storage import beside
from audit.timestamp import check_stamp, request_stamp, stamp_path
from audit.verifier.notes import BadEvidence, Checkpoint, Key
from audit.verifier.tree import consistent
from audit.witness import Witness
from tests.unit.audit.samples import delivery, open_log

URL = "https://other.example"
CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = local authority
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamper]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[tsa]
default_tsa = tsa_one
[tsa_one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@pytest.fixture
def log(tmp_path):
    log = open_log(tmp_path / "decisions.jsonl")
    log.append("delivery", delivery())
    yield log
    log.close()


class Authority:
    """A time-stamping authority made with openssl."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tsa.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        new = "req -new -newkey rsa:2048 -nodes -config tsa.cnf"
        self._openssl(f"{new} -x509 -days 30 -extensions ca -keyout ca.key -out ca.pem -subj /CN=root")
        self._openssl(f"{new} -keyout tsa.key -out tsa.csr -subj /CN=stamper")
        signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile tsa.cnf -extensions stamper"
        self._openssl(f"x509 -req -in tsa.csr {signed} -out tsa.pem")
        self.roots = (folder / "ca.pem").read_bytes()

    def _openssl(self, line):
        subprocess.run(["openssl", *line.split()], cwd=self.folder, check=True, capture_output=True)

    def answer(self, request):
        (self.folder / "query.tsq").write_bytes(request.body)
        self._openssl("ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr")
        return 200, {"Content-Type": "application/timestamp-reply"}, (self.folder / "reply.tsr").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@responses.activate
def test_point_06_a_time_stamp_verifies_offline_with_a_pinned_root(log, authority, tmp_path_factory):
    responses.add_callback(responses.POST, URL, authority.answer)
    checkpoint = log.checkpoint()
    stamp = request_stamp(URL, checkpoint, authority.roots)
    responses.reset()
    assert check_stamp(stamp, checkpoint, authority.roots).tzinfo is not None
    log.append("delivery", delivery())
    with pytest.raises(BadEvidence, match="does not hold"):
        check_stamp(stamp, log.checkpoint(), authority.roots)
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    with pytest.raises(BadEvidence, match="does not hold"):
        check_stamp(stamp, checkpoint, stranger.roots)
    with pytest.raises(BadEvidence, match="does not hold"):
        check_stamp(stamp[:-1], checkpoint, authority.roots)


class FakeWitness:
    """A witness at the wire, after C2SP tlog-witness: it knows the log's key and what it cosigned last."""

    def __init__(self, log_vkey):
        self.private = Ed25519PrivateKey.generate()
        public = b"\x04" + self.private.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(b"witness.example\n" + public).digest()[:4]
        self.vkey = f"witness.example+{self.key_id.hex()}+{base64.b64encode(public).decode()}"
        self.log_key = Key.parse(log_vkey)
        self.size, self.root = 0, b""
        self.asked = []

    def answer(self, request):
        head, _, note = request.body.decode().partition("\n\n")
        old, *steps = head.split("\n")
        self.asked.append(old)
        checkpoint = Checkpoint.parse(note)
        checkpoint.require_signed([self.log_key])
        if int(old.removeprefix("old ")) != self.size:
            return 409, {"Content-Type": "text/x.tlog.size"}, f"{self.size}\n"
        path = [base64.b64decode(step) for step in steps]
        if self.size and not consistent(self.size, checkpoint.size, self.root, checkpoint.root, path):
            return 422, {}, ""
        self.size, self.root = checkpoint.size, checkpoint.root
        message = f"cosignature/v1\ntime 1772366400\n{checkpoint.text}".encode()
        signature = self.key_id + (1772366400).to_bytes(8, "big") + self.private.sign(message)
        return 200, {}, f"— witness.example {base64.b64encode(signature).decode()}\n".encode()


@responses.activate
def test_a_witness_cosigns_each_checkpoint_that_continues_the_last(log):
    fake = FakeWitness(log.vkey())
    responses.add_callback(responses.POST, f"{URL}/add-checkpoint", fake.answer)
    publisher = Publisher(log, Witness(URL, Key.parse(fake.vkey)), None)
    for _ in range(3):
        log.append("delivery", delivery())
        publisher.publish(log.checkpoint())
    fresh = Publisher(log, Witness(URL, Key.parse(fake.vkey)), None)
    log.append("delivery", delivery())
    fresh.publish(log.checkpoint())
    assert fake.asked == ["old 0", "old 2", "old 3", "old 0", "old 4"]
    cosigned = [each for each in log.checkpoints() if each.signers([Key.parse(fake.vkey)])]
    assert [each.size for each in cosigned] == [2, 3, 4, 5]
    keys = [Key.parse(log.vkey()), Key.parse(fake.vkey)]
    assert cosigned[-1].signers(keys) == [f"slackwater/{log.log_id}", "witness.example"]
    assert log.verify().ok


@responses.activate
def test_a_witness_that_fails_stops_nothing_and_is_reported(log):
    fake = FakeWitness(log.vkey())
    witness = Witness(URL, Key.parse(fake.vkey))
    responses.add(responses.POST, f"{URL}/add-checkpoint", body=requests.ConnectionError("gone"))
    with pytest.raises(BadEvidence, match="did not answer"):
        witness.cosign(log.checkpoint(), log.consistency)
    Publisher(log, witness, None).publish(log.checkpoint())
    responses.reset()
    responses.add(responses.POST, f"{URL}/add-checkpoint", status=403)
    with pytest.raises(BadEvidence, match="refused with status 403"):
        witness.cosign(log.checkpoint(), log.consistency)
    assert log.append("delivery", delivery()).seq == 1


@responses.activate
def test_what_is_signed_is_handed_on_in_the_background(log, authority):
    fake = FakeWitness(log.vkey())
    ca = authority.folder / "ca.pem"
    responses.add_callback(responses.POST, f"{URL}/add-checkpoint", fake.answer)
    responses.add_callback(responses.POST, URL, authority.answer)
    publisher = Publisher.start(log, witness_url=URL, witness_key=fake.vkey, timestamp_url=URL, timestamp_ca=ca)
    checkpoint = log.checkpoint()
    publisher.close()
    assert stamp_path(log.path, checkpoint).exists()
    assert "witness.example" in beside(log.path, ".checkpoints").read_text(encoding="utf-8")
    none = {"witness_url": None, "witness_key": None, "timestamp_url": None, "timestamp_ca": None}
    assert Publisher.start(log, **none) is None
