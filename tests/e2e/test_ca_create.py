"""A CA more, after the ceremony: planned as data, its keys approved, its certificate by the offline root."""
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from harness import (Device, Gate, KEYWRIGHT, certs_in, csr_der, new_key, run, serial_hex, until, words)
from test_rotation import ask_ocsp, rotate_ca

PLANT = """name: plant
kind: issuing
issuer: root
subject_dn: ["O={organization}", "CN=Plant CA"]
key_alg: ec-p384
validity_hours: 43800
names: hosts
hosts: [plant.example, 10.9.8.7]
"""


def profile(gate, base, **changes):
    """A profile of the state folder, with other values."""
    lines = [line for line in (gate.state / f'profiles/{base}.yaml').read_text().splitlines()
             if line.split(':')[0] not in changes]
    text = '\n'.join(lines + [f'{key}: {value}' for key, value in changes.items()]) + '\n'
    (gate.state / f'profiles/{changes["name"]}.yaml').write_text(text)


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('more'), '--approver', 'bob', '--vertical', 'evse')
    one.start()
    done = one.cli('ca', 'create', 'plant', check=False)
    assert done.returncode == 3 and 'authorities' in words(done), words(done)
    (one.state / 'authorities/plant.yaml').write_text(PLANT)
    profile(one, 'ldevid', name='plant-unit', ca='plant', unlabelled='false')
    profile(one, 'tls-server', name='plant-server', ca='plant')
    one.stop()
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


@pytest.fixture(scope='module')
def request_file(gate, tmp_path_factory):
    """Two people decide, and the keeper makes the keys."""
    out = tmp_path_factory.mktemp('request') / 'plant.req'
    gate.approved('ca', 'create', 'plant')
    gate.cli('ca', 'create', 'plant', '--out', out)
    return out


def sign(gate, request, cert, check=True, offline=None):
    return run(KEYWRIGHT, 'ca', 'sign', request, '--offline', offline or gate.offline, '--out', cert, check=check)


def enrol(gate, device, label='plant-unit'):
    reply = gate.enrol(csr_der(new_key(), device.id), who=device.idevid, label=label)
    assert reply.status == 200, reply
    return certs_in(reply.body)[0]


def test_planned_it_harms_nothing(gate):
    """What is not made yet issues nothing and says so; all else goes on."""
    device = gate.device()
    reply = gate.enrol(csr_der(new_key(), device.id), who=device.idevid, label='plant-unit')
    assert reply.status == 404, reply
    assert 'plant' not in {one['id'] for one in gate.json('ca', 'list')['items']}


def test_refusals(gate, request_file, tmp_path):
    """Neither root nor server takes another CA than the one that is planned."""
    csr, place, authority = request_file.read_text().rsplit('\n', 3)[:3]
    altered = tmp_path / 'altered'
    wanted = json.loads(authority)
    for changes, word in (({'kind': 'root', 'issuer': ''}, 'issuing'), ({'names': 'all'}, 'names'),
                          ({'subject_dn': ['O={organization}', 'CN=Else']}, 'name'), ({'more': 1}, 'more')):
        altered.write_text('\n'.join([csr, place, json.dumps(wanted | changes), '']))
        done = sign(gate, altered, tmp_path / 'x.pem', check=False)
        assert done.returncode == 2 and word in words(done), words(done)
    altered.write_text(csr + '\n')
    assert sign(gate, altered, tmp_path / 'x.pem', check=False).returncode != 0
    altered.write_text('\n'.join([csr, place, json.dumps({k: v for k, v in wanted.items() if k != 'hosts'}
                                                         | {'names': 'any'}), '']))
    sign(gate, altered, tmp_path / 'any.pem')
    done = gate.cli('ca', 'install', tmp_path / 'any.pem', check=False)
    assert done.returncode == 2 and 'constraints' in words(done), words(done)
    few = tmp_path / 'few'
    few.mkdir()
    for name in ('root.pem', 'root.key.sealed', 'share-1.txt'):
        (few / name).write_bytes((gate.offline / name).read_bytes())
    done = sign(gate, request_file, tmp_path / 'x.pem', check=False, offline=few)
    assert done.returncode == 1 and 'share' in words(done), words(done)


