"""Data keys: wrapped by the keeper, rewrapped after their KEK's rotation, over a kill -9 as well."""
import json
import sqlite3
import threading
import time

import pytest

from harness import Gate, until, words

N = 50


@pytest.fixture
def gate(tmp_path):
    one = Gate(tmp_path / 'gate', '--approver', 'bob').start()
    one.approved('key', 'create', 'data', '--class', 'data-kek')
    yield one
    one.stop()


def post(gate, path, **body):
    return gate.ask('operators', 'POST', f'/api/v1/data-keys{path}', body=json.dumps(body).encode(),
                    headers={'content-type': 'application/json'}, who=gate.operator)


def create(gate, name, **more):
    reply = post(gate, '', id=name, kek='data', context=f'for {name}', **more)
    assert reply.status == 201, reply
    return json.loads(reply.body)


def unwrap(gate, name):
    reply = post(gate, f'/{name}/unwrap')
    assert reply.status == 200, reply
    return json.loads(reply.body)['key']


def wrapped_by(gate):
    """How many data keys lie under each generation, as the store has it on disk."""
    with sqlite3.connect(f'file:{gate.state}/store/keywright.db?mode=ro', uri=True) as store:
        return dict(store.execute('SELECT generation, count(*) FROM data_key GROUP BY generation'))


def doctor(gate):
    done = gate.cli('doctor', '--json', check=False)
    items = json.loads(done.stdout.splitlines()[0])['items']
    return done.returncode, {one['check']: one for one in items}


def assert_clean(gate):
    """What the keeper did has its event, or gets it within the moment that doctor grants."""
    def settled():
        status, found = doctor(gate)
        assert ' 0 without an event,' in found['journal']['text'], found['journal']
        return status == 0 and ', 0 on their way' in found['journal']['text'] and found
    return until('doctor finds no fault', settled)


def test_life(gate, tmp_path):
    """Made, shown, handed out to who asks, and to nobody else; the log says so."""
    made = create(gate, 'disk', give_key=True)
    assert len(made['key']) == 64 and made['wrapped_by'] == 'data'
    assert 'key' not in create(gate, 'silent')
    assert unwrap(gate, 'disk') == made['key']
    assert unwrap(gate, 'silent') != made['key']
    shown = gate.json('data', 'show', 'disk')
    assert shown['context'] == 'for disk' and 'key' not in shown
    assert [one['id'] for one in gate.json('data', 'list')['items']] == ['disk', 'silent']
    secret = tmp_path / 'secret'
    out = gate.cli('data', 'unwrap', 'disk', '--secret-file', secret)
    assert secret.read_text().strip() == made['key'] and made['key'] not in words(out)
    assert secret.stat().st_mode & 0o777 == 0o600
    gate.cli('data', 'create', 'third', '--kek', 'data', '--context', 'x', '--secret-file', secret)
    assert secret.read_text().strip() == unwrap(gate, 'third')
    entries = [entry for _, entry in gate.log_entries() if entry['type'] == 'data.unwrap']
    assert entries[0]['object'] == 'data-key:disk' and entries[0]['actor'] == 'operator:admin'
    assert entries[0]['key'] == 'data' and len(entries[0]['digest']) == 64
    assert made['key'] not in json.dumps([entry for _, entry in gate.log_entries()])
    assert made['key'] not in gate.log()
    assert_clean(gate)


def test_refusals(gate):
    create(gate, 'disk')
    for body, status in (({'id': 'disk', 'kek': 'data'}, 409), ({'id': 'a b', 'kek': 'data'}, 400),
                         ({'id': 'x', 'kek': 'nobody'}, 404), ({'id': 'x', 'kek': 'log'}, 403),
                         ({'id': 'x', 'kek': 'data', 'context': 'a\nb'}, 400)):
        assert post(gate, '', **body).status == status, body
    assert post(gate, '/nobody/unwrap').status == 404
    assert gate.cli('data', 'show', 'nobody', check=False).returncode == 3
    assert post(gate, '/rewrap', kek='nobody').status == 404
    # an exchanged row is found by the keeper, and the log says that it was refused
    other = create(gate, 'other')['id']
    gate.stop()
    with sqlite3.connect(gate.state / 'store/keywright.db') as store:
        store.execute('UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE id = ?) WHERE id = ?',
                      (other, 'disk'))
    store.close()
    gate.start()
    assert post(gate, '/disk/unwrap').status >= 400
    entries = [entry for _, entry in gate.log_entries() if entry['type'] == 'data.unwrap']
    assert [entry['result'] for entry in entries] == ['asked', 'integrity']
    # it does not keep the others from going under the next key
    gate.cli('key', 'rotate', 'data')
    until('the sound one is rewrapped', lambda: wrapped_by(gate) == {1: 1, 2: 1})
    told = gate.json('data', 'rewrap', 'data')
    assert told['left'] == 1 and told['failed'] == 1 and 'disk' in told['why'] and 'unneeded' not in told


def kek(generation):
    """The name of a generation of the line 'data'."""
    return 'data' if generation == 1 else f'data.{generation}'


def cut_rewrapping(gate, newest):
    """Rotate the key-encrypting key and kill the server while data keys move; what lies where then."""
    gate.cli('key', 'rotate', kek(newest - 1))
    starter = threading.Thread(target=lambda: gate.cli('data', 'rewrap', 'data', check=False), daemon=True)
    starter.start()
    end = time.monotonic() + 60  # in small steps: it is to be cut in the middle
    while not wrapped_by(gate).get(newest):
        assert time.monotonic() < end, wrapped_by(gate)
    gate.kill()
    starter.join(20)
    return wrapped_by(gate)


def test_rewrapped_over_kill9(gate):
    """All of them come under the new key, whatever was cut in the middle, and are the same."""
    keys = {f'key{i:03}': create(gate, f'key{i:03}', give_key=True)['key'] for i in range(N)}
    for newest in range(2, 9):  # a busy machine may look too late
        moved = cut_rewrapping(gate, newest)
        print('cut at', moved)
        gate.start()
        until('all are under the new key', lambda: wrapped_by(gate) == {newest: N})  # by itself
        if moved.get(newest - 1):
            break
        gate.cli('key', 'deactivate', kek(newest - 1), '--reason', 'replaced')
    else:
        pytest.fail('the rewrapping was over each time before it was cut')
    old, new = kek(newest - 1), kek(newest)
    told = gate.json('data', 'rewrap', 'data')
    assert told['done'] == 0 and told['left'] == 0 and told['newest'] == new and old in told['unneeded']
    assert {name: unwrap(gate, name) for name in keys} == keys
    assert {one['wrapped_by'] for one in gate.json('data', 'list')['items']} == {new}
    found = assert_clean(gate)
    assert old in found['data keys']['text'].partition('no longer needed: ')[2].split(', ')
    gate.stop()
    gate.start()
    assert_clean(gate)
    gate.cli('key', 'deactivate', old, '--reason', 'replaced')
    gate.approved('key', 'destroy', old, '--reason', 'not needed')
    assert {name: unwrap(gate, name) for name in list(keys)[:3]} == dict(list(keys.items())[:3])
    assert old not in gate.json('data', 'rewrap', 'data').get('unneeded', [])
