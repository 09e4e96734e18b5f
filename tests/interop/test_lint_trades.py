"""Judges that we did not write look at what every profile of every trade issues; their CAs and CRLs: test_lint_all.py."""
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from harness import SOURCE, Device, Gate, certs_in, csr_der, need, new_key, run, words
from test_lint import lint, linters  # noqa: F401

sys.path.insert(0, str(SOURCE / 'tests/e2e'))
from test_issue import issue  # noqa: E402
from test_verticals import ALL, DEVICES, GRANTED, TREES  # noqa: E402


@pytest.fixture(scope='module')
def trades(tmp_path_factory):
    """A gate of all trades, and a certificate of each profile in a file."""
    gate = Gate(tmp_path_factory.mktemp('trades'), '--vertical', ALL)
    gate.start()
    gate.files = tmp_path_factory.mktemp('leaves')
    for profile in [*DEVICES, 'medical-device']:
        device = Device(gate)
        csr = csr_der(new_key(), device.id)
        reply = gate.enrol(csr, who=device.idevid, label=profile)
        if reply.status == 202:  # an officer decides about medical devices
            (waiting,) = gate.json('request', 'list')['items']
            gate.cli('request', 'approve', waiting['id'])
            reply = gate.enrol(csr, who=device.idevid, label=profile)
        assert reply.status == 200, reply
        (gate.files / f'{profile}.pem').write_bytes(certs_in(reply.body)[0].public_bytes(Encoding.PEM))
    for profile, options in GRANTED:
        cert = issue(gate, gate.files, profile, f'{profile}-1', *options)
        (gate.files / f'{profile}.pem').write_bytes(cert.public_bytes(Encoding.PEM))
    yield gate
    assert gate.stop() == 0, gate.log()[-3000:]


@pytest.mark.parametrize('profile', [*DEVICES, 'medical-device', *(one for one, _ in GRANTED)])
def test_leaves(trades, linters, profile):  # noqa: F811
    lint((f'{linters}/lint_pkix_cert', 'lint'), trades.files / f'{profile}.pem')


def test_strongswan(trades):
    """It takes CAs without name constraints (names: any); docs/PROFILES.md says why not the others."""
    if need('pki'):
        pytest.skip('strongswan-pki is not installed')
    chain, root = TREES['secc']
    said = run('pki', '--verify', '--in', trades.files / 'secc.pem', *(
        word for one in [*chain, root] for word in ('--ca', trades.state / f'certs/{one}.pem')), check=False)
    assert said.returncode == 0, words(said)
