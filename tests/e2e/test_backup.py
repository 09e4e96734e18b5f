"""A store that was put back forgets nothing: what yesterday's copy un-revokes elsewhere is never good here."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from harness import KEEPER, KEYWRIGHT, SOURCE, Gate, csr_der, fingerprint, new_key, ocsp_of, run, until, words


def listening(gate):
    try:
        return gate.operators_get('/healthz', who=None).status
    except OSError:
        return None


def quiet(gate):
    """Until the CRLs that were due are made."""
    sizes = []

    def still():
        sizes.append(gate.metric('log_entries'))
        time.sleep(0.5)
        return len(sizes) > 2 and sizes[-1] == sizes[-3]
    until('nothing is logged any more', still)


def put_back(gate, copy):
    shutil.rmtree(gate.state / 'store')
    shutil.copytree(copy, gate.state / 'store')


@pytest.fixture
def story(own_gate, tmp_path):
    """Yesterday's store, and what happened since."""
    gate = own_gate
    class Story:
        pass
    it = Story()
    it.gate = gate
    it.old, it.stolen = gate.device(), gate.device()
    gate.cli('cert', 'revoke', fingerprint(it.old.idevid.cert), '--reason', 'superseded')
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    gate.cli('cert', 'revoke', fingerprint(it.stolen.ldevid.cert), '--reason', 'keyCompromise')
    it.fresh = gate.device()
    it.retired = gate.device()
    gate.cli('device', 'retire', it.retired.id)
    it.unused = gate.register()
    quiet(gate)
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()  # nothing is signed behind the export
    it.log = tmp_path / 'log'
    it.yesterday = tmp_path / 'yesterday'
    return it


def test_yesterdays_store_is_never_believed(story):
    gate = story.gate
    put_back(gate, story.yesterday)
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)
    health = json.loads(gate.operators_get('/healthz', who=None).text)
    assert health['status'] == 'degraded' and 'put back' in health['gap']
    # never good: neither what was good yesterday nor what is not known
    assert ocsp_of(gate, story.stolen.ldevid.cert, 'devices') == 'TRY_LATER'
    assert ocsp_of(gate, story.fresh.ldevid.cert, 'devices') == 'TRY_LATER'
    assert ocsp_of(gate, story.old.idevid.cert, 'devices') == 'REVOKED'
    # operators look on, but change nothing
    assert 'thermostat-1' in gate.cli('device', 'list').stdout
    for verb in (('device', 'register', 'NEW-1', '--product', 'thermostat-1'),
                 ('cert', 'revoke', fingerprint(story.stolen.idevid.cert))):
        done = gate.cli(*verb, check=False)
        assert done.returncode == 4, words(done)
    # devices stay outside
    with pytest.raises(OSError):
        assert story.stolen.hello().status >= 500
        raise OSError
    before = gate.counts()
    answer = gate.enrol(csr_der(new_key(), story.unused[0]), secret=story.unused)
    assert answer.status == 503
    assert gate.counts() == before
    assert gate.stop() == 0


def test_the_log_heals_it(story):
    gate = story.gate
    put_back(gate, story.yesterday)
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', story.log)
    assert 'whole' in done.stdout
    gate.start()
    assert ocsp_of(gate, story.stolen.ldevid.cert, 'devices') == 'REVOKED'
    assert ocsp_of(gate, story.fresh.ldevid.cert, 'devices') == 'REVOKED'  # on hold: only the log knows it
    assert ocsp_of(gate, story.stolen.idevid.cert, 'devices') == 'GOOD'
    assert ocsp_of(gate, story.retired.idevid.cert, 'devices') == 'REVOKED'
    shown = gate.json('cert', 'show', fingerprint(story.fresh.ldevid.cert))
    assert shown['state'] == 'held'
    assert gate.json('device', 'show', story.retired.id)['state'] == 'retired'
    assert gate.json('device', 'show', story.stolen.id)['barred'] == 'keyCompromise'
    assert 'barred' not in gate.json('device', 'show', story.fresh.id)
    # a secret that was used, or given, meanwhile opens nothing
    assert gate.enrol(b'x', secret=(story.fresh.id, story.fresh.secret)).status in (400, 401)
    assert gate.enrol(b'x', secret=story.unused).status in (400, 401)
    # and life goes on, under heads and CRL numbers that only rise
    gate.device().hello()
    gate.cli('log', 'verify')
    gate.stop()


