"""The six verbs of the founding deck, by the API: apply, revoke, renew, query, download, sync."""
import json
import re
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from harness import KEYWRIGHT, Gate, certs_in, csr_der, fingerprint, new_key, run, serial_hex, until

JSON = {'Content-Type': 'application/json'}


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('six'), '--approver', 'bob')
    one.start()
    yield one
    one.stop()


def get(gate, path, status=200, who=None):
    reply = gate.ask('operators', 'GET', '/api/v1' + path, who=who or gate.operator)
    assert reply.status == status, reply
    return reply


def post(gate, path, body, status=200):
    reply = gate.ask('operators', 'POST', '/api/v1' + path, json.dumps(body), JSON, who=gate.operator)
    assert reply.status == status, reply
    return json.loads(reply.body) if reply.body else None


def test_apply(gate):
    device = gate.new_id()
    secret = post(gate, '/devices', {'id': device, 'product': 'meter-1'}, 201)['secret']
    reply = gate.enrol(csr_der(new_key(), device), secret=(device, secret))
    assert reply.status == 200, reply
    (cert,) = certs_in(reply.body)
    assert device in cert.subject.rfc4514_string()
    assert json.loads(get(gate, f'/devices/{device}').body)['state'] == 'active'


def test_revoke(gate):
    device = gate.device()
    mark = fingerprint(device.ldevid.cert)
    shown = post(gate, f'/certs/{mark}/revoke', {'reason': 'keyCompromise'})
    assert (shown['state'], shown['reason']) == ('revoked', 'keyCompromise')
    post(gate, f'/certs/{mark}/revoke', {}, 409)
    assert json.loads(get(gate, f'/certs/{mark}').body)['state'] == 'revoked'


def test_renew(gate):
    device = gate.device()
    before = device.ldevid
    after = device.renew()
    assert after.cert.serial_number != before.cert.serial_number
    assert json.loads(get(gate, f'/certs/{fingerprint(before.cert)}').body)['state'] == 'superseded'
    assert json.loads(get(gate, f'/certs/{fingerprint(after.cert)}').body)['state'] == 'valid'


def test_query(gate):
    device = gate.device()
    found = json.loads(get(gate, f'/certs?owner=device:{device.id}').body)['items']
    assert {cert['profile'] for cert in found} == {'idevid', 'ldevid'}
    assert {cert['serial'] for cert in found} == {serial_hex(device.idevid.cert),
                                                  serial_hex(device.ldevid.cert)}
    assert json.loads(get(gate, f'/certs?owner=device:{device.id}&state=revoked').body)['items'] == []
    get(gate, '/certs/00ff00ff00ff00ff', 404)


def test_download(gate):
    device = gate.device()
    reply = get(gate, f'/certs/{fingerprint(device.ldevid.cert)}/pem')
    cert = x509.load_pem_x509_certificate(reply.body)
    assert cert.fingerprint(hashes.SHA256()) == device.ldevid.cert.fingerprint(hashes.SHA256())


# --- sync: the change feed ---------------------------------------------------------------------------

def feed(gate, since, wait=0, consumer=None, max_=200, status=200, who=None):
    query = f'/feed?since={since}&wait={wait}&max={max_}' + (f'&consumer={consumer}' if consumer else '')
    return json.loads(get(gate, query, status, who).body)


def test_sync_feed(gate):
    page = {'next': '0', 'items': True}
    items = []
    while page['items']:
        page = feed(gate, page['next'], max_=50)
        items += page['items']
    assert [item['index'] for item in items] == list(range(len(items)))
    end = int(page['next'])
    assert end == len(items)
    device = gate.device()
    news = feed(gate, end)['items']
    issued = [item for item in news if item['type'] == 'cert.issue']
    assert [item['owner'] for item in issued] == [f'device:{device.id}'] * 2
    assert issued[1]['fingerprint'] == fingerprint(device.ldevid.cert)
    assert {item['state'] for item in issued} == {'valid'}
    # How the object is now, not how it was.
    post(gate, f'/certs/{fingerprint(device.ldevid.cert)}/revoke', {'reason': 'superseded'})
    assert [item['state'] for item in feed(gate, end)['items'] if item['type'] == 'cert.issue'] == [
        'valid', 'revoked']
    feed(gate, 10**9, status=409)
    get(gate, '/feed?since=-1', 400)
    get(gate, '/feed?since=0&wait=3600', 400)


def test_sync_long_poll(gate):
    """An entry is told as it is made; a call without news ends by itself; others are served meanwhile."""
    end = int(feed(gate, 0, max_=1)['next'])
    while feed(gate, end)['items']:
        end = int(feed(gate, end)['next'])
    told = []

    def follow():
        told.append(feed(gate, end, wait=10))

    threads = [threading.Thread(target=follow) for _ in range(8)]  # more than may wait
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert gate.healthy()
    gate.register()
    for thread in threads:
        thread.join(30)
    woken = [page for page in told if page['items']]
    assert len(told) == 8 and woken
    assert {page['items'][0]['index'] for page in woken} == {end}


