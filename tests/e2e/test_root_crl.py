"""What a root takes back: its CRL is made where its key is, renewed there, and never forgets."""
import datetime
import json
import shutil
import sqlite3

import pytest
from cmp_messages import Client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from harness import EST, KEYWRIGHT, Gate, certs_in, csr_der, fingerprint, new_key, run, spki, until, words
from test_backup import quiet
from test_rotation import rotate_ca


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('root-crl')).start()
    yield one
    assert one.stop() == 0


def fetch(gate, path, name='root'):
    """As it is served: DER."""
    reply = gate.curl('relying', f'/crl/{name}.crl')
    assert reply.status == 200, reply
    path.write_bytes(reply.body)
    return path


def next_list(gate, last, out, *options, check=True):
    """In the ceremony's room: no server."""
    out.unlink(missing_ok=True)
    return run(KEYWRIGHT, 'ca', 'crl', last, '--offline', gate.offline, '--out', out, *options, check=check)


def served(gate):
    crl = x509.load_der_x509_crl(gate.curl('relying', '/crl/root.crl').body)
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, {one.serial_number for one in crl}


def verify(gate, folder, leaf, ca):
    """OpenSSL, with the lists of the root and of the CA."""
    lists = folder / 'lists.pem'
    lists.write_bytes(b''.join(run('openssl', 'crl', '-inform', 'DER', '-in', fetch(gate, folder / 'one', name), text=False).stdout
                               for name in ('root', ca)))
    return run('openssl', 'verify', '-crl_check_all', '-CAfile', gate.root, '-untrusted', gate.state / f'certs/ca-{ca}.pem',
               '-CRLfile', lists, leaf, check=False)


def test_a_ca_is_taken_back(gate, tmp_path):
    device, devices, services = gate.device(), gate.state / 'certs/ca-devices.pem', gate.state / 'certs/ca-services.pem'
    last, again, more = fetch(gate, tmp_path / 'last.crl'), tmp_path / 'again.pem', tmp_path / 'more.pem'
    assert served(gate) == (1, set()) and verify(gate, tmp_path, device.ldevid.cert_file, 'devices').returncode == 0
    # renewed: nothing else changes
    next_list(gate, last, again)
    assert gate.json('ca', 'install', again)['number'] == 2 and served(gate) == (2, set())
    # taken back
    said = next_list(gate, again, more, '--revoke', devices, '--reason', 'cACompromise').stderr
    assert 'CRL 3' in said and 'taken back: ' in said
    shown = gate.json('ca', 'install', more)
    assert (shown['id'], shown['number'], shown['entries']) == ('root', 3, 1)
    assert served(gate) == (3, {gate.cert('ca-devices').serial_number})
    done = verify(gate, tmp_path, device.ldevid.cert_file, 'devices')
    assert done.returncode != 0 and 'revoked' in words(done)
    assert verify(gate, tmp_path, gate.operator.cert_file, 'services').returncode == 0, 'another CA is not concerned'
    assert [e for _, e in gate.log_entries() if e['type'] == 'root.crl'][-1]['detail'].startswith('CRL 3 with 1 entries')
    done = gate.cli('doctor', check=False)
    assert done.returncode == 5 and 'it issues nothing: the list of \'root\' takes it back; give it another key: keywright ca rotate devices' in done.stdout
    # what is not taken
    for args, why in (((more, '--revoke', devices), 'on the list already'), ((more, '--revoke', gate.root), 'does not revoke itself'),
                      ((more, '--revoke', device.ldevid.cert_file), 'not issued by'), ((more, '--reason', 'superseded'), 'goes with'),
                      ((more, '--revoke', services, '--reason', 'certificateHold'), 'no reason for a final'),
                      ((fetch(gate, tmp_path / 'other', 'devices'),), 'not of the CA'), ((devices,), 'no CRL')):
        done = next_list(gate, args[0], tmp_path / 'none', *args[1:], check=False)
        assert done.returncode in (1, 2) and why in done.stderr and not (tmp_path / 'none').exists(), words(done)
    assert gate.json('ca', 'install', more)['number'] == 3, 'the same again ends what was cut'
    done = gate.cli('ca', 'install', again, check=False)
    assert done.returncode == 1 and 'served already' in done.stderr
    next_list(gate, again, tmp_path / 'three')
    next_list(gate, tmp_path / 'three', tmp_path / 'four')
    done = gate.cli('ca', 'install', tmp_path / 'four', check=False)
    assert done.returncode == 1 and 'it lacks a certificate' in done.stderr
    assert served(gate) == (3, {gate.cert('ca-devices').serial_number})