def test_a_log_that_is_not_ours_heals_nothing(story, tmp_path):
    gate = story.gate
    put_back(gate, story.yesterday)
    other = Gate(tmp_path / 'other').start()
    for _ in range(40):
        other.register()
    other.cli('log', 'export', '--out', tmp_path / 'other-log')
    other.stop()
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'other-log', check=False)
    assert done.returncode != 0
    bundle = [path for path in (story.log / 'tile/entries').rglob('*') if path.is_file()][0]
    octets = bytearray(bundle.read_bytes())
    octets[-5] ^= 1
    bundle.write_bytes(octets)
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', story.log, check=False)
    assert done.returncode == 5, words(done)
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)


def test_a_witness_is_believed(story):
    """Store and vault put back together: the keeper cannot know, a kept checkpoint does."""
    gate = story.gate
    put_back(gate, story.yesterday)
    shutil.copy(story.log / 'checkpoint', gate.state / 'store/seen.checkpoint')
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)
    gate.stop()
    (gate.state / 'store/seen.checkpoint').write_text('localhost/keywright\n99999\nAAAA\n')
    gate.start(wait=False)
    assert until('it refuses', lambda: gate.process.poll()) not in (None, 0)


# --- a loss that nobody can bring back --------------------------------------------------------------

def accept(gate, *options, check=True):
    return run(KEYWRIGHT, 'restore', 'accept-loss', '--state', gate.state, '--keeper', KEEPER, *options, check=check)


def test_a_loss_is_not_one_persons_to_accept(tmp_path):
    """Where the vault's rules say so, the keeper wants others' signatures, in a ceremony too."""
    profiles = tmp_path / 'profiles'
    shutil.copytree(SOURCE / 'profiles', profiles)
    with (profiles / 'approvals/rules.yaml').open('a') as rules:
        rules.write('  - {operation: log-line, approvals: 1, roles: security-officer, hours: 24}\n')
    gate = Gate(tmp_path / 'own', '--profiles', profiles, '--approver', 'bob', '--approver', 'eve:auditor')
    gate.start()
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    gate.register()
    quiet(gate)
    gate.kill()
    put_back(gate, tmp_path / 'yesterday')
    key = {name: gate.state / folder / 'operator.key' for name, folder in (('admin', 'admin'), ('bob', 'admin-bob'), ('eve', 'admin-eve'))}
    why, asked = ('--reason', 'the mirror burned'), ('--as', 'admin', '--key', key['admin'])
    for more in ((), asked, (*asked, '--approver', f'admin={key["admin"]}'), (*asked, '--approver', f'eve={key["eve"]}'),
                 (*asked, '--approver', f'bob={key["eve"]}')):
        refused = accept(gate, *why, *more, check=False)
        assert refused.returncode != 0 and 'verifier key' not in refused.stdout, words(refused)
    done = accept(gate, *why, *asked, '--approver', f'bob={key["bob"]}').stdout
    assert 'operation: log-line' in done and 'entries: ' in done and 'verifier key' in done
    gate.start()
    assert listening(gate) == 200
    assert gate.stop() == 0


def crl_number(gate, ca):
    crl = x509.load_der_x509_crl(gate.curl('relying', f'/crl/{ca}.crl').body)
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def vkey_of(gate):
    return json.loads(gate.operators_get('/api/v1/log').text)['vkey']


def log_keys(gate):
    return {row['id']: row['state'] for row in gate.json('key', 'list')['items'] if row['class'] == 'log-signer'}