def test_sync_consumers(gate):
    first = feed(gate, 0, consumer='broker', max_=5)
    feed(gate, first['next'], consumer='broker', max_=5)
    rows = {row['name']: row for row in json.loads(get(gate, '/consumers').body)['items']}
    assert rows['broker']['cursor'] == 5 and rows['broker']['principal'] == 'operator:admin'
    feed(gate, 2, consumer='broker')  # reading again takes nothing back
    assert {row['name']: row['cursor'] for row in json.loads(get(gate, '/consumers').body)['items']}[
        'broker'] == 5

    class Bob:
        cert_file, key_file = gate.state / 'admin-bob/operator.pem', gate.state / 'admin-bob/operator.key'
    feed(gate, 7, consumer='broker', status=403, who=Bob)
    get(gate, '/feed?since=0&consumer=a%20b', 400)


def test_sync_follow(gate):
    done = run(KEYWRIGHT, 'feed', 'follow', '--max', 7, '--consumer', 'cli',
               env={'KEYWRIGHT_ADMIN': str(gate.state / 'admin')})
    lines = done.stdout.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(7))
    assert ' system.init ' in lines[0] or ' key.' in lines[0]
    gate.cli('feed', 'follow', '--since', '7', '--max', '1', '--consumer', 'cli')
    assert 'cli' in gate.cli('feed', 'consumers').stdout
    done = gate.cli('feed', 'follow', '--max', '1', '--consumer', 'cli')  # goes on there
    assert done.stdout.split()[0] == '7'


# --- sync: reconciliation ----------------------------------------------------------------------------

def drifts(gate, *options):
    done = gate.cli('sync', 'check', '--json', *options, check=False)
    return {(item['kind'], item['object']): item
            for line in done.stdout.splitlines() for item in json.loads(line)['items']}


def hello(gate, device, who, mark):
    body = json.dumps({'agent': 'test 1', 'root_of_trust': 'soft', 'certificate': mark})
    assert gate.ask('devices', 'POST', '/device/v1/hello', body, JSON, who=who).status == 200


def test_sync_check(gate):
    fine, old, other, bare, strange = (gate.device() for _ in range(5))
    for device in fine, other, strange:
        hello(gate, device, device.ldevid, fingerprint(device.ldevid.cert))
    first = old.ldevid
    old.renew()
    time.sleep(1.1)  # times of certificates are whole seconds
    hello(gate, old, old.ldevid, fingerprint(first.cert))
    hello(gate, other, other.ldevid, fingerprint(fine.ldevid.cert))
    hello(gate, strange, strange.ldevid, 'ab' * 32)
    for cert in bare.idevid.cert, bare.ldevid.cert:
        post(gate, f'/certs/{fingerprint(cert)}/revoke', {'reason': 'superseded'})
    found = drifts(gate)
    mine = {f'device:{one.id}' for one in (fine, old, other, bare, strange)}
    assert {key for key in found if key[1] in mine} == {
        ('said-old', f'device:{old.id}'), ('said-anothers', f'device:{other.id}'),
        ('said-unknown', f'device:{strange.id}'), ('no-certificate', f'device:{bare.id}')}
    assert bare.id in found['no-certificate', f'device:{bare.id}']['next_step']
    done = gate.cli('sync', 'check', check=False)
    assert done.returncode == 1 and f'next: keywright device secret {bare.id}' in done.stdout


def index_line(flag, cert, revoked=''):
    end = cert.not_valid_after_utc if hasattr(cert, 'not_valid_after_utc') else cert.not_valid_after
    stamp = end.strftime('%y%m%d%H%M%SZ' if end.year < 2050 else '%Y%m%d%H%M%SZ')
    return f'{flag}\t{stamp}\t{revoked}\t{serial_hex(cert).upper()}\tunknown\t/CN=x\n'


def every(gate, path):
    """All pages of a list."""
    rows, after = [], ''
    while True:
        page = json.loads(get(gate, path + after).body)
        rows += page['items']
        if not page.get('next'):
            return rows
        after = f'&after={page["next"]}'


