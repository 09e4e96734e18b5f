"""Query, download, export and figures, with foreign tools as judges of what is downloaded."""
import csv
import io
import json

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from harness import Gate, key_id, run, serial_hex, words
import pytest


@pytest.fixture(scope='module')
def one(gate):
    return gate.device()


def found(gate, *args):
    return [c['serial'] for c in gate.json('cert', 'list', *args)['items']]


def test_each_way_finds_the_certificate(gate, one):
    ldevid, idevid = serial_hex(one.ldevid.cert), serial_hex(one.idevid.cert)
    both = {ldevid, idevid}
    assert set(found(gate, '--device', one.id)) == both
    assert set(found(gate, '--owner', f'device:{one.id}')) == both
    assert found(gate, '--serial', ldevid) == [ldevid]
    assert found(gate, '--serial', ':'.join(ldevid[i:i + 2] for i in range(0, len(ldevid), 2)).upper()) == [ldevid]
    assert found(gate, '--key-hash', key_id(one.ldevid.cert.public_key())) == [ldevid]
    assert set(found(gate, '--subject', one.id.lower())) == both
    assert set(found(gate, '--subject', '*' + one.id[2:])) == both
    assert found(gate, '--device', one.id, '--profile', 'ldevid', '--in-state', 'valid') == [ldevid]
    assert found(gate, '--device', one.id, '--profile', 'ldevid', '--in-state', 'revoked') == []
    days = (one.ldevid.cert.not_valid_after - one.ldevid.cert.not_valid_before).days
    assert ldevid in found(gate, '--device', one.id, '--expires-days', str(days + 1))
    assert found(gate, '--device', one.id, '--expires-hours', '48') == []
    for args in (('--serial', 'xyz'), ('--key-hash', '00'), ('--subject', '*'), ('--profile', 'ldevid', '--firmware', '2.*')):
        done = gate.cli('cert', 'list', *args, check=False)
        assert done.returncode == 2, words(done)


def test_pages_go_on_where_they_ended(gate, one):
    whole = [c['serial'] for c in page(gate, 'profile=ldevid&max=100')['items']]
    parts, after = [], ''
    while True:
        answer = page(gate, f'profile=ldevid&max=1{after}')
        parts += [c['serial'] for c in answer['items']]
        if not answer.get('next'):
            break
        after = '&after=' + answer['next']
    assert parts[:len(whole)] == whole and len(parts) == len(set(parts))
    assert gate.operators_get('/api/v1/certs?after=x').status == 400


def test_pages_by_name(gate):
    """What is listed by name goes on behind the last one of the page before, however long its name is."""
    whole = ['PAGED-A', 'PAGED-B', 'PAGED-C' + 'x' * 50]
    for name in whole:
        gate.cli('device', 'register', name, '--product', 'thermostat-1')

    def read(query):
        answer = json.loads(gate.operators_get(f'/api/v1/devices?{query}').body)
        return [one['id'] for one in answer['items']], answer.get('next')
    assert read('after=PAGED-&max=3') == (whole, whole[2])
    assert read('after=PAGED-&max=2') == (whole[:2], whole[1])
    assert read(f'after={whole[1]}&max=1') == (whole[2:], whole[2])
    assert not set(read(f'after={whole[2]}')[0]) & set(whole)


def page(gate, query):
    return json.loads(gate.operators_get('/api/v1/certs?' + query).body)


def test_downloads_are_what_foreign_tools_read(gate, one, tmp_path):
    serial = serial_hex(one.ldevid.cert)
    out = tmp_path / 'file'
    gate.cli('cert', 'download', serial, '--out', out)
    assert x509.load_pem_x509_certificate(out.read_bytes()) == one.ldevid.cert
    gate.cli('cert', 'download', serial, '--format', 'der', '--out', out)
    assert x509.load_der_x509_certificate(out.read_bytes()) == one.ldevid.cert
    gate.cli('cert', 'download', serial, '--format', 'p7b', '--chain', '--out', out)
    certs = pkcs7.load_der_pkcs7_certificates(out.read_bytes())
    assert one.ldevid.cert in certs and gate.cert('root') in certs and len(certs) == 3
    shown = run('openssl', 'pkcs7', '-inform', 'DER', '-in', out, '-print_certs', '-noout').stdout
    assert one.id in shown
    gate.cli('cert', 'download', serial, '--chain', '--out', out)
    run('openssl', 'verify', '-CAfile', gate.root, '-untrusted', out, out)
    done = gate.cli('cert', 'download', serial, '--format', 'der', '--chain', check=False)
    assert done.returncode == 2 and 'one certificate' in words(done)
    assert gate.cli('cert', 'download', serial, '--format', 'jks', check=False).returncode == 2
    assert gate.cli('cert', 'download', 'ff', check=False).returncode == 3


def test_exports_are_read_by_others(gate, one, tmp_path):
    out = tmp_path / 'list.csv'
    gate.cli('cert', 'list', '--device', one.id, '--format', 'csv', '--out', out)
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode())))
    assert {r['serial'] for r in rows} == {serial_hex(one.ldevid.cert), serial_hex(one.idevid.cert)}
    assert all(',' in r['subject'] and r['state'] == 'valid' for r in rows)
    lines = gate.cli('cert', 'list', '--device', one.id, '--format', 'json').stdout.splitlines()
    assert {json.loads(line)['serial'] for line in lines} == {r['serial'] for r in rows}


@pytest.fixture
def alone(tmp_path):
    one = Gate(tmp_path / 'gate').start()
    yield one
    one.stop()


def test_figures(alone):
    gate = alone  # where no certificates of others end meanwhile
    before = gate.json('stats')
    device = gate.device()
    device.hello()
    gate.register()
    after = gate.json('stats')
    assert after['devices_online'] == before['devices_online'] + 1
    assert after['devices_no_certificate'] == before['devices_no_certificate'] + 1
    assert after['devices'] == before['devices'] + 2
    assert after['active_certificates'] == before['active_certificates'] + 2
    assert after['issued_7d'] == before['issued_7d'] + 2
    assert after['weeks'][-1]['issued'] >= before['weeks'][-1]['issued'] and len(after['weeks']) == 12
    gate.cli('cert', 'revoke', serial_hex(device.ldevid.cert))
    last = gate.json('stats')
    assert last['revoked_7d'] == after['revoked_7d'] + 1
    assert last['active_certificates'] == after['active_certificates'] - 1
    text = gate.cli('stats').stdout
    assert 'No Certificate' in text and 'ldevid' in text and after['weeks'][-1]['week'] in text
