"""The keeper's reading of TUF metadata against securesystemslib, whose encoder made it."""
import json
import subprocess

import pytest
from harness import BUILD, SOURCE

PROBE = BUILD / 'tests/unit/keeper/probe_tuf'

# Runs where python-tuf is: writes bodies as python-tuf has them signed, and then those that it would never write.
WRITER = r'''
import datetime, json, pathlib, random, sys
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (DelegatedRole, Delegations, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp)
from tuf.api.serialization.json import CanonicalJSONSerializer

out = pathlib.Path(sys.argv[1])
rng = random.Random(7)
expires = datetime.datetime(2027, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
right, wrong = [], []


def put(kind, body):
    path = out / f'{kind}{len(right) + len(wrong)}'
    path.write_bytes(body)
    (right if kind == 'right' else wrong).append(str(path))


root = Root(version=3, expires=expires)
for signer in (CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa()):
    root.add_key(signer.public_key, 'root')
snapshot = Snapshot(version=12, expires=expires)
timestamp = Timestamp(version=99999, expires=expires, snapshot_meta=MetaFile(12, 515, {'sha256': '00' * 32}))
targets = Targets(version=1, expires=expires)
for name in ('a"b', 'back\\slash', 'é', '以軟體', 'z/1', 'Z', '\U0001f512', '~'):
    targets.targets[name] = TargetFile.from_data(name, b'x', ['sha256'])
targets.delegations = Delegations({}, {'fw': DelegatedRole('fw', [], 1, True, paths=['fw/*'])})
for signed in (root, snapshot, timestamp, targets):
    put('right', CanonicalJSONSerializer().serialize(signed))


def value(depth):
    kind = rng.randrange(7 if depth < 8 else 5)
    if kind < 2:
        return ''.join(rng.choice('ab"\\/\n\té以\U0001f512 {}[],:') for _ in range(rng.randrange(9)))
    if kind < 5:
        return rng.choice([0, 1, -1, True, False, None, rng.randrange(10**12), -rng.randrange(10**30)])
    if kind == 5:
        return [value(depth + 1) for _ in range(rng.randrange(4))]
    return {str(value(9)): value(depth + 1) for _ in range(rng.randrange(5))}


def same(body):
    """Would the encoder write exactly this? Canonical JSON is JSON but for raw control characters."""
    try:
        read = json.loads(body.decode(), strict=False)
        return encode_canonical(read).encode() == body
    except Exception:
        return False


for _ in range(400):
    body = dict(timestamp.to_dict(), extra=value(0))
    octets = encode_canonical(body).encode()
    put('right', octets)
    at = rng.randrange(len(octets))
    bad = rng.choice([octets[:at] + octets[at + 1:], octets[:at] + b' ' + octets[at:],
                      octets[:at] + bytes([rng.randrange(256)]) + octets[at + 1:], octets + octets[at:],
                      json.dumps(body).encode(), json.dumps(body, separators=(',', ':')).encode()])
    if not same(bad):
        put('wrong', bad)
print(json.dumps({'right': right, 'wrong': wrong}))
'''


@pytest.fixture(scope='module')
def bodies(tmp_path_factory):
    done = subprocess.run([SOURCE / 'tools/interop'], capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    folder = tmp_path_factory.mktemp('tuf')
    made = subprocess.run([f'{done.stdout.strip()}/python', '-c', WRITER, folder], capture_output=True, text=True,
                          check=False, timeout=120)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def verdicts(paths):
    done = subprocess.run([PROBE, *paths], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths)
    return lines


def test_what_python_tuf_writes_is_taken(bodies):
    lines = verdicts(bodies['right'])
    assert all(line.startswith('taken ') for line in lines), [p for p, v in zip(bodies['right'], lines, strict=True)
                                                              if not v.startswith('taken ')]
    assert lines[:4] == ['taken root 3 2027-01-02T03:04:05Z', 'taken snapshot 12 2027-01-02T03:04:05Z',
                         'taken timestamp 99999 2027-01-02T03:04:05Z', 'taken targets 1 2027-01-02T03:04:05Z']


def test_what_it_would_not_write_is_refused(bodies):
    assert len(bodies['wrong']) > 200
    lines = verdicts(bodies['wrong'])
    taken = [p for p, v in zip(bodies['wrong'], lines, strict=True) if v.startswith('taken ')]
    assert not taken, taken