def test_it_issues_and_answers(gate, request_file, tmp_path):
    """Installed, it is a CA like any other: without a restart, and after one."""
    cert_file = tmp_path / 'plant.pem'
    done = sign(gate, request_file, cert_file)
    assert 'Plant CA' in words(done) and 'plant.example' in words(done)
    gate.cli('ca', 'install', cert_file)
    assert gate.cli('ca', 'install', cert_file, check=False).returncode != 0
    done = gate.cli('ca', 'create', 'plant', check=False)
    assert done.returncode == 1 and 'rotate' in words(done), words(done)
    ca = x509.load_pem_x509_certificate(cert_file.read_bytes())
    names = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical and ca.public_key().curve.name == 'secp384r1'
    permitted = [str(one.value) for one in names.value.permitted_subtrees]
    assert 'plant.example' in permitted and '10.9.8.7/32' in permitted

    device = Device(gate)
    for _ in range(2):
        cert = enrol(gate, device)
        assert cert.issuer == ca.subject
        (tmp_path / 'leaf.pem').write_bytes(cert.public_bytes(Encoding.PEM))
        run('openssl', 'verify', '-x509_strict', '-CAfile', gate.root, '-untrusted', cert_file, tmp_path / 'leaf.pem')
        ask_ocsp(gate, cert, ca, 'plant')
        gate.cli('cert', 'revoke', f'plant/{serial_hex(cert)}', '--reason', 'superseded')

        def listed(serial=cert.serial_number):
            reply = gate.ask('relying', 'GET', '/crl/plant.crl')
            if reply.status == 503:
                return None  # the server has just started again: its list is being made
            crl = x509.load_der_x509_crl(reply.body)
            assert crl.is_signature_valid(ca.public_key())
            return crl.get_revoked_certificate_by_serial_number(serial)
        until('the CRL lists it', listed)
        gate.stop()
        gate.start()


def test_it_changes_its_key(gate, tmp_path):
    assert rotate_ca(gate, tmp_path, 'plant').subject == gate.cert('ca-plant').subject
    cert = enrol(gate, Device(gate))
    ask_ocsp(gate, cert, gate.cert('ca-plant.2'), 'plant.2')


def test_a_sub_ca_of_a_trade_changes_its_key(gate, tmp_path):
    """ISO 15118-2: Sub-CA 2 is certified by Sub-CA 1, whose key lies in a folder of its own; the root will not do."""
    device = Device(gate)
    before = enrol(gate, device, 'secc')
    request = tmp_path / 'cpo-sub2.req'
    gate.approved('ca', 'rotate', 'cpo-sub2')
    gate.cli('ca', 'rotate', 'cpo-sub2', '--out', request)
    done = sign(gate, request, tmp_path / 'x.pem', check=False)
    assert done.returncode == 1 and 'not by this issuer' in words(done), words(done)
    sign(gate, request, tmp_path / 'new.pem', offline=gate.offline / 'cpo-sub1')
    gate.cli('ca', 'install', tmp_path / 'new.pem')
    new = x509.load_pem_x509_certificate((tmp_path / 'new.pem').read_bytes())
    above = gate.cert('above-cpo-sub1')
    assert new.issuer == above.subject and new.subject == before.issuer
    assert (new.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
            == above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)
    after = enrol(gate, device, 'secc')
    (tmp_path / 'root.pem').write_bytes(gate.pem('above-v2g-root'))
    for leaf, ca in ((before, 'cpo-sub2'), (after, 'cpo-sub2.2')):
        (tmp_path / 'leaf.pem').write_bytes(leaf.public_bytes(Encoding.PEM))
        (tmp_path / 'chain.pem').write_bytes(gate.pem(f'ca-{ca}') + gate.pem('above-cpo-sub1'))
        run('openssl', 'verify', '-x509_strict', '-CAfile', tmp_path / 'root.pem', '-untrusted', tmp_path / 'chain.pem',
            tmp_path / 'leaf.pem')
        ask_ocsp(gate, leaf, gate.cert(f'ca-{ca}'), ca)


def test_a_name_is_one_cas(gate, tmp_path):
    """Another file with the subject of a CA that is there: refused before any key is made."""
    (gate.state / 'authorities/twin.yaml').write_text(PLANT.replace('name: plant', 'name: twin'))
    profile(gate, 'ldevid', name='twin-unit', ca='twin', unlabelled='false')
    gate.stop()
    gate.start()
    done = gate.cli('ca', 'create', 'twin', check=False)
    assert done.returncode == 1 and 'same subject' in words(done), words(done)
    assert 'ca-twin' not in {key['id'] for key in gate.json('key', 'list')['items']}
