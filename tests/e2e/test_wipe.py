"""After a wipe nothing of the identity works any more, whatever was copied before: software files, a PKCS#11 token
(SoftHSM, SIMULATED), a TPM (swtpm, SIMULATED)."""
import os
import shutil

import pytest
from harness import Agent, fingerprint, key_id, need, run, words

SOFTHSM = next((p for p in ('/usr/lib/softhsm/libsofthsm2.so',
                            '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(p)), None)
NO_IDENTITY, LOST = 5, 6


def token(tmp_path, monkeypatch):
    if not SOFTHSM or need('softhsm2-util', 'pkcs11-tool'):
        pytest.skip('softhsm2 or opensc is not installed')
    (tmp_path / 'tokens').mkdir()
    (tmp_path / 'softhsm2.conf').write_text(f'directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n')
    (tmp_path / 'pin').write_text('87654321\n')
    (tmp_path / 'pin').chmod(0o600)
    monkeypatch.setenv('SOFTHSM2_CONF', str(tmp_path / 'softhsm2.conf'))
    run('softhsm2-util', '--init-token', '--free', '--label', 'dev', '--so-pin', '12345678', '--pin', '87654321')
    return f'pkcs11:token=dev?module-path={SOFTHSM}&pin-source={tmp_path}/pin'


@pytest.fixture(params=['soft', 'pkcs11', 'tpm2'])
def agent(request, gate, tmp_path, monkeypatch):
    """With three keys and something sealed."""
    one = Agent(gate, tmp_path / 'agent', gate.new_id('WIPE'))
    one.kind = request.param
    if one.kind == 'pkcs11':
        one.rot = token(tmp_path, monkeypatch)
    if one.kind == 'tpm2':
        one.tpm = request.getfixturevalue('tpm')
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={one.tpm.tcti}'
    one.join()
    one.do('renew', '--force')
    (tmp_path / 'plain').write_bytes(b'wifi password')
    one.do('seal', tmp_path / 'plain', '--name', 'wifi', '--out', tmp_path / 'box')
    one.do('unseal', tmp_path / 'box', '--name', 'wifi', '--out', tmp_path / 'again')
    return one


def private_objects(agent):
    """What the token or the TPM itself says that it holds, asked with tools of others."""
    if agent.kind == 'pkcs11':
        listed = run('pkcs11-tool', '--module', SOFTHSM, '--token-label', 'dev', '--login', '--pin', '87654321',
                     '--list-objects', '--type', 'privkey').stdout
        return listed.count('Private Key Object')
    handles = agent.tpm.tool('tpm2_getcap', 'handles-persistent').stdout.lower()
    return handles.count('0x81004b')


def test_nothing_works_after_a_wipe(gate, agent, tmp_path):
    held = None if agent.kind == 'soft' else private_objects(agent)
    assert held in (None, 3)
    keys = [key_id(agent.cert(name).public_key()) for name in ('idevid', 'ldevid', 'ldevid-previous')]
    certs = {name: fingerprint(agent.cert(name)) for name in ('idevid', 'ldevid')}
    copy = tmp_path / 'copy'
    shutil.copytree(agent.state, copy)
    blocks = tmp_path / 'blocks'  # a second name for the same blocks of the disk
    blocks.mkdir()
    secrets = [path for path in agent.state.rglob('*') if path.suffix in ('.key', '.kek')]
    for path in secrets:
        os.link(path, blocks / path.name)
    assert secrets
    agent.do('wipe')

    assert agent.do('unseal', tmp_path / 'box', '--name', 'wifi', check=False).returncode in (NO_IDENTITY, LOST)
    assert agent.do('sign', tmp_path / 'plain', check=False).returncode == NO_IDENTITY
    assert agent.do('hello', check=False).returncode == NO_IDENTITY
    for path in blocks.iterdir():
        content = path.read_bytes()
        assert content and set(content) <= {0x00}, f'{path.name} is still readable on the disk'
    if held:
        assert private_objects(agent) == 0

    # the server knows: key records destroyed, certificates revoked
    for key in keys:
        assert gate.json('key', 'show', key)['state'] == 'destroyed'
    for certificate in certs.values():
        assert gate.json('cert', 'show', certificate)['state'] == 'revoked'

    # and what flash may have kept of the folder brings nothing back: what sealed it is another now
    shutil.copytree(copy, agent.state, dirs_exist_ok=True, ignore=shutil.ignore_patterns('*.kek'))
    for command in (('sign', tmp_path / 'plain', '--out', tmp_path / 'sig'), ('hello',)):
        done = agent.do(*command, check=False)
        assert done.returncode == LOST, (command, words(done))
    if agent.kind == 'soft':
        assert agent.do('unseal', tmp_path / 'box', '--name', 'wifi', check=False).returncode == LOST


def test_receipts_are_signed_by_the_keys(gate, agent):
    """What the log holds of a wipe: what the root of trust said of each key, and that it was read back as gone."""
    agent.do('wipe')
    told = [entry['detail'] for _, entry in gate.log_entries()
            if entry['type'] == 'key.destroy' and entry['actor'] == f'device:{agent.id}']
    assert len(told) == 3
    assert all(detail.startswith('signed: ') and 'read back: ' in detail for detail in told), told
    revoked = [entry for _, entry in gate.log_entries() if entry['type'] == 'cert.revoke' and agent.id in entry['detail']]
    assert len(revoked) == 3 and all('cessationOfOperation' in entry['detail'] for entry in revoked)