def test_a_loss_is_accepted(own_gate, tmp_path):
    """No export: the log goes on under another name and key, and nothing of the gap is ever good."""
    gate = own_gate
    early = gate.device()
    gate.cli('cert', 'revoke', fingerprint(early.idevid.cert), '--reason', 'superseded')
    quiet(gate)
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    old_vkey = vkey_of(gate)
    fresh = gate.device()
    for _ in range(4):  # CRL numbers go on
        gate.cli('cert', 'revoke', fingerprint(gate.device().ldevid.cert), '--reason', 'keyCompromise')
        quiet(gate)
    number = crl_number(gate, 'devices')
    signed = gate.metric('log_entries')
    gate.kill()
    put_back(gate, tmp_path / 'yesterday')

    assert accept(gate, check=False).returncode == 2  # nobody accepts without a reason
    said = accept(gate, '--reason', 'the mirror burned too').stdout
    assert 'REVOCATIONS MADE IN IT ARE LOST' in said and f'{int(signed)} were signed' in said
    gate.start()
    assert listening(gate) == 200
    # never good; what was revoked before stays so
    assert ocsp_of(gate, fresh.ldevid.cert, 'devices') == 'UNAUTHORIZED'
    assert ocsp_of(gate, fresh.idevid.cert, 'devices') == 'UNAUTHORIZED'
    assert ocsp_of(gate, early.idevid.cert, 'devices') == 'REVOKED'
    assert ocsp_of(gate, early.ldevid.cert, 'devices') == 'GOOD'
    with pytest.raises(OSError):
        assert fresh.hello().status >= 400
        raise OSError
    # life goes on, under CRL numbers that only rise
    gate.cli('cert', 'revoke', fingerprint(gate.device().ldevid.cert), '--reason', 'keyCompromise')
    until('a CRL above the last', lambda: crl_number(gate, 'devices') > number)
    # no second history under the old name and key
    assert log_keys(gate) == {'log': 'deactivated', 'log-2': 'active'}
    vkey = vkey_of(gate)
    origin = vkey.split('+')[0]
    # the old line's last head stays to be had
    old_head = gate.ask('relying', 'GET', '/log/checkpoint/1').text
    assert old_head.split('\n')[0] == old_vkey.split('+')[0]
    assert gate.ask('relying', 'GET', '/log/checkpoint/2').status == 404
    assert origin == old_vkey.split('+')[0] + '/2' and vkey in said
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    told = run(KEYWRIGHT, 'log', 'verify', tmp_path / 'log', '--vkey', vkey).stdout
    assert 'break at entry' in told and 'the mirror burned too' in told and f'of {int(signed)} that were signed' in told
    assert run(KEYWRIGHT, 'log', 'verify', tmp_path / 'log', '--vkey', old_vkey, check=False).returncode != 0
    events = [entry for _, entry in gate.log_entries() if entry['type'] == 'log.loss']
    assert len(events) == 1 and events[0]['actor'].startswith('local:')
    # what was signed before the loss is accounted for; what was signed in it is told once
    unaccounted = [entry for _, entry in gate.log_entries() if entry['type'] == 'key.unaccounted']
    assert any(entry['key'] == 'ca-devices' for entry in unaccounted)
    gate.cli('log', 'verify')
    gate.stop()
    assert 'nothing is missing' in accept(gate, '--reason', 'again', check=False).stderr

    # and once more, from a copy that does not know of the first time
    put_back(gate, tmp_path / 'yesterday')
    gate.start(wait=False)
    assert until('it refuses', lambda: gate.process.poll()) not in (None, 0)
    accept(gate, '--reason', 'and again')
    gate.start()
    assert vkey_of(gate).split('+')[0] == old_vkey.split('+')[0] + '/3'
    assert log_keys(gate) == {'log': 'deactivated', 'log-2': 'deactivated', 'log-3': 'active'}
    gate.device().hello()
    gate.cli('log', 'verify')
    # the new line's key has successors as the first one had
    gate.cli('key', 'rotate', 'log-3')
    until('both sign', lambda: gate.cli('log', 'verify').returncode == 0)
    assert vkey_of(gate).split('+')[0] == old_vkey.split('+')[0] + '/3'
    gate.stop()
    gate.start()
    gate.cli('log', 'verify')
    gate.stop()


