"""The registration authority: bulk import, approval by an officer, suspension, block lists."""
import csv
import hashlib
import json
import re
import shutil

import pytest

from harness import SOURCE, Gate, certs_in, csr_der, fingerprint, key_id, new_key, until, words


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    folder = tmp_path_factory.mktemp('registration')
    profiles = folder / 'profiles'
    shutil.copytree(SOURCE / 'profiles', profiles)
    text = (profiles / 'idevid.yaml').read_text()
    text = re.sub('^name: idevid$', 'name: officer-idevid', text, count=1, flags=re.M)
    text = re.sub('^approval:.*$', 'approval: officer', text, count=1, flags=re.M)
    text = re.sub('^unlabelled:.*$', 'unlabelled: false', text, count=1, flags=re.M)
    (profiles / 'officer-idevid.yaml').write_text(text)
    one = Gate(folder / 'gate', '--profiles', profiles)
    one.start()
    yield one
    one.stop()


def import_(gate, path, *options, check=True):
    return gate.cli('device', 'import', path, *options, check=check)


def test_a_file_of_devices(gate, tmp_path):
    path, out = tmp_path / 'units.csv', tmp_path / 'secrets.csv'
    path.write_bytes(b'\xef\xbb\xbfid,serial,product,batch\r\n' +
                     b''.join(b'U-%04d,S-%04d,meter-1,B1\r\n' % (i, i) for i in range(1200)))
    preview = import_(gate, path, '--dry-run')
    assert 'preview: 1200 registered, 0 known before, 0 refused' in preview.stdout
    assert gate.cli('device', 'show', 'U-0000', check=False).returncode == 3
    done = import_(gate, path, '--secrets', out)
    assert '1200 registered, 0 known' in done.stdout
    secrets = dict(csv.reader(out.open()))
    assert len(secrets) == 1200 and out.stat().st_mode & 0o777 == 0o600
    assert gate.json('batch', 'show', 'B1')['units'] == 1200
    reply = gate.enrol(csr_der(new_key(), 'U-0007'), secret=('U-0007', secrets['U-0007']))
    assert reply.status == 200, reply
    # Cut and begun anew: what is there stays, and who has no use of the lost secret gets another.
    out.unlink()
    again = import_(gate, path, '--secrets', out)
    assert '0 registered, 1200 known before, 0 refused' in again.stdout
    secrets = dict(csv.reader(out.open()))
    assert len(secrets) == 1199 and 'U-0007' not in secrets
    reply = gate.enrol(csr_der(new_key(), 'U-0008'), secret=('U-0008', secrets['U-0008']))
    assert reply.status == 200, reply


BAD = {
    '"V-1",same,m,,': 'registered',
    'V-1,other,m,,': 'duplicate',
    'V-2,same,m,,': 'conflict',
    '溫度計,s3,m,,': 'character',
    'V 4,s4,m,,': 'character',
    'V-5,s5': 'columns',
    'V-6,s6,m,,,': 'columns',
    'V-7,"s7,m,,': 'columns',
    'V-8,s8,"m"x,,': 'columns',
    'X' * 65 + ',s9,m,,': 'too-long',
    'V-10,' + 's' * 300 + ',m,,': 'too-long',
    'V-11,s11,,,': 'value',
    'V-12,s12,m,1.2.x,': 'value',
    ',s13,m,,': 'character',
    'V-14,s14,m,,CLOSED': 'batch',
    'V-15,s15,other,,B-OF-M': 'batch',
    '\ufeffV-16,s16,m,,': 'character',
    'V-17\x01,s17,m,,': 'character',
    'V_19,,m,,': 'value',
    'V-20,s_20,m,,': 'value',
}


def test_octets_that_no_line_has(gate, tmp_path):
    """What stands amid a line is refused with it; it cuts no line off and swallows none."""
    path = tmp_path / 'odd.csv'
    path.write_bytes(b'id,product\nW-1,m\0X\nW-2,m\nW-3,ther\rmostat\nW-4\0,m\n\0\nW-5,' + b'm' * 100000 + b'\nW-6,m')
    preview = import_(gate, path, '--dry-run', check=False)
    assert preview.returncode == 1 and 'would be refused' in preview.stderr and 'registered yet' in preview.stderr
    done = import_(gate, path, check=False)
    assert done.returncode == 1 and '2 registered, 0 known before, 5 refused' in done.stdout
    assert re.findall(r'^line (\d+): ([a-z-]+)', done.stdout, re.M) == [
        ('2', 'character'), ('4', 'character'), ('5', 'character'), ('6', 'character'), ('7', 'too-long')]
    for device in ('W-2', 'W-6'):
        assert gate.json('device', 'show', device)['product'] == 'm'
    assert gate.cli('device', 'show', 'W-3', check=False).returncode == 3
    path.write_bytes(b'id;product\nW-7;m\n')
    done = import_(gate, path, check=False)
    assert done.returncode == 2 and "line 1: column 'id;product' is not known" in done.stderr