def test_sync_external_index(gate, tmp_path):
    good, gone, kept = (gate.device() for _ in range(3))
    for cert in (gone.ldevid.cert,):
        post(gate, f'/certs/{fingerprint(cert)}/revoke', {'reason': 'keyCompromise'})
    ca = json.loads(get(gate, f'/certs/{fingerprint(good.ldevid.cert)}').body)['ca']
    index = tmp_path / 'index.txt'
    index.write_text(index_line('V', good.ldevid.cert) + index_line('V', gone.ldevid.cert) +
                     index_line('R', kept.ldevid.cert, '261101000000Z,keyCompromise') +
                     'V\t271121102233Z\t\t00FFEE\tunknown\t/CN=y\n')
    found = drifts(gate, '--external', index, '--ca', ca)
    missing = {key[1] for key in found if key[0] == 'external-missing'}
    assert {key for key in found if key[0].startswith('external')} - {('external-missing', one) for one in missing} == {
        ('external-valid', f'cert:{ca}/{serial_hex(gone.ldevid.cert)}'),
        ('external-revoked', f'cert:{ca}/{serial_hex(kept.ldevid.cert)}'),
        ('external-unknown', f'cert:{ca}/ffee')}
    # The other way round: what the copy lacks of ours, whatever its state, and nothing else.
    ours = {f'cert:{ca}/{row["serial"]}' for row in every(gate, f'/certs?ca={ca}')}
    listed = {f'cert:{ca}/{serial_hex(one.ldevid.cert)}' for one in (good, gone, kept)}
    assert missing == ours - listed and f'cert:{ca}/{serial_hex(gone.idevid.cert)}' in missing
    whole = tmp_path / 'whole.csv'
    whole.write_text(''.join(f'{row["serial"].upper()},{"revoked" if row["state"] == "revoked" else "valid"},\n'
                             for row in every(gate, f'/certs?ca={ca}')))
    assert not [key for key in drifts(gate, '--external', whole, '--ca', ca) if key[0].startswith('external')]
    # A foreign CA: its certificates for our devices, by name.
    gate.cli('device', 'retire', kept.id)
    foreign = tmp_path / 'foreign.csv'
    foreign.write_text('serial,state,expires,subject\n'
                       f'01,valid,2090-01-01T00:00:00Z,"CN={kept.id},O=x"\n'
                       f'02,valid,2090-01-01T00:00:00Z,CN={good.id}\n'
                       '03,valid,2090-01-01T00:00:00Z,CN=nobody-here\n'
                       f'04,revoked,2090-01-01T00:00:00Z,CN={kept.id}\n'
                       f'05,valid,2020-01-01T00:00:00Z,CN={kept.id}\n')
    found = drifts(gate, '--external', foreign)
    assert {key for key in found if key[0].startswith('external')} == {
        ('external-device', 'external:01'), ('external-stranger', 'external:03')}
    foreign.write_text('V\tno time\t\t01\tunknown\t/CN=x\n')
    done = gate.cli('sync', 'check', '--external', foreign, check=False)
    assert done.returncode == 2 and 'external-line line:1: is neither' in done.stdout and '1 lines of the index' in done.stderr
    foreign.write_bytes(b'\xef\xbb\xbfserial,state,expires,subject\r\n05,valid,2020-01-01T00:00:00Z,CN=x\r\n' + b'#\n' * 5000 + b'?\n')
    done = gate.cli('sync', 'check', '--external', foreign, check=False)
    assert done.returncode == 2 and 'line:5003: is neither' in done.stdout, 'counted in the whole file'
    done = gate.cli('sync', 'check', '--external', whole, '--ca', 'nosuch', check=False)
    assert done.returncode == 3 and "no CA 'nosuch'" in done.stderr


def test_sync_bad_lines(gate, tmp_path):
    """Each is told, the first hundred of them, and the rest of the index is compared."""
    gone = gate.device()
    gate.cli('device', 'retire', gone.id)
    index = tmp_path / 'index.csv'
    bad = ['no,such state', '01,valid,yesterday,CN=x', 'x' * 5000, '\0', '"open', 'V\tno time\t\t01\tunknown\t/CN=x', '€,valid']
    index.write_text('\n'.join([*bad[:3], '#', *bad[3:], f'05,valid,2090-01-01T00:00:00Z,CN={gone.id}']) + '\n')
    done = gate.cli('sync', 'check', '--external', index, check=False)
    assert done.returncode == 2 and '7 lines of the index cannot be read' in done.stderr
    assert re.findall(r'^external-line line:(\d+): .*next: correct line (\d+), ', done.stdout, re.M) == [(str(n),) * 2 for n in (1, 2, 3, 5, 6, 7, 8)]
    assert f'external-device external:05: valid there for device \'{gone.id}\'' in done.stdout
    pages = [json.loads(line) for line in gate.cli('sync', 'check', '--external', index, '--json', check=False).stdout.splitlines()]
    assert sum(page.get('bad', 0) for page in pages) == 7
    # something else entirely: one long line, and many short ones
    index.write_bytes(b'x' * 3000000 + b'\n' + b'?\n' * 1000 + f'06,valid,2090-01-01T00:00:00Z,CN={gone.id}\n'.encode())
    done = gate.cli('sync', 'check', '--external', index, check=False)
    assert done.returncode == 2 and '1001 lines of the index cannot be read' in done.stderr
    assert done.stdout.count('external-line') == 100 and 'external:06' in done.stdout


def test_a_waiting_follower_does_not_hold_the_server_up(tmp_path):
    gate = Gate(tmp_path / 'gate').start()
    end = int(feed(gate, 0, max_=200)['next'])
    thread = threading.Thread(target=lambda: gate.curl('operators', f'/api/v1/feed?since={end}&wait=10',
                                                       '--cert', gate.operator.cert_file, '--key',
                                                       gate.operator.key_file, check=False))
    thread.start()
    until('somebody waits', gate.healthy)
    assert gate.stop() == 0
    thread.join(30)