def test_a_loss_is_accepted_whenever_it_is_killed(story):
    """Never two lines that both can be signed; doing it again goes on, so one line is begun and the loss told once."""
    gate = story.gate
    put_back(gate, story.yesterday)
    command = [KEYWRIGHT, 'restore', 'accept-loss', '--state', gate.state, '--keeper', KEEPER, '--reason', 'killed']
    for delay in (0.02, 0.05, 0.08, 0.1, 0.12, 0.14, 0.17, 0.2):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        time.sleep(0.2)  # its keeper ends with it
    def at_last():  # the keeper of the killed one may hold the vault yet
        done = accept(gate, '--reason', 'at last', check=False)
        return (done.returncode == 0 or 'nothing is missing' in done.stderr) and done
    until('it is accepted', at_last)
    gate.start()
    assert log_keys(gate) == {'log': 'deactivated', 'log-2': 'active'}
    assert [entry['type'] for _, entry in gate.log_entries()].count('log.loss') == 1
    assert ocsp_of(gate, story.fresh.ldevid.cert, 'devices') == 'UNAUTHORIZED'
    gate.cli('log', 'verify')
    gate.stop()


def test_no_loss_is_accepted_where_none_is(story):
    """Neither of a whole store, nor where the vault was put back as well: its counters cannot be trusted."""
    gate = story.gate
    assert 'nothing is missing' in accept(gate, '--reason', 'x', check=False).stderr
    shutil.copytree(gate.state / 'keeper', story.log.parent / 'keeper', ignore=shutil.ignore_patterns('*.sock'))
    shutil.copytree(gate.state / 'store', story.log.parent / 'today')
    gate.start()
    gate.register()
    quiet(gate)
    gate.cli('log', 'export', '--out', story.log.parent / 'later')
    gate.kill()
    shutil.rmtree(gate.state / 'keeper')
    shutil.copytree(story.log.parent / 'keeper', gate.state / 'keeper')
    put_back(gate, story.yesterday)
    shutil.copy(story.log.parent / 'later/checkpoint', gate.state / 'store/seen.checkpoint')
    done = accept(gate, '--reason', 'x', check=False)
    assert done.returncode != 0 and 'vault was put back too' in done.stderr, words(done)
    # the log heals it as before: nothing was changed
    run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', story.log.parent / 'later')
    gate.start()
    assert log_keys(gate) == {'log': 'active'}
    gate.stop()


# --- backups ---------------------------------------------------------------------------------------

def recovery(gate, out, shares='2,3'):
    return run(KEYWRIGHT, 'backup', 'keys', '--state', gate.state, '--keeper', KEEPER, '--shares', shares, '--out', out)


def shares_of(folder, *numbers):
    return ','.join(str(folder / f'recovery-share-{n}.txt') for n in numbers)


@pytest.fixture(scope='module')
def kept(tmp_path_factory):
    """A server with a recovery key, and a backup of it that was made while devices enrolled."""
    folder = tmp_path_factory.mktemp('kept')

    class It:
        pass
    it = It()
    it.folder, it.gate, it.shares = folder, Gate(folder / 'gate'), folder / 'shares'
    it.said = recovery(it.gate, it.shares).stdout
    gate = it.gate.start()
    it.device = gate.device()
    it.file = folder / 'backup.kwb'
    stop, enrolled = threading.Event(), []

    def load():
        while not stop.is_set():
            enrolled.append(gate.device())
    busy = threading.Thread(target=load)
    busy.start()
    until('devices enrol', lambda: len(enrolled) > 2)
    before = len(enrolled)
    it.created = gate.cli('backup', 'create', '--out', it.file)
    stop.set()
    busy.join()
    it.before = enrolled[:before]
    yield it
    if gate.alive():
        gate.stop()


def verify(path, *options, check=True):
    return run('env', '-i', 'PATH=/usr/bin:/bin', KEYWRIGHT, 'backup', 'verify', path, *options, check=check)


def test_made_while_serving(kept):
    assert 'read back and tried' in kept.said
    assert kept.file.stat().st_mode & 0o077 == 0
    assert not list((kept.gate.state / 'store').glob('backup*'))
    assert not kept.file.with_suffix('.kwb.part').exists()
    rows = [entry for _, entry in kept.gate.log_entries() if entry['type'] == 'backup.create']
    assert len(rows) == 1 and rows[0]['object'].split(':')[1] in kept.created.stdout


