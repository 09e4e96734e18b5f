"""The server's keys are replaced while clients use it: no refused connection, no answer that does not verify."""
import csv
import io
import json
import ssl
import threading
import time
from xml.etree import ElementTree

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from harness import EST, KEYWRIGHT, Agent, Gate, certs_in, csr_der, new_key, pem_of, run, serial_hex, until, words

DAY_S = 86400


@pytest.fixture
def gate(tmp_path):
    one = Gate(tmp_path / 'gate', '--approver', 'bob').start()
    yield one
    one.stop()


class Loop:
    """A client that asks again and again; what it met beside success is kept."""

    def __init__(self, ask):
        self.ask, self.n, self.faults, self.stop = ask, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            try:
                self.ask()
                self.n += 1
            except Exception as fault:  # pylint: disable=broad-except
                self.faults.append(repr(fault))

    def end(self):
        self.stop.set()
        self.thread.join(20)
        assert not self.faults, self.faults[:3]
        return self.n


def wait_for(loop, n):
    end = time.monotonic() + 20
    start = loop.n
    while loop.n < start + n:
        assert time.monotonic() < end, loop.faults[:3]
        time.sleep(0.01)


def server_key(gate):
    """The public key of the certificate that the server shows now."""
    pem = ssl.get_server_certificate(('127.0.0.1', gate.ports[0]))
    return x509.load_pem_x509_certificate(pem.encode()).public_key().public_numbers()


