"""keywright-agent on a soft root of trust and on a TPM (swtpm, SIMULATED): a device's life, and what can go wrong."""
import json
import random
import shutil
import subprocess
import time

import pytest
from cryptography import x509
from harness import AGENT, Agent, Gate, Tpm, fingerprint, free_ports, key_id, need, run, until, words



EXITS = {'ok': 0, 'refused': 1, 'usage': 2, 'not trusted': 3, 'unavailable': 4, 'no identity': 5, 'lost': 6}


@pytest.fixture(params=['soft', 'tpm2'])
def agent(request, gate, tmp_path):
    """A registered device's agent, not enrolled yet."""
    one = Agent(gate, tmp_path / 'agent', gate.new_id('AGT'))
    if request.param == 'tpm2':
        tpm = request.getfixturevalue('tpm')
        one.tpm = tpm
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.put_secret(gate.register(one.id)[1])
    return one


def soft(gate, folder, secret=True):
    one = Agent(gate, folder, gate.new_id('AGT'))
    _, text = gate.register(one.id)
    if secret:
        one.put_secret(text)
    return one


def expect(done, exit_, why=''):
    assert done.returncode == EXITS[exit_], (done.returncode, words(done))
    if exit_ != 'ok':
        assert done.stderr.startswith(('keywright-agent', 'usage')), words(done)
    assert why in words(done), words(done)
    assert '.c:' not in words(done)
    return done


def certs_of(gate, device):
    return gate.json('cert', 'list', '--owner', f'device:{device}')['items']


def test_life(gate, agent, tmp_path):
    expect(agent.do('hello', check=False), 'usage', 'must be given the first time')
    expect(agent.enrol(check=False), 'ok', agent.id)
    status = agent.status()
    assert status['device_id'] == agent.id and status['idevid'] == fingerprint(agent.cert('idevid'))
    assert status['ldevid'] == fingerprint(agent.cert('ldevid')) and status['previous'] == ''
    assert status['not_after'] > status['renew_at']
    shown = gate.json('device', 'show', agent.id)
    assert (shown['state'], shown['simulated']) == ('active', 'tpm2' in agent.rot)
    agent.do('hello')
    agent.do('hello', '--with', 'idevid')
    expect(agent.do('renew'), 'ok', 'not due')

    old = agent.cert('ldevid')
    expect(agent.do('renew', '--force'), 'ok', 'renewed')
    new = agent.cert('ldevid')
    assert key_id(old.public_key()) != key_id(new.public_key()) and old.subject == new.subject
    assert agent.status()['previous'] == fingerprint(old)
    for which in ('current', 'previous', 'idevid'):
        agent.do('hello', '--with', which)
    agent.do('renew', '--force')
    agent.do('renew', '--force')
    assert sorted(cert['state'] for cert in certs_of(gate, agent.id)) == ['superseded'] * 3 + ['valid'] * 2

    (tmp_path / 'reading').write_text('21.5 degrees')
    agent.do('sign', tmp_path / 'reading', '--out', tmp_path / 'sig')
    public = run('openssl', 'x509', '-in', agent.state / 'ldevid.pem', '-noout', '-pubkey').stdout
    (tmp_path / 'public.pem').write_text(public)
    run('openssl', 'dgst', '-sha256', '-verify', tmp_path / 'public.pem', '-signature', tmp_path / 'sig',
        tmp_path / 'reading')

    keys = [key_id(agent.cert(name).public_key()) for name in ('idevid', 'ldevid', 'ldevid-previous')]
    expect(agent.do('wipe'), 'ok', 'receipts')
    for key in keys:
        assert gate.json('key', 'show', key)['state'] == 'destroyed'
    assert not [cert for cert in certs_of(gate, agent.id) if cert['state'] == 'valid']
    expect(agent.do('hello', check=False), 'no identity', 'wiped')
    assert not list(agent.state.rglob('*.key')) and not (agent.state / 'ldevid.pem').exists()
    receipts = [entry for _, entry in gate.log_entries() if entry['type'] == 'key.destroy' and agent.id in json.dumps(entry)]
    assert len(receipts) >= 3
    if 'tpm2' in agent.rot:
        assert '0x81004b' not in words(agent.tpm.tool('tpm2_getcap', 'handles-persistent')).lower()