def test_verified_without_and_with_shares(kept):
    said = verify(kept.file).stdout
    assert 'speaks of it' in said and 'needs the shares' in said
    vkey = kept.gate.json('log', 'verify') and json.loads(kept.gate.operators_get('/api/v1/log').text)['vkey']
    verify(kept.file, '--vkey', vkey)
    assert verify(kept.file, '--vkey', vkey[:-4] + 'AAAA', check=False).returncode != 0
    for two in ((1, 2), (2, 3), (3, 1)):
        said = verify(kept.file, '--share-file', shares_of(kept.shares, *two)).stdout
        assert 'the store is sound' in said
    assert 'ca-devices' in said and 'NOT in this backup' in said
    assert verify(kept.file, '--share-file', shares_of(kept.shares, 1), check=False).returncode == 1


def test_other_shares_open_nothing(kept, tmp_path):
    other = Gate(tmp_path / 'other')
    recovery(other, tmp_path / 'shares')
    done = verify(kept.file, '--share-file', shares_of(tmp_path / 'shares', 1, 2), check=False)
    assert done.returncode == 1 and 'another recovery key' in done.stderr


def test_every_region_altered_is_found(kept, tmp_path):
    """Head, sealed key, lengths, ciphertext, tags, trailer: without any share."""
    good = kept.file.read_bytes()
    bad = tmp_path / 'bad.kwb'
    chunk = 156 + 4 + (64 << 10) + 16
    trailer = good.rindex(b'KWTRAIL1')
    places = [0, 7, 8, 23, 24, 31, 32, 63, 64, 100, 155, 156, 157, 159, 160, 1000, chunk - 1, chunk, chunk + 3, chunk + 4,
              trailer - 1, trailer, trailer + 8, trailer + 20, trailer + 300, len(good) - 2]
    for at in places:
        octets = bytearray(good)
        octets[at] ^= 1
        bad.write_bytes(octets)
        done = verify(bad, check=False)
        assert done.returncode != 0 and done.stderr.strip(), f'octet {at} altered, not found'
    for size in (0, 7, 100, 156, 160, chunk, chunk + 2, trailer - 1, trailer, trailer + 9, len(good) - 1):
        bad.write_bytes(good[:size])
        assert verify(bad, check=False).returncode != 0, f'cut to {size}, not found'
    bad.write_bytes(good + b'x')
    assert verify(bad, check=False).returncode != 0


def test_chunks_exchanged_or_of_another_backup(kept, tmp_path):
    """Also where the log's proof is not looked at first: the content itself refuses."""
    other = tmp_path / 'other.kwb'
    kept.gate.cli('backup', 'create', '--out', other)
    first, second = kept.file.read_bytes(), other.read_bytes()
    one = 4 + (64 << 10) + 16
    assert len(first) > 156 + 2 * one, 'the store is too small for this test'
    bad = tmp_path / 'bad.kwb'
    swapped = first[:156] + first[156 + one:156 + 2 * one] + first[156:156 + one] + first[156 + 2 * one:]
    for octets in (swapped, first[:156] + second[156:156 + one] + first[156 + one:], second[:156] + first[156:],
                   first[:156 + one] + first[156 + 2 * one:]):
        bad.write_bytes(octets)
        done = verify(bad, '--share-file', shares_of(kept.shares, 1, 2), check=False)
        assert done.returncode == 5, words(done)


def test_no_secret_in_it(kept, tmp_path):
    """Neither in the file nor in what it unpacks to: signing keys, passphrase, shares, the operator's key."""
    gate = kept.gate
    canaries = [(gate.state / 'keeper.passphrase').read_bytes().strip()]
    operator = load_pem_private_key((gate.state / 'admin/operator.key').read_bytes(), None)
    canaries.append(operator.private_numbers().private_value.to_bytes(32, 'big'))
    canaries += [path.read_bytes()[40:] for path in (gate.state / 'keeper/keys').iterdir()]
    run(KEYWRIGHT, 'restore', kept.file, '--state', tmp_path / 'out', '--share-file', shares_of(kept.shares, 1, 3))
    files = [kept.file] + [path for path in (tmp_path / 'out').rglob('*') if path.is_file()]
    assert any(path.name == 'export' for path in files)
    for path in files:
        octets = path.read_bytes()
        for canary in canaries:
            assert canary not in octets, path


def restored(kept, to, *options):
    return run(KEYWRIGHT, 'restore', kept.file, '--state', to, '--share-file', shares_of(kept.shares, 2, 3),
               *options, check=False)