def test_bad_lines_by_class(gate):
    gate.cli('batch', 'open', 'CLOSED', '--product', 'm')
    gate.cli('batch', 'close', 'CLOSED')
    gate.cli('batch', 'open', 'B-OF-M', '--product', 'm')
    body = ('id,serial,product,hw_type,batch\n' + '\n'.join(BAD) + '\nV-18,s18,m,,\xff').encode('utf-8')
    body = body.replace('\xff'.encode('utf-8'), b'\xff')
    before = gate.counts()
    preview = gate.ask('operators', 'POST', '/api/v1/devices/import?dry_run=1', body,
                       {'Content-Type': 'text/csv'}, who=gate.operator)
    assert preview.status == 200, preview
    assert gate.counts() == before
    reply = gate.ask('operators', 'POST', '/api/v1/devices/import', body, {'Content-Type': 'text/csv'},
                     who=gate.operator)
    for answer in preview, reply:
        lines = json.loads(answer.body)['lines']
        assert [line['line'] for line in lines] == list(range(2, 3 + len(BAD)))
        assert [line['class'] for line in lines] == list(BAD.values()) + ['character']
    assert [bool(line.get('secret')) for line in lines].count(True) == 1
    assert not any(line.get('secret') for line in json.loads(preview.body)['lines'])


@pytest.mark.parametrize('body, media, status', [
    (b'', 'text/csv', 400),
    (b'serial,product\nS,m\n', 'text/csv', 400),
    (b'id,id\nA,B\n', 'text/csv', 400),
    (b'id,colour\nA,red\n', 'text/csv', 400),
    (b'id\n' + b'A\n' * 1001, 'text/csv', 413),
    (b'id,product\nA,m\n', 'text/html', 415),
    (b'x' * ((1 << 20) + 1), 'text/csv', 413),
])
def test_what_is_no_import(gate, body, media, status):
    reply = gate.ask('operators', 'POST', '/api/v1/devices/import', body, {'Content-Type': media},
                     who=gate.operator)
    assert reply.status == status, reply


def test_lines_of_json(gate, tmp_path):
    path = tmp_path / 'units.json'
    path.write_text('{"id":"J-1","product":"m"}\n{"id":"J-2"}\n{"id":"J-3","color":1}\n[]\n')
    done = import_(gate, path, '--product', 'from-option', check=False)
    assert done.returncode == 1, words(done)
    assert '2 registered, 0 known before, 2 refused' in done.stdout
    assert 'line 3: columns' in done.stdout and 'line 4: columns' in done.stdout
    assert gate.json('device', 'show', 'J-2')['product'] == 'from-option'


def test_an_officer_approves(gate):
    device, secret = gate.register()
    csr = csr_der(new_key(), device)

    def ask():
        return gate.enrol(csr, secret=(device, secret), label='officer-idevid')

    waiting = ask()
    assert waiting.status == 202 and int(waiting.headers['retry-after']) > 0, waiting
    assert waiting.body == b'', "Bouncy Castle's EST client takes a 202 without a body only"
    assert ask().status == 202
    (found,) = gate.json('request', 'list', '--in-state', 'waiting', '--owner', f'device:{device}')['items']
    shown = gate.json('request', 'show', str(found['id']))
    assert 'BEGIN CERTIFICATE REQUEST' in shown['csr']
    assert shown['sha256'] == hashlib.sha256(csr).hexdigest()
    refused = gate.cli('request', 'refuse', str(found['id']), check=False)
    assert refused.returncode == 2 and 'reason' in words(refused)
    assert gate.json('request', 'approve', str(found['id']))['decided_by'] == 'operator:admin'
    reply = ask()
    assert reply.status == 200, reply
    assert gate.json('request', 'show', str(found['id']))['state'] == 'issued'
    types = [entry['type'] for _, entry in gate.log_entries() if entry.get('object') == f'request:{found["id"]}']
    assert types == ['request.open', 'request.approve', 'request.issue']