def test_enrolling_again_after_a_wipe(gate, agent):
    agent.enrol()
    before = key_id(agent.cert('idevid').public_key())
    agent.do('wipe')
    expect(agent.enrol(check=False), 'refused', 'used already')
    agent.put_secret(gate.json('device', 'secret', agent.id)['secret'])
    expect(agent.enrol(check=False), 'ok')
    assert key_id(agent.cert('idevid').public_key()) != before
    agent.do('hello')


def test_enrol_twice_changes_nothing(gate, agent):
    agent.enrol()
    before = certs_of(gate, agent.id)
    expect(agent.enrol(check=False), 'ok')
    assert certs_of(gate, agent.id) == before


def test_tpm_keys_cannot_leave(gate, tpm, tmp_path):
    one = Agent(gate, tmp_path / 'agent', gate.new_id('AGT'), rot=None)
    one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.join()
    handles = [line.split()[1] for line in tpm.tool('tpm2_getcap', 'handles-persistent').stdout.splitlines()
               if '0x81004b' in line.lower()]
    assert len(handles) == 2
    publics = set()
    for handle in handles:
        said = tpm.tool('tpm2_readpublic', '-c', handle, '-f', 'pem', '-o', tmp_path / 'pem').stdout
        assert 'fixedtpm|fixedparent|sensitivedataorigin' in said and 'restricted' not in said
        publics.add((tmp_path / 'pem').read_text())
        assert tpm.tool('tpm2_duplicate', '-c', handle, '-C', 'null', '-G', 'null', '-r', tmp_path / 'r', '-s',
                        tmp_path / 's', check=False).returncode != 0
    for name in ('idevid', 'ldevid'):
        assert run('openssl', 'x509', '-in', one.state / f'{name}.pem', '-noout', '-pubkey').stdout in publics
    for path in one.state.rglob('*'):
        assert not path.is_file() or b'PRIVATE KEY' not in path.read_bytes()


def test_a_copy_beside_another_tpm(gate, tpm, tmp_path):
    one = Agent(gate, tmp_path / 'agent', gate.new_id('AGT'))
    one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.join()
    other = Tpm(tmp_path / 'other')
    try:
        copy = Agent(gate, tmp_path / 'copy', one.id)
        shutil.copytree(one.state, copy.state)
        for path in copy.state.rglob('*.json'):
            path.write_text(path.read_text().replace(f'port={tpm.port}', f'port={other.port}')
                            .replace(str(one.state), str(copy.state)))
        expect(copy.do('hello', check=False), 'lost')
        expect(copy.do('sign', one.state / 'idevid.pem', check=False), 'lost')
        assert copy.do('renew', '--force', check=False).returncode == EXITS['lost']
    finally:
        other.stop()
    one.do('hello')


def test_tpm_away(gate, tpm, tmp_path):
    one = Agent(gate, tmp_path / 'agent', gate.new_id('AGT'))
    one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.join()
    tpm.stop()
    done = one.do('hello', check=False)
    assert done.returncode == EXITS['unavailable'], words(done)
    assert (one.state / 'ldevid.pem').exists()


# --- who is at the other end -----------------------------------------------------------------------

def test_server_of_another_root(gate, own_gate, tmp_path):
    """Its certificate does not lead to the pinned root: no secret is sent to it."""
    one = soft(gate, tmp_path / 'agent')
    one.server = own_gate.url('devices')
    expect(one.enrol(check=False), 'not trusted')
    one.server = gate.url('devices')
    expect(one.enrol(check=False), 'ok')


