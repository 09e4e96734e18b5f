"""What a root takes back: its CRL is made where its key is, renewed there, and never forgets."""
import shutil

import pytest
from cryptography import x509
from harness import KEYWRIGHT, Gate, run, words
from test_backup import quiet


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
    assert done.returncode == 5 and 'it issues: keywright key revoke ca-devices' in done.stdout
    # what is not taken
    for args, why in (((more, '--revoke', devices), 'on the list already'), ((more, '--revoke', gate.root), 'does not revoke itself'),
                      ((more, '--revoke', device.ldevid.cert_file), 'not issued by'), ((more, '--reason', 'superseded'), 'goes with'),
                      ((more, '--revoke', services, '--reason', 'certificateHold'), 'no reason for a final'),
                      ((fetch(gate, tmp_path / 'other', 'devices'),), 'not of the CA'), ((devices,), 'no CRL')):
        done = next_list(gate, args[0], tmp_path / 'none', *args[1:], check=False)
        assert done.returncode in (1, 2) and why in done.stderr and not (tmp_path / 'none').exists(), words(done)
    done = gate.cli('ca', 'install', more, check=False)
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