def test_restored_elsewhere_with_the_vault_that_survived(kept, tmp_path):
    """The whole story: lost store, surviving vault, yesterday's backup, today's log."""
    gate = kept.gate
    if not gate.alive():
        gate.start()
    gate.cli('cert', 'revoke', fingerprint(kept.device.ldevid.cert), '--reason', 'keyCompromise')
    quiet(gate)
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()
    lost = tmp_path / 'lost'
    gate.state.rename(lost)
    try:
        done = restored(kept, gate.state, '--vault', lost / 'keeper', '--unlock',
                        f'passphrase-file:{lost}/keeper.passphrase')
        assert done.returncode == 0, words(done)
        shutil.copytree(lost / 'admin', gate.state / 'admin')
        gate.start(wait=False)
        until('it listens', lambda: listening(gate) == 503)
        assert ocsp_of(gate, kept.device.ldevid.cert, 'devices') == 'TRY_LATER'
        gate.stop()
        run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'log')
        gate.start()
        assert ocsp_of(gate, kept.device.ldevid.cert, 'devices') == 'REVOKED'
        for device in kept.before:  # what was durable before the backup is in it
            assert ocsp_of(gate, device.ldevid.cert, 'devices') == 'GOOD'
        gate.device().hello()
        gate.cli('log', 'verify')
        again = tmp_path / 'again.kwb'
        gate.cli('backup', 'create', '--out', again)
        verify(again, '--share-file', shares_of(kept.shares, 1, 2))
    finally:
        if gate.alive():
            gate.stop()


def test_several_vaults_that_survived(tmp_path):
    vaults = tmp_path / 'vaults.yaml'
    vaults.write_text('vaults:\n  - name: "issuing"\n    unlock: "passphrase-file:keeper.passphrase"\n    keys: ["ca-*"]\n')
    gate = Gate(tmp_path / 'gate', '--approver', 'bob', '--vaults', vaults)
    shares, file = tmp_path / 'shares', tmp_path / 'one.kwb'
    recovery(gate, shares)
    gate.start()
    gate.approved('key', 'create', 'short', '--class', 'data-kek')
    gate.approved('key', 'destroy', 'short', '--reason', 'end')
    gate.cli('backup', 'create', '--out', file)
    quiet(gate)
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()
    lost = tmp_path / 'lost'
    gate.state.rename(lost)

    def again(*vaults):
        return run(KEYWRIGHT, 'restore', file, '--state', gate.state, '--share-file', shares_of(shares, 1, 2),
                   '--unlock', f'passphrase-file:{lost}/keeper.passphrase', '--vault', ','.join(vaults), check=False)
    assert 'no vault' in words(again(f'other={lost}/keeper'))
    assert 'named twice' in words(again(f'main={lost}/keeper', f'{lost}/keeper'))
    assert not gate.state.exists()
    done = again(f'main={lost}/keeper', f'issuing={lost}/keeper-issuing')
    assert done.returncode == 0, words(done)
    assert (gate.state / 'keeper/destroyed/short.statement').exists()
    shutil.copytree(lost / 'admin', gate.state / 'admin')
    run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'log')
    gate.start()
    gate.device().hello()
    gate.stop()


def test_restore_writes_over_nothing(kept, tmp_path):
    full = tmp_path / 'full'
    full.mkdir()
    (full / 'mine').write_text('x')
    assert restored(kept, full).returncode == 1
    assert (full / 'mine').read_text() == 'x' and len(list(full.iterdir())) == 1
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert restored(kept, empty).returncode == 0
    assert (empty / 'store/keywright.db').stat().st_mode & 0o777 == 0o600
    octets = bytearray(kept.file.read_bytes())
    octets[5000] ^= 1
    broken = tmp_path / 'broken.kwb'
    broken.write_bytes(octets)
    done = run(KEYWRIGHT, 'restore', broken, '--state', tmp_path / 'new', '--share-file', shares_of(kept.shares, 1, 2),
               check=False)
    assert done.returncode == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ['broken.kwb', 'empty', 'full']