def test_yesterdays_store_serves_no_older_list(own_gate, tmp_path):
    """What the root took back since the copy of the store: the log knows that there was a list, and only that one is served."""
    gate = own_gate
    newer = tmp_path / 'newer.pem'
    next_list(gate, fetch(gate, tmp_path / 'last'), newer, '--revoke', gate.state / 'certs/ca-devices.pem')
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    gate.cli('ca', 'install', newer)
    quiet(gate)  # nothing is signed behind the export
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()
    shutil.rmtree(gate.state / 'store')
    shutil.copytree(tmp_path / 'yesterday', gate.state / 'store')
    run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'log')
    gate.start()
    reply = gate.curl('relying', '/crl/root.crl')
    assert reply.status == 503, reply
    assert 'list 2 of \'root\' was lost with a restore' in gate.cli('doctor', check=False).stdout
    gate.cli('ca', 'install', newer)
    assert served(gate) == (2, {gate.cert('ca-devices').serial_number})


def refused(gate, tmp_path, device, client):
    """Every way to a device's certificate where their CA was taken back, and what each says."""
    (new, secret), (other, other_secret) = gate.register(), gate.register(None, '--cmp')
    before = gate.counts('certificates|public_keys')
    for reply in (gate.enrol(csr_der(new_key(), device.id), who=device.idevid),
                  gate.enrol(csr_der(new_key(), device.id), who=device.ldevid, verb='simplereenroll'),
                  gate.enrol(csr_der(new_key(), new), secret=(new, secret))):
        assert reply.status == 409 and 'bad_state' in reply.text, reply
        assert 'CA \'devices\' issues nothing: the list of \'root\' takes it back' in reply.text
    for cmd, who in (('ir', ('-ref', other, '-secret', f'pass:{other_secret}')), ('cr', client.by_cert('idevid')), ('kur', client.by_cert('ldevid'))):
        out = tmp_path / 'none.pem'
        done = client.run(cmd, '-newkey', client.key('more'), '-certout', out, *who, check=False)
        assert done.returncode != 0 and 'devices' in words(done) and not out.exists(), words(done)
    assert gate.counts('certificates|public_keys') == before
    assert {one['id']: one.get('state', '') for one in gate.json('ca', 'list')['items']}['devices'] == 'taken back'
    done = gate.cli('doctor', check=False)
    assert done.returncode == 5 and 'keywright ca rotate devices' in done.stdout


def still_told(gate, cert, ca):
    """Its own list and OCSP answers, for who has certificates of it: made anew."""
    gate.cli('cert', 'revoke', fingerprint(cert), '--reason', 'superseded')
    issuer = gate.cert(f'ca-{ca}')
    query = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA256()).build()
    reply = gate.ask('relying', 'POST', f'/ocsp/{ca}', query.public_bytes(serialization.Encoding.DER),
                     {'Content-Type': 'application/ocsp-request'})
    assert ocsp.load_der_ocsp_response(reply.body).certificate_status == ocsp.OCSPCertStatus.REVOKED
    until('the list has it', lambda: x509.load_der_x509_crl(gate.curl('relying', f'/crl/{ca}.crl').body)
          .get_revoked_certificate_by_serial_number(cert.serial_number))


