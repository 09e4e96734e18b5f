"""Two-person control with the real programs: what one asks, others approve by their own keys."""
import os
import re
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from harness import KEYWRIGHT, SOURCE, Gate, key_pem, new_key, run, words

SOFTHSM = next((p for p in ('/usr/lib/softhsm/libsofthsm2.so',
                            '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(p)), None)


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def gate(tmp_path):
    """alice is the first operator; bob and carol have credentials; dora's and tom's keys are their own."""
    folder = tmp_path / 'people'
    folder.mkdir()
    dora = folder / 'dora.key'
    key = ed25519.Ed25519PrivateKey.generate()
    dora.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    dora.chmod(0o600)
    (folder / 'dora.pub').write_bytes(public_pem(key))
    one = Gate(tmp_path / 'gate', '--operator', 'alice', '--approver', 'bob', '--approver', 'carol',
               '--approver', f'dora={folder}/dora.pub:security-officer', '--approvals', '2').start()
    one.dora = dora
    yield one
    one.stop()


def states(gate):
    return {key['id']: key['state'] for key in gate.json('key', 'list')['items']}


def request_state(gate, number):
    return gate.json('approval', 'show', number)['state']


def test_destruction_by_three(gate):
    """alice asks, bob and carol approve: made, then destroyed; nothing happens a signature earlier."""
    gate.approved('key', 'create', 'kek-1', '--class', 'data-kek', by=('bob', 'carol'))
    assert states(gate)['kek-1'] == 'active'
    number = gate.request('key', 'destroy', 'kek-1', '--reason', 'end of the trial')
    text = gate.json('approval', 'show', number)['text']
    for line in ('operation: key-destroy', 'key: kek-1', 'class: data-kek', 'reason: end of the trial',
                 'requester: alice', 'approvals: 2 of security-officer'):
        assert line in text.splitlines(), text
    done = gate.cli('approval', 'sign', number, '--yes', check=False)
    assert done.returncode == 1 and 'another person' in words(done)
    done = gate.cli('approval', 'sign', number, '--yes', who='bob')
    assert '1 of 2' in words(done) and 'carol' in words(done), words(done)
    done = gate.cli('approval', 'sign', number, '--yes', who='bob', check=False)
    assert done.returncode == 1 and 'already' in words(done)
    assert states(gate)['kek-1'] == 'active'
    done = gate.cli('approval', 'run', number, check=False)
    assert done.returncode == 6, words(done)
    gate.cli('approval', 'sign', number, '--yes', who='carol')
    assert states(gate)['kek-1'] == 'destroyed'
    assert request_state(gate, number) == 'consumed'
    kinds = [entry['type'] for _, entry in gate.log_entries() if entry.get('object') == f'approval:{number}']
    assert kinds == ['approval.open', 'approval.sign', 'approval.sign', 'approval.sign', 'approval.consume']
    last = [entry for _, entry in gate.log_entries() if entry['type'] == 'approval.consume'][-1]
    assert 'approved by bob, carol' in last['detail']


def test_signature_by_a_file_of_ones_own(gate):
    """dora has no credential: any operator's carries her signature."""
    number = gate.request('key', 'create', 'mac-1', '--class', 'data-mac')
    gate.cli('approval', 'sign', number, '--yes', '--as', 'dora', '--key', str(gate.dora))
    done = gate.cli('approval', 'sign', number, '--yes', '--as', 'carol', '--key', str(gate.dora), check=False)
    assert done.returncode == 1 and 'not by' in words(done)
    gate.cli('approval', 'sign', number, '--yes', who='carol')
    assert states(gate)['mac-1'] == 'active'


def test_rejection_ends_it(gate):
    number = gate.request('key', 'create', 'never', '--class', 'data-kek')
    gate.cli('approval', 'reject', number, '--yes', who='carol')
    assert request_state(gate, number) == 'rejected'
    done = gate.cli('approval', 'sign', number, '--yes', who='bob', check=False)
    assert done.returncode == 1, words(done)
    assert 'never' not in states(gate)


def test_requests_outlive_a_restart(gate):
    """Half approved before kill -9, approved after it; and used once only."""
    number = gate.request('key', 'create', 'kek-2', '--class', 'data-kek')
    gate.cli('approval', 'sign', number, '--yes', who='bob')
    gate.kill()
    gate.start()
    assert gate.json('approval', 'show', number)['have'] == 1
    gate.cli('approval', 'sign', number, '--yes', who='carol')
    assert states(gate)['kek-2'] == 'active'
    gate.stop()
    gate.start()
    done = gate.cli('approval', 'run', number, check=False)
    assert done.returncode == 1 and 'consumed' in words(done), words(done)


def test_older_approvals_are_refused(gate):
    """Who brings the file from before the approval back gets a keeper that does not start."""
    vault = gate.state / 'keeper'
    number = gate.request('key', 'create', 'kek-3', '--class', 'data-kek')
    gate.cli('approval', 'sign', number, '--yes', who='bob')
    before = (vault / 'approvals').read_bytes()
    gate.cli('approval', 'sign', number, '--yes', who='carol')
    gate.stop()
    after = (vault / 'approvals').read_bytes()
    for bad in (before, after[:-1], after[:100] + bytes([after[100] ^ 1]) + after[101:], b''):
        (vault / 'approvals').write_bytes(bad)
        gate.start(wait=False)
        gate.process.wait(20)
        assert gate.process.returncode != 0
        assert 'approvals' in gate.log()[-2000:]
    (vault / 'approvals').write_bytes(after)
    gate.start()
    assert states(gate)['kek-3'] == 'active'


def test_people_change_by_approval(gate, tmp_path):
    erin = tmp_path / 'erin.pub'
    erin.write_bytes(public_pem(new_key()))
    gate.approved('approval', 'enroll', 'erin', '--public', str(erin), by=('bob', 'carol'))
    assert 'erin' in words(gate.cli('approval', 'roster'))
    gate.approved('approval', 'dismiss', 'dora', by=('bob', 'carol'))
    assert 'dora' not in words(gate.cli('approval', 'roster'))
    number = gate.request('key', 'create', 'kek-4', '--class', 'data-kek')
    done = gate.cli('approval', 'sign', number, '--yes', '--as', 'dora', '--key', str(gate.dora), check=False)
    assert done.returncode == 1 and 'not enrolled' in words(done)
    gate.cli('approval', 'reject', number, '--yes')
    gate.approved('approval', 'dismiss', 'erin', by=('bob', 'carol'))
    done = gate.cli('approval', 'dismiss', 'carol', check=False)
    assert done.returncode == 1 and 'nobody could approve' in words(done), words(done)


def test_one_person_alone(tmp_path):
    """Nothing that needs another works; enrolling the second person does, by the first one's signature."""
    gate = Gate(tmp_path / 'gate', '--operator', 'alice').start()
    try:
        assert 'not possible' in words(gate.init_done)
        done = gate.cli('key', 'create', 'kek', '--class', 'data-kek', check=False)
        assert done.returncode == 1 and 'enrol' in words(done), words(done)
        key = new_key()
        (tmp_path / 'bob.pub').write_bytes(public_pem(key))
        (tmp_path / 'bob.key').write_bytes(key_pem(key))
        (tmp_path / 'bob.key').chmod(0o600)
        gate.cli('approval', 'enroll', 'bob', '--public', str(tmp_path / 'bob.pub'))
        number = gate.request('key', 'create', 'kek', '--class', 'data-kek')
        gate.cli('approval', 'sign', number, '--yes', '--as', 'bob', '--key', str(tmp_path / 'bob.key'))
        assert states(gate)['kek'] == 'active'
    finally:
        gate.stop()


@pytest.mark.skipif(not SOFTHSM or not shutil.which('softhsm2-util'),
                    reason='SoftHSM is not installed')
def test_approver_with_a_token(tmp_path, monkeypatch):
    """tom's key lives in a PKCS#11 token (SoftHSM: SIMULATED hardware); it never leaves it."""
    tokens = tmp_path / 'tokens'
    tokens.mkdir()
    (tmp_path / 'softhsm2.conf').write_text(f'directories.tokendir = {tokens}\nobjectstore.backend = file\n')
    monkeypatch.setenv('SOFTHSM2_CONF', str(tmp_path / 'softhsm2.conf'))
    run('softhsm2-util', '--init-token', '--free', '--label', 'tom', '--so-pin', '12345678', '--pin', '87654321')
    pin = tmp_path / 'pin'
    pin.write_text('87654321')
    pin.chmod(0o600)
    uri = f'pkcs11:token=tom;object=approver?module-path={SOFTHSM}&pin-source=file:{pin}'
    run(KEYWRIGHT, 'approval', 'keygen', uri, '--out', tmp_path / 'tom.pub')
    gate = Gate(tmp_path / 'gate', '--operator', 'alice', '--approver', f'tom={tmp_path}/tom.pub').start()
    try:
        number = gate.request('key', 'create', 'kek', '--class', 'data-kek')
        gate.cli('approval', 'sign', number, '--yes', '--as', 'tom', '--key', uri)
        assert states(gate)['kek'] == 'active'
    finally:
        gate.stop()


def test_each_vault_has_its_own_requests(tmp_path):
    """A key of the second vault: asked, approved and used there, under a number of its own."""
    secret = tmp_path / 'secret'
    secret.write_text('correct horse battery staple\n')
    secret.chmod(0o600)
    (tmp_path / 'vaults.yaml').write_text('vaults:\n'
                                          f'  - {{name: data, unlock: "passphrase-file:{secret}", keys: [data-kek]}}\n')
    gate = Gate(tmp_path / 'gate', '--operator', 'alice', '--approver', 'bob', '--vaults', tmp_path / 'vaults.yaml').start()
    try:
        first = gate.approved('key', 'create', 'mac-1', '--class', 'data-mac')
        second = gate.approved('key', 'create', 'data-kek', '--class', 'data-kek')
        assert (first, second) == ('1', '1000001')
        assert states(gate)['data-kek'] == states(gate)['mac-1'] == 'active'
        items = gate.json('approval', 'list')['items']
        assert [(item['id'], item['state']) for item in items] == [(1, 'consumed'), (1000001, 'consumed')]
        vaults = {item['text'].splitlines()[1] for item in items}
        assert len(vaults) == 2
        assert 'bob' in words(gate.cli('approval', 'roster', '--in-vault', 'data'))
        gate.approved('approval', 'rule', 'key-destroy', '--approvals', '1', '--hours', '1', '--in-vault', 'data')
        assert '3600' in words(gate.cli('approval', 'roster', '--in-vault', 'data'))
        assert '3600' not in words(gate.cli('approval', 'roster'))
    finally:
        gate.stop()


def test_a_request_lapses_by_the_clock(tmp_path):
    """What nobody signed in time is over, for signers, for who asks again to run it, and after the clock is right again."""
    profiles = tmp_path / 'profiles'
    shutil.copytree(SOURCE / 'profiles', profiles)
    rules = profiles / 'approvals/rules.yaml'
    text = rules.read_text()
    assert re.search('hours: *[0-9]+', text)
    rules.write_text(re.sub('hours: *[0-9]+', 'hours: 2', text))
    gate = Gate(tmp_path / 'gate', '--profiles', profiles, '--approver', 'bob').start()
    late = gate.request('key', 'create', 'kek-1', '--class', 'data-kek')
    assert gate.stop() == 0
    gate.env = {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(3600)}
    gate.start()
    in_time = gate.request('key', 'create', 'kek-2', '--class', 'data-kek')
    assert request_state(gate, late) == 'open', 'an hour is none too long'
    assert gate.stop() == 0
    gate.env = {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(2 * 3600 + 60)}
    gate.start()
    done = gate.cli('approval', 'sign', late, '--yes', who='bob', check=False)
    assert done.returncode == 1 and f'the deadline of request {late} has passed' in done.stderr, words(done)
    assert gate.cli('approval', 'run', late, check=False).returncode == 1
    assert request_state(gate, late) == 'expired' and 'kek-1' not in states(gate)
    gate.cli('approval', 'sign', in_time, '--yes', who='bob')
    assert states(gate)['kek-2'] == 'active'
    assert gate.stop() == 0