def test_killed_while_restoring(kept, tmp_path):
    """The state folder is whole or not there."""
    command = [KEYWRIGHT, 'restore', kept.file, '--state', tmp_path / 'state', '--share-file', shares_of(kept.shares, 1, 2)]
    for delay in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if (tmp_path / 'state').exists():
            assert (tmp_path / 'state/store/keywright.db').exists() and (tmp_path / 'state/run').exists()
            break
    if not (tmp_path / 'state').exists():
        run(*command)
    assert not (tmp_path / 'state.restoring').exists()


def test_killed_while_creating(kept, tmp_path):
    gate = kept.gate
    if not gate.alive():
        gate.start()
    out = tmp_path / 'out.kwb'
    for delay in (0.01, 0.05, 0.1):
        process = subprocess.Popen([str(KEYWRIGHT), 'backup', 'create', '--out', str(out)],
                                   env={'KEYWRIGHT_ADMIN': str(gate.state / 'admin')},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if out.exists():
            verify(out)
            out.unlink()
    gate.kill()
    gate.start()
    assert not list((gate.state / 'store').glob('backup*'))
    gate.cli('backup', 'create', '--out', out)
    verify(out)


def test_without_a_recovery_key_there_is_no_backup(gate, tmp_path):
    done = gate.cli('backup', 'create', '--out', tmp_path / 'x.kwb', check=False)
    assert done.returncode != 0 and 'backup keys' in done.stderr
    assert not (tmp_path / 'x.kwb').exists()


def test_recovery_key_under_approval(tmp_path):
    """With people, nobody sets another recovery key alone; the shares wait for their approval."""
    one = Gate(tmp_path / 'people', '--approver', 'bob').start()
    first = one.cli('backup', 'keys', '--out', tmp_path / 'shares', check=False)
    assert first.returncode != 0
    assert one.cli('backup', 'create', '--out', tmp_path / 'x.kwb', check=False).returncode != 0
    number = json.loads(one.cli('approval', 'list', '--json').stdout)['items'][0]['id']
    run(KEYWRIGHT, 'approval', 'sign', number, '--yes', env={'KEYWRIGHT_ADMIN': str(one.state / 'admin-bob')})
    one.cli('backup', 'keys', '--out', tmp_path / 'shares', '--approval', number)
    one.cli('backup', 'create', '--out', tmp_path / 'x.kwb')
    verify(tmp_path / 'x.kwb', '--share-file', shares_of(tmp_path / 'shares', 1, 3))
    one.stop()


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs with too little room for a backup; needs to be allowed to mount."""
    place = tmp_path / 'small'
    place.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'keywright-test', place], check=False,
                          capture_output=True)
    if done.returncode != 0:
        pytest.skip('mount is not allowed here')
    yield place
    subprocess.run(['umount', place], check=True)


def test_full_disk(kept, small_disk):
    """No half file with the final name, no half folder, and the disk is empty again."""
    gate = kept.gate
    if not gate.alive():
        gate.start()
    done = gate.cli('backup', 'create', '--out', small_disk / 'backup.kwb', check=False)
    assert done.returncode == 4 and 'No space' in done.stderr, words(done)
    done = restored(kept, small_disk / 'state')
    assert done.returncode == 4, words(done)
    assert not list(small_disk.iterdir())


def test_a_backup_that_cannot_be_written(kept, tmp_path):
    """No backup, and it serves on; the next one is made."""
    gate = kept.gate
    if not gate.alive():
        gate.start()
    place = gate.state / 'store/backup.tmp'
    gate.cli('backup', 'create', '--out', tmp_path / 'fine.kwb')
    assert not place.exists()
    place.mkdir()  # in its way
    try:
        done = gate.cli('backup', 'create', '--out', tmp_path / 'none.kwb', check=False)
        assert done.returncode != 0 and not (tmp_path / 'none.kwb').exists()
    finally:
        place.rmdir()
    gate.device().hello()
    gate.cli('backup', 'create', '--out', tmp_path / 'again.kwb')
    verify(tmp_path / 'again.kwb')


def test_several_vaults(tmp_path):
    """Each vault's keys are listed; one that is sealed is left out, and the log says so."""
    (tmp_path / 'vaults.yaml').write_text(
        'vaults:\n  - name: "issuing"\n    unlock: "passphrase-file:keeper.passphrase"\n    keys: ["ca-*", "ocsp-*"]\n')
    one = Gate(tmp_path / 'own', '--vaults', tmp_path / 'vaults.yaml')
    recovery(one, tmp_path / 'shares')
    one.start()
    one.cli('backup', 'create', '--out', tmp_path / 'a.kwb')
    said = verify(tmp_path / 'a.kwb', '--share-file', shares_of(tmp_path / 'shares', 1, 2)).stdout
    main, _, issuing = said.partition('vault          issuing')
    assert 'ca-devices' in issuing and 'tls-server' in main and 'ca-devices' not in main
    one.cli('vault', 'seal', 'issuing')
    one.cli('backup', 'create', '--out', tmp_path / 'b.kwb')
    verify(tmp_path / 'b.kwb')
    told = [entry for _, entry in one.log_entries() if entry['type'] == 'backup.create']
    assert 'without vault issuing' in told[-1]['detail'] and 'without' not in told[0]['detail']
    one.stop()


def bring(gate, file, shares, check=True):
    return run(KEYWRIGHT, 'restore', 'secrets', file, '--state', gate.state, '--keeper', KEEPER,
               '--share-file', shares_of(shares, 1, 3), check=check)


def test_escrowed_secrets_come_back_and_destroyed_ones_do_not(tmp_path):
    """The vault is lost: another server opens the data again. What was destroyed since stays so."""
    def post(gate, path, **body):
        reply = gate.ask('operators', 'POST', f'/api/v1/data-keys{path}', body=json.dumps(body).encode(),
                         headers={'content-type': 'application/json'}, who=gate.operator)
        assert reply.status < 300, reply
        return json.loads(reply.body)
    gate, shares, file = Gate(tmp_path / 'gate', '--approver', 'bob'), tmp_path / 'shares', tmp_path / 'one.kwb'
    recovery(gate, shares)
    gate.start()
    for name, options in (('kept', ['--escrow']), ('gone', ['--escrow']), ('own', [])):
        gate.approved('key', 'create', name, '--class', 'data-kek', *options)
    key = post(gate, '', id='disk', kek='kept', context='disk', give_key=True)['key']
    assert gate.cli('key', 'create', 'tls-2', '--class', 'provisioning-signer', '--escrow', check=False).returncode == 2
    gate.cli('backup', 'create', '--out', file)
    listed = {row['id']: row['keys'] for row in gate.json('backup', 'list')['items']}
    assert len(listed) == 1 and all(sorted(keys.split()) == ['gone', 'kept'] for keys in listed.values()), listed
    assert len(gate.json('backup', 'list', '--key', 'gone')['items']) == 1
    assert gate.json('backup', 'list', '--key', 'own')['items'] == []
    gate.approved('key', 'destroy', 'gone', '--reason', 'end of the project')
    gate.stop()
    said = bring(gate, file, shares).stdout
    assert 'left out: it was destroyed, the log says' in said and 'its vault knows it' in said

    other = Gate(tmp_path / 'other')
    assert bring(other, file, tmp_path / 'gate', check=False).returncode != 0  # no shares there
    said = bring(other, file, shares).stdout
    assert said.count('brought back') == 3 and '1 brought back' in said, said  # two keys, one data key
    other.start()
    assert post(other, '/disk/unwrap')['key'] == key
    assert {entry['object'] for _, entry in other.log_entries() if entry['type'] == 'backup.restore'} == {
        'key:kept', 'key:gone'}
    assert other.cli('doctor', check=False).returncode == 0
    other.stop()
    again = bring(other, file, shares).stdout
    assert again.count('its vault knows it') == 2 and '0 brought back' in again


def test_nothing_stays_of_a_backup_that_was_looked_at(kept):
    """Killed in the middle, too: what was decrypted goes."""
    def left():
        return {path for path in pathlib.Path('/tmp').glob('keywright-backup-*') if path.stat().st_uid == os.getuid()}
    before = left()
    for wait_s in (0.005, 0.02, 0.05, 0.1):
        process = subprocess.Popen([KEYWRIGHT, 'backup', 'verify', kept.file, '--share-file', shares_of(kept.shares, 1, 2)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait_s)
        process.kill()
        process.wait()
    verify(kept.file, '--share-file', shares_of(kept.shares, 1, 2))
    until('all is gone', lambda: left() <= before)