def test_a_ca_that_was_taken_back_issues_nothing(tmp_path):
    """From the list's install on, by no way, after a restart too, until it has another key."""
    gate = Gate(tmp_path / 'gate', '--approver', 'bob').start()
    device, other = gate.device(), gate.device()
    client = Client(gate, tmp_path / 'client', *gate.register(None, '--cmp'))
    client.ask('ir', 'idevid', *client.by_secret())
    client.ask('cr', 'ldevid', *client.by_cert('idevid'))
    newer = tmp_path / 'newer.pem'
    next_list(gate, fetch(gate, tmp_path / 'last'), newer, '--revoke', gate.state / 'certs/ca-devices.pem', '--reason', 'cACompromise')
    gate.device()
    gate.cli('ca', 'install', newer)
    refused(gate, tmp_path, device, client)
    still_told(gate, device.ldevid.cert, 'devices')
    assert gate.stop() == 0
    gate.start()
    refused(gate, tmp_path, other, client)
    still_told(gate, other.idevid.cert, 'devices')
    # another key: devices go on, and neither key vouches for the other
    first = gate.cert('ca-devices')
    rotate_ca(gate, tmp_path)
    fresh = gate.device()
    assert fresh.ldevid.cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier) \
        != device.ldevid.cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert verify(gate, tmp_path, fresh.ldevid.cert_file, 'devices.2').returncode == 0
    for name in ('cross-devices-by-devices.2', 'cross-devices.2-by-devices'):
        assert gate.curl('relying', f'/ca/{name}.cer').status == 404
    handed = certs_in(gate.ask('devices', 'GET', EST + '/cacerts').body)
    assert [fingerprint(one) for one in handed if spki(one.public_key()) == spki(first.public_key())] == [fingerprint(first)]
    still_told(gate, fresh.idevid.cert, 'devices.2')
    assert gate.cli('doctor', check=False).returncode == 0
    # what operators issue
    newest, csr = tmp_path / 'newest.pem', tmp_path / 'one.csr'
    next_list(gate, newer, newest, '--revoke', gate.state / 'certs/ca-services.pem')
    gate.cli('ca', 'install', newest)
    csr.write_bytes(x509.load_der_x509_csr(csr_der(new_key(), 'one')).public_bytes(serialization.Encoding.PEM))
    done = gate.cli('cert', 'issue', '--profile', 'tls-client', '--name', 'one', '--csr', csr, check=False)
    assert done.returncode == 1 and 'CA \'services\' issues nothing' in done.stderr and 'keywright ca rotate services' in done.stderr
    gate.device()
    assert gate.stop() == 0


def test_a_list_near_its_end_is_told(own_gate):
    """A month before, and behind it. Nobody waits a year: the list is put into the store as it would be by then."""
    root, now = x509.load_pem_x509_certificate(own_gate.root.read_bytes()), datetime.datetime.utcnow()
    store = sqlite3.connect(own_gate.state / 'store/keywright.db', timeout=10)

    def told(days_left):
        end = now + datetime.timedelta(days=days_left, hours=1)
        crl = x509.CertificateRevocationListBuilder().issuer_name(root.subject).last_update(end - datetime.timedelta(days=365)) \
            .next_update(end).add_extension(x509.CRLNumber(2), False).sign(new_key(), hashes.SHA256())
        store.execute('UPDATE blob SET content = ? WHERE name = \'crl:root\'', (crl.public_bytes(serialization.Encoding.DER),))
        store.commit()
        (found,) = [one for one in json.loads(own_gate.cli('doctor', '--json', check=False).stdout)['items'] if one['check'] == 'root lists']
        assert found['object'] == 'root'
        return found['level'], found['text']
    assert told(40) == ('ok', 'CRL 2, 0 certificates taken back, ends in 40 days')
    assert told(29) == ('warning', 'CRL 2, 0 certificates taken back, ends in 29 days: make the next one, keywright ca crl')
    assert told(-1)[0] == 'fault' and 'the newest list of \'root\' has ended: see keywright ca crl' in told(-1)[1]
    store.close()


def test_what_is_below_a_ca_that_was_taken_back(tmp_path):
    """A trade's root takes an offline CA back: the CA below it issues nothing, its other CAs do."""
    gate = Gate(tmp_path / 'gate', '--vertical', 'evse').start()
    device, newer = gate.device(), tmp_path / 'newer.pem'

    def ask(label):
        return gate.enrol(csr_der(new_key(), device.id), who=device.idevid, label=label)
    assert ask('secc').status == 200
    run(KEYWRIGHT, 'ca', 'crl', fetch(gate, tmp_path / 'last', 'v2g-root'), '--offline', gate.offline / 'v2g-root', '--out', newer,
        '--revoke', gate.state / 'certs/above-cpo-sub1.pem', '--reason', 'cACompromise')
    assert gate.json('ca', 'install', newer)['id'] == 'v2g-root'
    reply = ask('secc')
    assert reply.status == 409 and 'CA \'cpo-sub2\' issues nothing: the list of \'v2g-root\' takes a CA above it back; it needs a tree' in reply.text, reply
    assert ask('oem-provisioning').status == 200 and device.renew()
    assert [one['id'] for one in gate.json('ca', 'list')['items'] if one.get('state')] == ['cpo-sub2']
    assert gate.stop() == 0
