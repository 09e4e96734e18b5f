"""keywright-agent with its keys in a PKCS#11 token (SoftHSM, SIMULATED): a device's life, judged by
openssl and pkcs11-tool, and what happens when the token is away or another."""
import os
import shutil

import pytest
from harness import Agent, fingerprint, key_id, run, words

SOFTHSM = next((path for path in ('/usr/lib/softhsm/libsofthsm2.so',
                                  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(path)), None)
PIN = '1234567890'
pytestmark = pytest.mark.skipif(not SOFTHSM or not shutil.which('softhsm2-util'),
                                reason='softhsm2 is not installed')


class Token:
    def __init__(self, folder):
        self.tokens, self.pin = folder / 'tokens', folder / 'pin'
        self.tokens.mkdir()
        (folder / 'softhsm2.conf').write_text(
            f'directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n')
        self.pin.write_text(PIN + '\n')
        self.pin.chmod(0o600)

    def make(self):
        run('softhsm2-util', '--init-token', '--free', '--label', 'device', '--pin', PIN, '--so-pin', '0987654321')

    def uri(self):
        return f'pkcs11:token=device?module-path={SOFTHSM}&pin-source=file:{self.pin}'

    def keys(self):
        """What a foreign tool sees in it."""
        return words(run('pkcs11-tool', '--module', SOFTHSM, '--token-label', 'device', '--login', '--pin', PIN,
                         '-O', '--type', 'privkey', check=False))


@pytest.fixture(name='token')
def a_token(tmp_path, monkeypatch):
    one = Token(tmp_path)
    monkeypatch.setenv('SOFTHSM2_CONF', str(tmp_path / 'softhsm2.conf'))
    one.make()
    return one


@pytest.fixture(name='agent')
def with_token(gate, token, tmp_path):
    return Agent(gate, tmp_path / 'agent', gate.new_id('TOK'), rot=token.uri()).join()


def openssl_verifies(agent, folder):
    (folder / 'reading').write_text('21.5 degrees')
    agent.do('sign', folder / 'reading', '--out', folder / 'sig')
    (folder / 'public.pem').write_text(
        run('openssl', 'x509', '-in', agent.state / 'ldevid.pem', '-noout', '-pubkey').stdout)
    run('openssl', 'dgst', '-sha256', '-verify', folder / 'public.pem', '-signature', folder / 'sig', folder / 'reading')


def test_life(gate, agent, token, tmp_path):
    status = agent.status()
    assert 'pkcs11' in status['root_of_trust'] and 'SIMULATED' in status['root_of_trust']
    assert gate.json('device', 'show', agent.id)['simulated'] is True
    agent.do('hello')
    agent.do('hello', '--with', 'idevid')
    old = agent.cert('ldevid')
    agent.do('renew', '--force')
    assert key_id(agent.cert('ldevid').public_key()) != key_id(old.public_key())
    for which in ('current', 'previous', 'idevid'):
        agent.do('hello', '--with', which)
    openssl_verifies(agent, tmp_path)
    if shutil.which('pkcs11-tool'):
        seen = token.keys()
        assert seen.count('Private Key Object') == 3 and seen.count('never extractable') == 3, seen
    assert not list(agent.state.rglob('*.key')) or not list((agent.state / 'keys').glob('*'))

    keys = [key_id(agent.cert(name).public_key()) for name in ('idevid', 'ldevid', 'ldevid-previous')]
    agent.do('wipe')
    assert [gate.json('key', 'show', key)['state'] for key in keys] == ['destroyed'] * 3
    assert 'Private Key Object' not in token.keys()
    assert agent.do('hello', check=False).returncode == 5


def test_data(gate, agent, tmp_path):
    """Signed for another device, and sealed for this one."""
    other = Agent(gate, tmp_path / 'other', gate.new_id('TOK')).join()
    (tmp_path / 'secret').write_text('hunter2')
    agent.do('sign-data', tmp_path / 'secret', '--to', other.id, '--out', tmp_path / 'signed')
    assert other.do('verify-data', tmp_path / 'signed', '--signer', agent.id).stdout == 'hunter2'
    agent.do('seal', tmp_path / 'secret', '--name', 'wifi', '--out', tmp_path / 'sealed')
    assert agent.do('unseal', tmp_path / 'sealed', '--name', 'wifi').stdout == 'hunter2'
    assert agent.do('unseal', tmp_path / 'sealed', '--name', 'else', check=False).returncode == 6


def test_attests_by_signature(agent):
    done = agent.do('attest', check=False)
    assert done.returncode == 0 and 'trusted' in done.stdout, words(done)
    assert 'AL0' in done.stdout  # docs/protocol/attest.md section 7: nobody but the device says that it is a token


def test_token_away_and_back(agent, token, tmp_path):
    token.tokens.rename(tmp_path / 'away')
    token.tokens.mkdir()
    done = agent.do('hello', check=False)
    assert done.returncode == 4, words(done)
    assert PIN not in words(done)
    token.tokens.rmdir()
    (tmp_path / 'away').rename(token.tokens)
    agent.do('hello')
    assert agent.status()['ldevid'] == fingerprint(agent.cert('ldevid'))


def test_another_token_of_that_name(agent, token, tmp_path):
    token.tokens.rename(tmp_path / 'away')
    token.tokens.mkdir()
    token.make()
    done = agent.do('hello', check=False)
    assert done.returncode == 6, words(done)


def test_wrong_pin(agent, token):
    token.pin.write_text('000000000\n')
    done = agent.do('hello', check=False)
    assert done.returncode == 1 and 'PIN' in words(done) and '000000000' not in words(done), words(done)