def ask_ocsp(gate, cert, issuer, ca='devices'):
    """As a relying party: the answer's signer is delegated by the very key that issued the certificate."""
    query = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA256()).build()
    reply = gate.ask('relying', 'POST', f'/ocsp/{ca}', query.public_bytes(serialization.Encoding.DER),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    assert answer.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL, answer.response_status
    assert answer.certificate_status == ocsp.OCSPCertStatus.GOOD
    (signer,) = answer.certificates
    issuer.public_key().verify(signer.signature, signer.tbs_certificate_bytes, ec.ECDSA(signer.signature_hash_algorithm))
    signer.public_key().verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    return signer


def test_tls_key(gate):
    """New handshakes see the new certificate; a connection that is open lives on; nobody is refused."""
    device = gate.device()
    before = server_key(gate)
    kept = gate.connect('devices', device.ldevid)
    assert device.hello(connection=kept).status in (200, 204)
    loop = Loop(lambda: device.hello())
    wait_for(loop, 5)
    gate.cli('key', 'rotate', 'tls-server')
    wait_for(loop, 20)
    assert loop.end() > 20
    assert server_key(gate) != before
    assert device.hello(connection=kept).status in (200, 204)
    entries = [entry for _, entry in gate.log_entries() if entry['type'] == 'key.rotate']
    assert entries[-1]['object'] == 'key:tls-server.2' and entries[-1]['actor'] == 'operator:admin'


def test_ocsp_key(gate):
    device = gate.device()
    issuer = gate.cert('ca-devices')
    signers = set()

    def ask():
        signers.add(ask_ocsp(gate, device.ldevid.cert, issuer).public_key().public_numbers())

    loop = Loop(ask)
    wait_for(loop, 5)
    gate.cli('key', 'rotate', 'ocsp-devices')
    gate.cli('cert', 'revoke', serial_hex(device.idevid.cert))  # cached answers are made anew
    wait_for(loop, 20)
    loop.end()
    assert len(signers) == 2


def test_log_key(gate, tmp_path):
    """The first verifier key alone is enough, before, during and after the overlap."""
    vkey = gate.json('log', 'verify') and gate.ask('operators', 'GET', '/api/v1/log', who=gate.operator)
    first = json.loads(vkey.body)['vkey']

    def verify():
        gate.cli('log', 'verify', '--vkey', first)

    verify()
    gate.cli('key', 'rotate', 'log')
    verify()
    note = gate.ask('relying', 'GET', '/log/checkpoint').text
    assert note.count('\n\u2014 ') == 2
    gate.cli('key', 'deactivate', 'log', '--reason', 'test of the end of the overlap')
    verify()
    gate.cli('log', 'prove', '0', '--vkey', first)
    note = gate.ask('relying', 'GET', '/log/checkpoint').text
    assert note.count('\n\u2014 ') == 1
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    run(KEYWRIGHT, 'log', 'verify', tmp_path / 'log', '--vkey', first)
    (tmp_path / 'log/successor.2').write_text((tmp_path / 'log/successor.2').read_text().replace('A', 'B', 1))
    done = run(KEYWRIGHT, 'log', 'verify', tmp_path / 'log', '--vkey', first, check=False)
    assert done.returncode != 0
    gate.stop()
    gate.start()
    verify()


def test_by_time(gate, monkeypatch):
    """Two thirds of 90 days later the server has new keys, by itself."""
    before = server_key(gate)
    gate.stop()
    monkeypatch.setenv('KEYWRIGHT_TEST_CLOCK_OFFSET_S', str(61 * DAY_S))
    gate.start()
    end = time.monotonic() + 20
    while server_key(gate) == before:
        assert time.monotonic() < end, gate.log()[-2000:]
        time.sleep(0.1)
    states = {key['id']: key['state'] for key in gate.json('key', 'list')['items']}
    for key in ('tls-server.2', 'ocsp-devices.2', 'ocsp-services.2'):
        assert states.get(key) == 'active', states
    assert 'log.2' not in states


def test_revoked_key_is_followed(gate):
    """A stolen TLS key: revoked with its certificate, and the server goes on with another."""
    before = server_key(gate)
    old = gate.cert('tls-server')
    gate.approved('key', 'revoke', 'tls-server', '--reason', 'stolen')
    states = {key['id']: key['state'] for key in gate.json('key', 'list')['items']}
    assert states['tls-server'] == 'compromised'
    assert gate.json('cert', 'show', f'services/{serial_hex(old)}')['state'] == 'revoked'
    assert server_key(gate) != before


def test_own_certificates_that_are_revoked_go(gate):
    """A signer of OCSP answers, a TLS server whose certificate is revoked or on hold: the next key of its line does the work."""
    device, issuer = gate.device(), gate.cert('ca-devices')
    before, shown = ask_ocsp(gate, device.ldevid.cert, issuer), server_key(gate)
    gate.cli('cert', 'revoke', f'devices/{serial_hex(before)}', '--reason', 'keyCompromise')
    (server,) = gate.json('cert', 'list', '--profile', 'tls-server')['items']
    gate.cli('cert', 'hold', server['fingerprint'])
    gate.cli('key', 'rotate', 'cmp-signer')  # all lines are looked after with it; else within ten seconds
    after = ask_ocsp(gate, device.ldevid.cert, issuer)
    assert after.serial_number != before.serial_number
    assert after.public_key().public_numbers() != before.public_key().public_numbers()
    assert server_key(gate) != shown
    states = {c['serial']: c['state'] for c in gate.json('cert', 'list', '--ca', 'devices', '--profile', 'ocsp-signer')['items']}
    assert states == {serial_hex(before): 'revoked', serial_hex(after): 'valid'}
    gate.cli('key', 'rotate', 'ocsp-services')
    assert ask_ocsp(gate, device.ldevid.cert, issuer) == after, 'once is enough'


def test_verbs_and_refusals(gate):
    """Each verb has its place in the key's life, and says why not."""
    for args, word in (
            (('key', 'suspend', 'log'), 'reason'),
            (('key', 'rotate', 'nobody'), 'nobody'),
            (('key', 'activate', 'log', '--reason', 'x'), 'active'),
            (('key', 'create', 'new-kek', '--class', 'root-ca'), 'root-ca'),
            (('key', 'create', 'new-kek', '--class', 'no-such'), 'no-such')):
        done = gate.cli(*args, check=False)
        assert done.returncode != 0 and word in words(done), words(done)
    gate.cli('key', 'rotate', 'ocsp-services')
    done = gate.cli('key', 'rotate', 'ocsp-services', check=False)
    assert done.returncode == 1 and 'ocsp-services.2' in words(done), words(done)
    gate.cli('key', 'suspend', 'ocsp-services', '--reason', 'drill')
    gate.cli('key', 'activate', 'ocsp-services', '--reason', 'drill over')
    gate.cli('key', 'deactivate', 'ocsp-services', '--reason', 'replaced')
    assert gate.json('key', 'show', 'ocsp-services')['state'] == 'deactivated'


# --- a CA changes its key ---------------------------------------------------------------------------

def sign_ca(gate, folder, ca='devices'):
    """The CA's next certificate, which the root signed: to be installed."""
    request, cert = folder / f'{ca}.req', folder / f'{ca}.new.pem'
    gate.approved('ca', 'rotate', ca)
    gate.cli('ca', 'rotate', ca, '--out', request)
    run(KEYWRIGHT, 'ca', 'sign', request, '--offline', gate.offline, '--out', cert)
    return cert


def rotate_ca(gate, folder, ca='devices'):
    cert = sign_ca(gate, folder, ca)
    gate.cli('ca', 'install', cert)
    return x509.load_pem_x509_certificate(cert.read_bytes())


def verify(leaf, *options):
    return run('openssl', 'verify', *options, leaf, check=False)


def test_ca_key(gate, tmp_path):
    """Devices enrolled before renew over the roll-over; both keys' certificates are good everywhere."""
    device, secret = gate.register()
    agent = Agent(gate, tmp_path / 'agent', device)
    agent.put_secret(secret)
    agent.enrol()
    old_device = gate.device()
    old_ca = gate.cert('ca-devices')
    loop = Loop(lambda: old_device.hello())
    wait_for(loop, 5)
    new_ca = rotate_ca(gate, tmp_path)
    wait_for(loop, 5)
    assert loop.end() > 10
    assert new_ca.subject == old_ca.subject
    assert new_ca.public_key().public_numbers() != old_ca.public_key().public_numbers()
    for kind in (x509.ExtendedKeyUsage, x509.BasicConstraints, x509.KeyUsage):
        assert (new_ca.extensions.get_extension_for_class(kind).value
                == old_ca.extensions.get_extension_for_class(kind).value)

    # an agent from before: renews, by the new key, and is known with it
    before = agent.cert('ldevid')
    agent.do('renew', '--force')
    agent.do('hello')
    agent.do('hello', '--with', 'previous')
    renewed = agent.cert('ldevid')
    assert renewed.serial_number != before.serial_number
    aki = renewed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ski = new_ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert aki == ski

    # foreign devices: the old one renews, a new one enrols
    assert old_device.hello().status in (200, 204)
    old_device.renew()
    assert old_device.hello().status in (200, 204)
    fresh = gate.device()
    assert fresh.hello().status in (200, 204)

    # OCSP of either key, by a signer that this very key has delegated
    ask_ocsp(gate, old_device.previous.cert, old_ca, 'devices')
    ask_ocsp(gate, fresh.ldevid.cert, new_ca, 'devices.2')

    # CRLs of either key list what any of them issued
    gate.cli('cert', 'revoke', f'devices/{serial_hex(old_device.previous.cert)}', '--reason', 'keyCompromise')
    gate.cli('cert', 'revoke', f'devices.2/{serial_hex(fresh.ldevid.cert)}', '--reason', 'keyCompromise')
    for name, ca in (('devices', old_ca), ('devices.2', new_ca)):
        def listed(name=name, ca=ca):
            crl = x509.load_der_x509_crl(gate.ask('relying', 'GET', f'/crl/{name}.crl').body)
            assert crl.is_signature_valid(ca.public_key())
            return all(crl.get_revoked_certificate_by_serial_number(cert.serial_number)
                       for cert in (old_device.previous.cert, fresh.ldevid.cert))
        until(f'CRL of {name} lists both', listed)

    # EST hands out both keys and the cross certificates, and openssl finds its way by them
    certs = certs_in(gate.ask('devices', 'GET', f'{EST}/cacerts').body)
    assert len(certs) == 6  # devices, devices.2, services, two crosses, root
    cross = tmp_path / 'cross.pem'
    der = gate.ask('relying', 'GET', '/ca/cross-devices.2-by-devices.cer').body
    cross.write_bytes(pem_of(der))
    (tmp_path / 'old.pem').write_bytes(gate.pem('ca-devices'))
    (tmp_path / 'new.pem').write_bytes(gate.pem('ca-devices.2'))
    leaf = old_device.ldevid.cert_file
    assert verify(leaf, '-x509_strict', '-CAfile', gate.root, '-untrusted', tmp_path / 'new.pem').returncode == 0
    assert verify(leaf, '-partial_chain', '-trusted', tmp_path / 'old.pem').returncode != 0
    assert verify(leaf, '-partial_chain', '-trusted', tmp_path / 'old.pem', '-untrusted', cross).returncode == 0
    other = tmp_path / 'other.pem'
    other.write_bytes(pem_of(gate.ask('relying', 'GET', '/ca/cross-devices-by-devices.2.cer').body))
    assert verify(old_device.previous.cert_file, '-partial_chain', '-trusted', tmp_path / 'new.pem', '-untrusted',
                  other).returncode == 0

    # all that over a restart
    gate.stop()
    gate.start()
    assert old_device.hello().status in (200, 204)
    states = {one['id'] for one in gate.json('ca', 'list')['items']}
    assert {'devices', 'devices.2', 'services', 'root'} == states


def test_the_key_after_a_revoked_one_of_a_ca(gate, tmp_path):
    """A key that was revoked vouches for none, and none for it."""
    gate.approved('key', 'revoke', 'ca-devices', '--reason', 'stolen')
    rotate_ca(gate, tmp_path)
    gate.device()
    assert not list((gate.state / 'certs').glob('cross-devices*'))


def test_ca_key_in_another_vault_than_its_ocsp_signer(tmp_path):
    """The vault that answers for the CA learns of the CA's next key by the old key's word."""
    apart = tmp_path / 'vaults.yaml'
    apart.write_text('vaults:\n  - name: "issuing"\n    unlock: "passphrase-file:keeper.passphrase"\n    keys: ["ca-*"]\n')
    gate = Gate(tmp_path / 'gate', '--approver', 'bob', '--vaults', apart).start()
    before, old_ca = gate.device(), gate.cert('ca-devices')
    new_ca = rotate_ca(gate, tmp_path)
    after = gate.device()
    for _ in range(2):  # as it was taught, and as it remembers
        ask_ocsp(gate, before.ldevid.cert, old_ca, 'devices')
        ask_ocsp(gate, after.ldevid.cert, new_ca, 'devices.2')
        assert gate.stop() == 0
        gate.start()
    gate.cli('key', 'rotate', 'ocsp-devices')  # its next key is delegated by both
    ask_ocsp(gate, before.ldevid.cert, old_ca, 'devices')
    ask_ocsp(gate, after.ldevid.cert, new_ca, 'devices.2')
    assert gate.stop() == 0


def test_ca_refusals(gate, tmp_path):
    """What the root or the server must not take."""
    request = tmp_path / 'req.pem'
    gate.approved('ca', 'rotate', 'devices')
    gate.cli('ca', 'rotate', 'devices', '--out', request)
    again = tmp_path / 'again.pem'
    gate.cli('ca', 'rotate', 'devices', '--out', again)  # the same key: the rotation is under way
    parts = [part.read_text().split('-----END CERTIFICATE REQUEST-----', 1) for part in (request, again)]
    keys = {x509.load_pem_x509_csr((part[0] + '-----END CERTIFICATE REQUEST-----\n').encode()).public_key()
            .public_numbers() for part in parts}
    assert len(keys) == 1
    few = tmp_path / 'few'
    few.mkdir()
    for name in ('root.pem', 'root.key.sealed', 'share-1.txt'):
        (few / name).write_bytes((gate.offline / name).read_bytes())
    done = run(KEYWRIGHT, 'ca', 'sign', request, '--offline', few, '--out', tmp_path / 'x.pem', check=False)
    assert done.returncode == 1 and 'share' in words(done), words(done)
    request.write_text(parts[0][0] + '-----END CERTIFICATE REQUEST-----\n' + gate.pem('ca-services').decode())
    done = run(KEYWRIGHT, 'ca', 'sign', request, '--offline', gate.offline, '--out', tmp_path / 'x.pem', check=False)
    assert done.returncode == 2 and 'name' in words(done), words(done)
    for name in ('ca-devices', 'root', 'tls-server'):
        done = gate.cli('ca', 'install', gate.state / f'certs/{name}.pem', check=False)
        assert done.returncode in (1, 2), words(done)
    assert gate.device().hello().status in (200, 204)  # the present key issues on


def test_destruction(gate):
    """Two people destroy a key; its statement is signed, its id never comes back, its table says so."""
    gate.cli('key', 'rotate', 'ocsp-services')
    gate.cli('key', 'deactivate', 'ocsp-services', '--reason', 'replaced')
    gate.approved('key', 'destroy', 'ocsp-services', '--reason', 'end of life')
    text = gate.ask('operators', 'GET', '/api/v1/keys/ocsp-services/destruction', who=gate.operator).text
    assert 'ocsp-services' in text
    table = gate.json('key', 'lifecycle', 'ocsp-services')
    cells = {row['column']: row for row in table['rows']}
    assert table['state'] == 'destroyed' and 'end of life' in cells['destruction.date']['value']
    assert cells['destruction.proof']['value']
    assert gate.cli('key', 'activate', 'ocsp-services', '--reason', 'x', check=False).returncode != 0
    assert [entry for _, entry in gate.log_entries()
            if entry['type'] == 'key.destroy' and entry['object'] == 'key:ocsp-services']


# --- the lifecycle table ----------------------------------------------------------------------------

def test_lifecycle(gate, tmp_path):
    """Every column has a value or says why not; the picture is XML in both languages and speaks of this key."""
    gate.cli('key', 'rotate', 'tls-server')
    table = gate.json('key', 'lifecycle', 'tls-server')
    cells = {row['column']: row for row in table['rows']}
    assert len(cells) == len(table['rows']) > 40
    assert all(row['value'] or row['why'] for row in table['rows'])
    assert table['empty'] == sum(not row['value'] for row in table['rows']) > 0
    assert cells['rotation.line']['value'] == 'before: -; after: tls-server.2'
    assert 'active' in cells['history']['value']
    text = gate.cli('key', 'lifecycle', 'tls-server').stdout
    assert text.count('[EMPTY') == table['empty']
    for lang, word in (('en', 'Generate'), ('zh-TW', '\u7522\u751f')):
        svg = gate.cli('key', 'lifecycle', 'tls-server', '--format', 'svg', '--lang', lang).stdout
        texts = [node.text for node in ElementTree.fromstring(svg).iter('{http://www.w3.org/2000/svg}text')]
        assert word in texts and any('tls-server' in one for one in texts)
        mermaid = gate.cli('key', 'lifecycle', 'tls-server', '--format', 'mermaid', '--lang', lang).stdout
        assert mermaid.splitlines()[3] == 'flowchart LR' and word in mermaid
    rows = list(csv.reader(io.StringIO(gate.cli('key', 'lifecycle', '--all', '--format', 'csv').stdout)))
    assert len({len(row) for row in rows}) == 1
    assert {row[0] for row in rows[1:]} >= {'ca-devices', 'log', 'tls-server', 'tls-server.2'}
    out = tmp_path / 'all.svg'
    gate.cli('key', 'lifecycle', '--class', 'tls-server', '--format', 'svg', '--out', out)
    assert 'tls-server 2' in out.read_text()
    for args in ((), ('nobody',), ('log', '--lang', 'fr'), ('log', '--format', 'pdf')):
        assert gate.cli('key', 'lifecycle', *args, check=False).returncode in (2, 3)


def test_pages_of_keys(gate):
    """No page is longer than was asked for, and page by page nothing is left out or told twice."""
    for _ in range(4):
        device, secret = gate.register()
        assert gate.enrol(csr_der(new_key(), ''), secret=(device, secret)).status == 200
    whole = [key['id'] for key in gate.json('key', 'list')['items']]
    for max_ in (1, 3, 100):
        paged, after = [], ''
        while True:
            page = json.loads(gate.operators_get(f'/api/v1/keys?max={max_}{after}').body)
            assert len(page['items']) <= max_
            paged += [key['id'] for key in page['items']]
            if not page.get('next'):
                break
            after = '&after=' + page['next']
        assert paged == whole and len(set(paged)) == len(paged)
    for bad in ('keeper.', 'keeper.x', 'keeper.-1', 'keeper.99999999999999999999', 'x'):
        assert gate.operators_get(f'/api/v1/keys?after={bad}').status == 400, bad


def test_ca_key_with_its_ocsp_signer_in_another_vault(tmp_path):
    """The keeper of the OCSP signers learns of the CA's next key by the word of the one before; where it was sealed, later."""
    vaults = tmp_path / 'vaults.yaml'
    vaults.write_text(''.join(f'  - name: "{name}"\n    unlock: "passphrase-file:keeper.passphrase"\n    keys: ["{keys}"]\n'
                              for name, keys in (('issuing', 'ca-*'), ('answering', 'ocsp-*'))).join(('vaults:\n', '')))
    gate = Gate(tmp_path / 'own', '--vaults', vaults, '--approver', 'bob')
    gate.start()
    old, cas = gate.device(), [gate.cert('ca-devices')]
    next_ = sign_ca(gate, tmp_path)
    gate.cli('vault', 'seal', 'answering')
    assert gate.cli('ca', 'install', next_, check=False).returncode == 4
    assert serial_hex(certs_in(gate.enrol(csr_der(new_key(), old.id), who=old.idevid).body)[0]), 'the old key issues meanwhile'
    run(KEYWRIGHT, 'vault', 'open', 'answering', '--state', gate.state)
    until('it is installed', lambda: gate.cli('ca', 'install', next_, check=False).returncode == 0)
    cas.append(x509.load_pem_x509_certificate(next_.read_bytes()))
    again = gate.cli('ca', 'install', next_, check=False)
    assert again.returncode == 1 and 'in use already' in words(again)
    new = gate.device()
    issued = [device.ldevid.cert for device in (old, new)]

    def answers():
        signers = [ask_ocsp(gate, cert, ca, name) for cert, ca, name in zip(issued, cas, ('devices', 'devices.2'))]
        assert len({signer.public_key().public_numbers() for signer in signers}) == 1, 'one key, delegated by each of the CA\'s'
    answers()
    gate.cli('key', 'rotate', 'ocsp-devices')  # the next signer of the line is for both as well
    gate.cli('vault', 'seal', 'issuing')
    answers()
    run(KEYWRIGHT, 'vault', 'open', 'issuing', '--state', gate.state)
    gate.stop()
    for name in ('cross-devices.2-by-devices', 'cross-devices-by-devices.2'):  # as where the install was cut
        (gate.state / f'certs/{name}.pem').unlink()
    gate.start()
    answers()
    gate.cli('ca', 'install', next_)
    assert gate.cert('cross-devices.2-by-devices').public_key().public_numbers() == cas[1].public_key().public_numbers()
    assert gate.cli('ca', 'install', next_, check=False).returncode == 1
    assert new.hello().status in (200, 204)
    assert gate.stop() == 0