def test_who_has_too_many_waiting_comes_later(gate):
    """People are asked in any case: who may not wait as well is told no other time than who waits."""
    device, secret = gate.register()
    replies = [gate.enrol(csr_der(new_key(), device), secret=(device, secret), label='officer-idevid') for _ in range(4)]
    assert [reply.status for reply in replies] == [202, 202, 202, 429] and '3 requests' in replies[3].text
    assert len({reply.headers['retry-after'] for reply in replies}) == 1, [reply.headers for reply in replies]


def test_an_officer_refuses(gate):
    device, secret = gate.register()
    csr = csr_der(new_key(), device)
    assert gate.enrol(csr, secret=(device, secret), label='officer-idevid').status == 202
    (found,) = gate.json('request', 'list', '--owner', f'device:{device}')['items']
    gate.cli('request', 'refuse', str(found['id']), '--reason', 'not on the list')
    reply = gate.enrol(csr, secret=(device, secret), label='officer-idevid')
    assert reply.status == 403 and 'operator:admin' in reply.text and 'not on the list' in reply.text
    assert gate.cli('request', 'approve', str(found['id']), check=False).returncode == 1


def test_suspended_and_back(gate):
    device = gate.device()
    assert device.hello().status == 200
    gate.cli('device', 'suspend', device.id, '--reason', 'stolen?')
    assert gate.json('device', 'show', device.id)['state'] == 'suspended'
    until('a held certificate opens no door', lambda: refused_at_the_door(device))
    done = gate.cli('cert', 'release', fingerprint(device.ldevid.cert), check=False)
    assert done.returncode == 1 and f'keywright device resume {device.id}' in done.stderr, words(done)
    assert gate.json('cert', 'show', fingerprint(device.ldevid.cert))['state'] == 'held'
    gate.cli('device', 'resume', device.id)
    assert device.hello().status == 200
    assert gate.cli('device', 'resume', device.id, check=False).returncode == 1


def refused_at_the_door(device):
    try:
        return device.hello().status in (401, 403)
    except OSError:
        return True  # in the handshake already


def test_a_blocked_key(gate, tmp_path):
    device = gate.device()
    hash_ = key_id(device.ldevid.key.public_key())
    done = gate.cli('blocklist', 'add', hash_, '--list', 'leaked')
    assert f'device:{device.id}' in done.stdout and 'keyCompromise' in done.stdout
    assert hash_ in [row['id'] for row in gate.json('blocklist', 'list')['items']]
    # badkeys' file of hashes of numbers: the key of a device that is not enrolled yet.
    other, secret = gate.register()
    key = new_key()
    x = key.public_key().public_numbers().x
    number = hashlib.sha256(x.to_bytes((x.bit_length() + 7) // 8, 'big')).digest()[:15]
    dat = tmp_path / 'blocklist.dat'
    dat.write_bytes(bytes(16) + number + b'\x05')
    gate.cli('blocklist', 'import', dat, '--list', 'badkeys')
    reply = gate.enrol(csr_der(key, other), secret=(other, secret))
    assert reply.status == 403 and 'blocklist' in reply.text
    reply = gate.enrol(csr_der(new_key(), other), secret=(other, secret))
    assert reply.status == 200, reply
    assert len(certs_in(reply.body)) == 1


def test_what_is_no_block_list(gate, tmp_path):
    """A list that blocks nothing is no success: zeroes that a crash left, an empty file, a line that is none."""
    path = tmp_path / 'list.txt'
    for content, why in ((b'', 'there is no entry'), (b'# nothing\n', 'there is no entry'), (bytes(100), 'line 1 is no entry'),
                         (b'#\n' * 20000 + b'?\n', 'behind line 20000: line 1 is no entry'), (b'a' * 64 + b'\0b\n', 'line 1')):
        path.write_bytes(content)
        done = gate.cli('blocklist', 'import', path, check=False)
        assert done.returncode == 2 and why in done.stderr, words(done)
    path.write_bytes(b'\xef\xbb\xbf' + b'c' * 64 + b'\r\n')
    assert '1 keys blocked' in gate.cli('blocklist', 'import', path).stdout


def test_the_same_request_under_another_name(gate):
    first, first_secret = gate.register()
    second, second_secret = gate.register()
    csr = csr_der(new_key(), '')
    reply = gate.enrol(csr, secret=(first, first_secret))
    assert reply.status == 200, reply
    assert gate.enrol(csr, secret=(second, second_secret)).status == 409
    (cert,) = certs_in(reply.body)
    gate.cli('cert', 'revoke', cert.fingerprint(cert.signature_hash_algorithm).hex())
    assert gate.enrol(csr, secret=(first, first_secret)).status == 409, 'a revoked request asks for a new key'