def test_server_under_another_name(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    one.server = f'https://127.0.0.2:{gate.ports[0]}'
    done = one.enrol(check=False)
    assert done.returncode in (EXITS['not trusted'], EXITS['unavailable']), words(done)


def test_ocsp_cannot_be_reached(tmp_path):
    """A gate whose relying listener is elsewhere than its certificates say: unknown means refused."""
    gate = Gate(tmp_path / 'gate')
    config = gate.state / 'keywright.yaml'
    text = config.read_text()
    (elsewhere,) = free_ports(1)
    at = text.index('relying:')
    config.write_text(text[:at] + text[at:].replace(str(gate.ports[2]), str(elsewhere), 1))
    gate.start()
    try:
        one = soft(gate, tmp_path / 'agent')
        expect(one.enrol(check=False), 'not trusted', 'revoked')
        assert not certs_of(gate, one.id)
    finally:
        gate.stop()


def test_revoked_server(own_gate, tmp_path):
    one = soft(own_gate, tmp_path / 'agent')
    own_gate.cli('cert', 'revoke', fingerprint(own_gate.cert('tls-server')), '--reason', 'keyCompromise')
    done = one.enrol(check=False)
    assert done.returncode in (EXITS['not trusted'], EXITS['refused']) and 'revoked' in words(done), words(done)


def test_server_down(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    one.server = f'https://localhost:{free_ports(1)[0]}'
    expect(one.enrol(check=False), 'unavailable')


def test_server_goes_and_comes(own_gate, tmp_path):
    one = soft(own_gate, tmp_path / 'agent')
    one.enrol()
    own_gate.stop()
    expect(one.do('hello', check=False), 'unavailable')
    own_gate.start()
    one.do('hello')


def test_revoked_device(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    one.enrol()
    gate.cli('cert', 'revoke', one.status()['ldevid'], '--reason', 'keyCompromise')
    done = one.do('hello', check=False)
    assert done.returncode in (EXITS['refused'], EXITS['not trusted']) and done.stderr, words(done)
    assert one.do('renew', '--force', check=False).returncode != 0
    one.do('hello', '--with', 'idevid')


def test_run_survives_an_outage(own_gate, tmp_path):
    one = soft(own_gate, tmp_path / 'agent')
    one.enrol()
    with open(tmp_path / 'run.log', 'wb') as log:
        live = subprocess.Popen([AGENT, 'run', '--state', one.state, '--interval', '0.05'], stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL)
    try:
        def said():
            return (tmp_path / 'run.log').read_text()
        until('it says hello', lambda: said().count('hello\n') >= 3)
        own_gate.kill()
        until('it notices', lambda: 'refused' in said())
        own_gate.start()
        n = said().count('hello\n')
        until('it says hello again', lambda: said().count('hello\n') > n, 60)
        live.terminate()
        assert live.wait(10) == 0
    finally:
        if live.poll() is None:
            live.kill()
            live.wait()


# --- what the user may do wrong --------------------------------------------------------------------

@pytest.mark.parametrize('mode', [0o644, 0o640, 0o604])
def test_secret_file_that_others_can_read(gate, tmp_path, mode):
    one = soft(gate, tmp_path / 'agent')
    one.secret_file.chmod(mode)
    expect(one.enrol(check=False), 'usage', 'others')
    one.secret_file.chmod(0o600)
    one.enrol()


def test_secret_file_that_is_not_there(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent', secret=False)
    expect(one.enrol(check=False), 'usage', 'No such file')
    (tmp_path / 'real').write_text('x')
    (tmp_path / 'real').chmod(0o600)
    one.secret_file.symlink_to(tmp_path / 'real')
    expect(one.enrol(check=False), 'usage')


def test_wrong_secret(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    secret = one.secret_file.read_text()
    one.put_secret('WRONG-SECRET')
    done = one.enrol(check=False)
    assert done.returncode in (1, 3) and 'wrong' in words(done) and 'WRONG-SECRET' not in words(done), words(done)
    one.put_secret(secret.strip())
    one.enrol()


@pytest.mark.parametrize('args', [[], ['dance'], ['hello', '--nonsense'], ['hello', 'a', 'b'], ['hello', '--with', 'x'],
                                  ['run', '--interval', '0'], ['run', '--interval', 'x'], ['hello', '--state'],
                                  ['sign', '--state', 'STATE'], ['sign', '/nowhere', '--state', 'STATE'],
                                  ['enrol', '--state', 'STATE', '--server', 'http://localhost'],
                                  ['enrol', '--state', 'STATE', '--rot', 'nonsense:x', '--server', 'https://localhost',
                                   '--id', 'X', '--trust', 'TRUST']], ids=lambda args: ' '.join(args)[:40] or 'none')
def test_wrong_arguments(gate, tmp_path, args):
    done = run(AGENT, *[one.replace('STATE', str(tmp_path / 'state')).replace('TRUST', str(gate.root)) for one in args],
               check=False)
    assert done.returncode == EXITS['usage'] or (args[:1] == ['sign'] and done.returncode in (2, 5)), \
        (done.returncode, words(done))
    assert done.stderr.strip() and not done.stdout


@pytest.mark.parametrize('args', [['--help'], ['version'], ['hello', '--help']])
def test_help(args):
    done = run(AGENT, *args)
    assert done.stdout and not done.stderr


def test_damaged_state(gate, tmp_path):
    """Each file of the state destroyed in turn: an error, no crash, and never another identity."""
    one = soft(gate, tmp_path / 'agent')
    one.enrol()
    for path in sorted(path for path in one.state.rglob('*') if path.is_file()):
        was = path.read_bytes()
        for octets in (b'', was[:len(was) // 2], b'\xff' * 64, was[:-3] + b'???'):
            path.write_bytes(octets)
            done = one.do('hello', check=False)
            assert 0 <= done.returncode <= 8, (path.name, words(done))
            assert done.returncode == 0 or done.stderr.strip()
            path.write_bytes(was)
    one.do('hello')


def test_state_in_use(gate, tmp_path):
    """Two agents on one state at once: both end well or one is told to wait; the state stays whole."""
    one = soft(gate, tmp_path / 'agent')
    one.enrol()
    both = [subprocess.Popen([AGENT, 'renew', '--force', '--state', one.state], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) for _ in range(3)]
    said = [child.communicate(timeout=60)[1] for child in both]
    codes = [child.returncode for child in both]
    one.do('hello')
    assert 0 in codes
    assert set(codes) <= {0, 1, 4, 7}, (codes, said)


# --- kill -9 ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', ['soft', 'tpm2'])
def test_killed_while_enrolling(gate, tmp_path, kind, request):
    """At random moments, again and again; then one run without, and exactly one certificate of each profile."""
    one = soft(gate, tmp_path / 'agent')
    if kind == 'tpm2':
        tpm = request.getfixturevalue('tpm')
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    chance = random.Random(7)
    began = time.monotonic()
    probe = soft(gate, tmp_path / 'probe')
    probe.enrol()
    length = (time.monotonic() - began) * (6 if kind == 'tpm2' else 1)
    for _ in range(20):
        child = subprocess.Popen([str(word) for word in one.enrol_command()], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            child.wait(chance.random() * length)
        except subprocess.TimeoutExpired:
            child.kill()
        child.wait()
    expect(one.enrol(check=False), 'ok')
    one.do('hello')
    one.do('hello', '--with', 'idevid')
    assert sorted(cert['profile'] for cert in certs_of(gate, one.id)) == ['idevid', 'ldevid']


def test_killed_while_renewing(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    one.enrol()
    chance = random.Random(8)
    for _ in range(20):
        child = subprocess.Popen([AGENT, 'renew', '--force', '--state', one.state], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            child.wait(chance.random() * 0.06)
        except subprocess.TimeoutExpired:
            child.kill()
        child.wait()
        one.do('hello')
    one.do('renew', '--force')
    one.do('hello')
    assert [cert['state'] for cert in certs_of(gate, one.id)].count('valid') == 2


def test_killed_while_wiping(gate, tmp_path):
    one = soft(gate, tmp_path / 'agent')
    one.enrol()
    keys = [key_id(one.cert(name).public_key()) for name in ('idevid', 'ldevid')]
    chance = random.Random(9)
    for _ in range(6):
        child = subprocess.Popen([AGENT, 'wipe', '--state', one.state], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            child.wait(chance.random() * 0.03)
        except subprocess.TimeoutExpired:
            child.kill()
        child.wait()
    done = one.do('wipe', check=False)
    assert done.returncode in (0, EXITS['no identity']), words(done)
    assert [gate.json('key', 'show', key)['state'] for key in keys] == ['destroyed'] * 2


def test_batch_and_firmware_are_known(gate, tmp_path):
    """What mass revocations select by: the batch from the registration, the version from the device."""
    one = Agent(gate, tmp_path / 'agent', gate.new_id('AGT')).join('--batch', 'B-0142')
    shown = gate.json('device', 'show', one.id)
    assert shown['batch'] == 'B-0142' and 'firmware' not in shown
    one.do('hello', '--firmware', '2.3.0-rc1')
    assert gate.json('device', 'show', one.id)['firmware'] == '2.3.0-rc1'
    one.do('hello')  # remembered
    assert gate.json('device', 'show', one.id)['firmware'] == '2.3.0-rc1'
    one.do('hello', '--firmware', '2.3.0')
    assert gate.json('device', 'show', one.id)['firmware'] == '2.3.0'
    expect(one.do('hello', '--firmware', '2/3', check=False), 'usage', 'version of the firmware')
    assert any(entry['type'] == 'device.hello' and 'firmware 2.3.0' in entry['detail']
               for _, entry in gate.log_entries())
    refused = gate.cli('device', 'register', 'X', '--product', 'p', '--batch', 'B 1', check=False)
    assert refused.returncode == 2 and 'the batch may hold' in words(refused)
