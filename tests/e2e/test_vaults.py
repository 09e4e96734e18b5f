"""Vaults with the real programs: opened by shares, sealed and opened while serving, in an HSM beside software."""
import os
import pathlib
import shutil

import pytest

from harness import KEYWRIGHT, Gate, csr_der, fingerprint, new_key, ocsp_of, run, until, words

SOFTHSM = next((path for path in ('/usr/lib/softhsm/libsofthsm2.so',
                                  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(path)), None)


def vault(gate, verb, *options, name='main', check=True):
    """A vault verb on the server's machine."""
    return run(KEYWRIGHT, 'vault', verb, name, '--state', gate.state, *options, check=check)


def sealed_start(gate):
    gate.start(wait=False)
    until('the keeper waits', lambda: (gate.state / 'keeper/open.sock').exists() and
          'state: sealed' in words(vault(gate, 'status', check=False)))


def test_shares_one_by_one(tmp_path):
    gate = Gate(tmp_path / 'own', '--unlock', 'shares:2,3')
    shares = sorted(gate.offline.glob('vault-main-share-*.txt'))
    assert len(shares) == 3
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in shares)
    sealed_start(gate)
    assert 'shares: 0 of 2 given' in words(vault(gate, 'status'))
    assert '1 of 2' in words(vault(gate, 'open', '--share-file', shares[2]))
    again = vault(gate, 'open', '--share-file', shares[2], check=False)
    assert again.returncode != 0 and 'share 3 was given already' in words(again)
    wrong = tmp_path / 'wrong.txt'
    page = shares[0].read_text()
    word = page.split('\n')[1].split()[1]
    wrong.write_text(page.replace(word, 'academic' if word != 'academic' else 'acid', 1))
    wrong.chmod(0o600)
    typed = vault(gate, 'open', '--share-file', wrong, check=False)
    assert typed.returncode != 0 and 'word 1 is wrong' in words(typed)
    assert "waiting for 'keywright vault open main'" in gate.log()
    gate.stop()  # an init system need not wait for custodians
    assert not gate.alive()
    sealed_start(gate)
    vault(gate, 'open', '--share-file', shares[2])
    assert "'main' is open" in words(vault(gate, 'open', '--share-file', shares[0]))
    gate.wait_healthy()
    secret = ' '.join(line.split('.', 1)[1] for line in page.splitlines()[1:2])
    assert ' '.join(secret.split()[:3]) not in gate.log() and gate.stop() == 0  # one word may be in any line


def test_passphrase_that_is_asked_for(tmp_path):
    secret = tmp_path / 'secret'
    secret.write_text('correct horse battery staple\n')
    secret.chmod(0o600)
    gate = Gate(tmp_path / 'own', '--unlock', 'passphrase:', '--passphrase-file', secret)
    assert not (gate.state / 'keeper.passphrase').exists()
    sealed_start(gate)
    bad = tmp_path / 'bad'
    bad.write_text('incorrect horse battery\n')
    bad.chmod(0o600)
    refused = vault(gate, 'open', '--passphrase-file', bad, check=False)
    assert refused.returncode != 0 and 'passphrase is wrong' in words(refused)
    at_once = vault(gate, 'open', '--passphrase-file', secret, check=False)
    assert 'wait' in words(at_once)  # the next guess is not looked at yet
    until('the vault opens', lambda: vault(gate, 'open', '--passphrase-file', secret, check=False).returncode == 0)
    gate.wait_healthy()
    assert gate.stop() == 0


CAS_APART = '''vaults:
  - name: "issuing"
    unlock: "passphrase-file:keeper.passphrase"
    keys: ["ca-*", "ocsp-*"]
'''


def vaults_file(tmp_path, text):
    path = tmp_path / 'vaults.yaml'
    path.write_text(text)
    return path


def keepers(gate):
    """PID of each vault's keeper by its folder's name."""
    found = {}
    for task in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            argv = task.read_bytes().split(b'\0')
        except OSError:
            continue
        if b'--vault' in argv and argv[argv.index(b'--vault') + 1].startswith(str(gate.state).encode()):
            found[pathlib.Path(argv[argv.index(b'--vault') + 1].decode()).name] = int(task.parent.name)
    return found


def new_request(gate):
    """A device's first request, ready to be sent again."""
    key = new_key()
    device = gate.new_id()
    return csr_der(key, device), gate.register(device)


def test_sealed_and_opened_while_serving(tmp_path):
    gate = Gate(tmp_path / 'own', '--vaults', vaults_file(tmp_path, CAS_APART))
    gate.start()
    listed = words(gate.cli('vault', 'status'))
    assert 'issuing' in listed and 'main' in listed and ' sealed ' not in listed
    csr, secret = new_request(gate)
    gate.cli('vault', 'seal', 'issuing')
    assert ' sealed ' in words(gate.cli('vault', 'status'))
    refused = gate.enrol(csr, secret)
    assert refused.status == 503 and int(refused.headers['retry-after']) >= 1, refused
    os.kill(keepers(gate)['keeper-issuing'], 9)  # it stays sealed when its keeper is started anew
    until('its keeper is back', lambda: 'state: sealed' in words(vault(gate, 'status', name='issuing', check=False)))
    assert gate.enrol(csr, secret).status == 503
    assert 'opens' in words(vault(gate, 'open', name='issuing'))
    until('certificates again', lambda: gate.enrol(csr, secret).status == 200)
    assert 'vault.seal' in [entry['type'] for _, entry in gate.log_entries()]
    # people at the machine are in the log as well, though the server has no part in it
    vault(gate, 'seal', name='issuing')
    vault(gate, 'open', name='issuing')

    def told():
        return [entry['type'] for _, entry in gate.log_entries()
                if entry['actor'] == 'keeper:person' and entry['object'] == 'vault:issuing']
    until('the log says so', lambda: told() == ['vault.open', 'vault.seal', 'vault.open'])
    assert gate.stop() == 0


def softhsm(tmp_path):
    """A fresh simulated HSM: its configuration, PIN file and tokens' folder."""
    tokens, conf, pin = tmp_path / 'tokens', tmp_path / 'softhsm2.conf', tmp_path / 'pin'
    tokens.mkdir()
    conf.write_text(f'directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n')
    pin.write_text('1234567890\n')
    pin.chmod(0o600)
    run('softhsm2-util', '--init-token', '--free', '--label', 'issuing', '--pin', '1234567890', '--so-pin', '0987654321',
        env={'SOFTHSM2_CONF': str(conf)})
    return tokens, conf, pin


@pytest.mark.skipif(not SOFTHSM or not shutil.which('softhsm2-util'), reason='softhsm2 is not installed')
def test_issuing_ca_in_an_hsm_and_the_rest_in_software(tmp_path):
    tokens, conf, pin = softhsm(tmp_path)
    gate = Gate(tmp_path / 'own', '--vaults', vaults_file(tmp_path, f'''vaults:
  - name: "hsm"
    unlock: "passphrase-file:keeper.passphrase"
    custody: "pkcs11:token=issuing?module-path={SOFTHSM}&pin-source=file:{pin}"
    keys: ["ca-*"]
    paths: ["{tokens}", "{conf}", "{pin}"]
    environment: ["SOFTHSM2_CONF={conf}"]
'''))
    gate.start()
    custody = {key['id']: key['custody'] for key in gate.json('key', 'list')['items'] if key['owner'] != 'device'}
    assert 'pkcs11 SIMULATED' in custody['ca-devices'] and 'soft-sealed' in custody['ocsp-devices'], custody
    assert gate.device()
    if shutil.which('pkcs11-tool'):
        seen = words(run('pkcs11-tool', '--module', SOFTHSM, '--token-label', 'issuing', '--login', '--pin', '1234567890',
                         '-O', '--type', 'privkey', env={'SOFTHSM2_CONF': str(conf)}))
        assert seen.count('Private Key Object') == 2 and seen.count('never extractable') == 2, seen
    csr, secret = new_request(gate)
    tokens.rename(tmp_path / 'away')  # the HSM is gone: the CA waits, OCSP and TLS do not
    os.kill(keepers(gate)['keeper-hsm'], 9)
    until('the other keeper', lambda: 'keeper-hsm' in keepers(gate))
    refused = until('refused', lambda: (lambda reply: reply if reply.status == 503 else None)(gate.enrol(csr, secret)))
    assert int(refused.headers['retry-after']) >= 1
    assert gate.operators_get('/api/v1/about').status == 200
    (tmp_path / 'away').rename(tokens)
    until('the HSM is back', lambda: gate.enrol(csr, secret).status == 200)
    assert gate.stop() == 0


def test_tpm_and_its_pcrs(tpm, tmp_path):
    gate = Gate(tmp_path / 'own', '--unlock', f'tpm2:dir={tmp_path}/tpm-keys,pcr=7+16,tcti={tpm.tcti}')
    gate.start()
    assert gate.stop() == 0
    tpm.tool('tpm2_pcrextend', f'16:sha256={"ab" * 32}')  # another system was started
    gate.start(wait=False)
    assert gate.process.wait(60) == 1
    assert 'the PCRs are not as they were when it was sealed' in gate.log()
    tpm.tool('tpm2_pcrreset', '16')
    gate.start()
    assert gate.stop() == 0
    config = gate.state / 'keywright.yaml'
    config.write_text(config.read_text().replace('pcr=7+16,', ''))
    gate.start(wait=False)
    assert gate.process.wait(60) == 1 and 'name them in the URI' in gate.log()


def test_rekey_and_no_new_secret_unasked(tmp_path):
    gate = Gate(tmp_path / 'own')
    gate.start()
    old = (gate.state / 'keeper/keys/ca-devices.key').read_bytes()
    assert gate.json('vault', 'rekey', 'main')['generation'] == 2
    assert (gate.state / 'keeper/keys/ca-devices.key').read_bytes() != old
    assert gate.device().hello().status == 200
    refused = vault(gate, 'shares', '--shares', '2,3', '--out', tmp_path / 'new', check=False)
    assert refused.returncode != 0 and 'allow it first' in words(refused)
    assert gate.stop() == 0
    gate.start()  # the same secret opens it
    assert gate.device() and gate.stop() == 0


def test_new_shares_need_another_person(tmp_path):
    gate = Gate(tmp_path / 'own', '--approver', 'alice')
    gate.start()
    asked = gate.cli('vault', 'rekey', 'main', '--new-secret', check=False)
    assert 'replace the shares that open the vault' in words(asked)
    early = gate.cli('vault', 'rekey', 'main', '--new-secret', '--approval', '1', check=False)
    assert early.returncode != 0
    run(KEYWRIGHT, 'approval', 'sign', '1', '--yes', '--admin', gate.state / 'admin-alice')
    gate.cli('vault', 'rekey', 'main', '--new-secret', '--approval', '1')
    vault(gate, 'shares', '--shares', '2,3', '--out', tmp_path / 'new')
    shares = sorted((tmp_path / 'new').glob('*.txt'))
    assert len(shares) == 3 and gate.stop() == 0
    again = gate.folder / 'server.log'
    gate.start(wait=False)
    assert gate.process.wait(60) == 1 and 'opened by shares' in again.read_text()  # not by the old secret
    config = gate.state / 'keywright.yaml'
    config.write_text(config.read_text().replace('passphrase-file:keeper.passphrase', 'shares:2,3'))
    sealed_start(gate)
    vault(gate, 'open', '--share-file', f'{shares[1]},{shares[2]}')
    gate.wait_healthy()
    used = gate.cli('vault', 'rekey', 'main', '--new-secret', '--approval', '1', check=False)
    assert used.returncode != 0  # once is enough
    assert gate.stop() == 0


def test_a_clock_far_ahead_ends_no_key(tmp_path):
    """A wrong clock makes the keeper wait; what it would do to keys could not be undone."""
    gate = Gate(tmp_path / 'own').start()
    gate.device()
    gate.stop()
    gate.env = {'KEYWRIGHT_TEST_CLOCK_JUMP_S': str(40 * 86400)}
    gate.start(wait=False)
    until('it is told', lambda: "waiting until it is right, or for 'keywright vault clock main'" in gate.log())
    assert 'takes this machine' in words(vault(gate, 'clock'))  # somebody says that it is right
    gate.wait_healthy()
    gate.device()
    gate.stop()
    gate.env = {}  # and it was wrong after all
    gate.start(wait=False)
    until('it is behind', lambda: 's behind a time' in gate.log())
    vault(gate, 'clock')
    gate.wait_healthy()
    gate.device().hello()
    until('the log says it', lambda: [entry['type'] for _, entry in gate.log_entries()].count('vault.clock') == 2)
    assert {key['state'] for key in gate.json('key', 'list')['items']} == {'active'}
    gate.stop()

    gate.env = {'KEYWRIGHT_TEST_CLOCK_JUMP_S': str(20 * 366 * 86400)}  # a battery that is empty
    gate.start(wait=False)
    until('it is told', lambda: gate.log().count('later than it can be') > 1)
    assert gate.stop() is not None  # it need not wait for anybody
    gate.env = {}
    gate.start()
    gate.device().hello()
    gate.stop()


def filtered(pid):
    """Is a filter of system calls on? Not where a sanitizer's run-time is in the program."""
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return 'Seccomp:\t2' in status.read()


@pytest.mark.skipif(not SOFTHSM or not shutil.which('softhsm2-util'), reason='softhsm2 is not installed')
def test_a_token_opens_a_vault(tmp_path):
    """pkcs11: as unlock method; the library's path with percent signs, as RFC 7512 allows."""
    tokens, conf, pin = softhsm(tmp_path)
    library = SOFTHSM.replace('/softhsm/', '/%73ofthsm/').replace('.so', '%2eso')
    gate = Gate(tmp_path / 'own', '--vaults', vaults_file(tmp_path, f'''vaults:
  - name: "by-token"
    unlock: "pkcs11:token=issuing?module-path={library}&pin-source=file:{pin}"
    keys: ["ca-*"]
    paths: ["{tokens}", "{conf}", "{pin}"]
    environment: ["SOFTHSM2_CONF={conf}"]
'''))
    gate.start()
    assert gate.device()
    assert filtered(keepers(gate)['keeper-by-token']) == filtered(keepers(gate)['keeper'])
    listed = {one['name']: one for one in gate.json('vault', 'status')['items']}
    assert listed['by-token']['method'] == 'pkcs11', listed
    csr, secret = new_request(gate)
    gate.cli('vault', 'seal', 'by-token')
    assert gate.enrol(csr, secret).status == 503
    assert 'opens by pkcs11' in words(vault(gate, 'open', name='by-token'))
    until('certificates again', lambda: gate.enrol(csr, secret).status == 200)
    assert gate.stop() == 0
    tokens.rename(tmp_path / 'away')  # without the token nothing opens it
    gate.start(wait=False)
    assert gate.process.wait(60) == 1
    (tmp_path / 'away').rename(tokens)
    gate.start()
    assert gate.device() and gate.stop() == 0


def test_keys_in_a_tpm_seen_from_outside(tpm, tmp_path):
    """What the keeper makes in a TPM (SIMULATED) tpm2-tools judges: fixed to it, and never to be taken out."""
    (tmp_path / 'tpm-keys').mkdir(mode=0o700)  # a keeper makes nothing outside its vault
    gate = Gate(tmp_path / 'own', '--vaults', vaults_file(tmp_path, f'''vaults:
  - name: "tpm"
    unlock: "passphrase-file:keeper.passphrase"
    custody: "tpm2:dir={tmp_path}/tpm-keys,tcti={tpm.tcti}"
    keys: ["ca-*"]
    paths: ["{tmp_path}/tpm-keys"]
'''))
    gate.start()
    assert filtered(keepers(gate)['keeper-tpm']) == filtered(keepers(gate)['keeper'])
    custody = {key['id']: key['custody'] for key in gate.json('key', 'list')['items']}
    assert 'tpm2 SIMULATED' in custody['ca-devices'] and 'soft-sealed' in custody['tls-server'], custody
    assert gate.device()
    publics = {}
    for line in tpm.tool('tpm2_getcap', 'handles-persistent').stdout.splitlines():
        handle = line.split()[1]
        said = tpm.tool('tpm2_readpublic', '-c', handle, '-f', 'pem', '-o', tmp_path / 'pem').stdout
        publics[(tmp_path / 'pem').read_text()] = handle, said
    for ca in ('ca-devices', 'ca-services'):
        handle, said = publics[run('openssl', 'x509', '-in', gate.state / f'certs/{ca}.pem', '-noout', '-pubkey').stdout]
        assert 'fixedtpm|fixedparent|sensitivedataorigin' in said and 'restricted' not in said, said
        assert 'value: sign' in said or '|sign' in said, said
        assert tpm.tool('tpm2_duplicate', '-c', handle, '-C', 'null', '-G', 'null', '-r', tmp_path / 'r', '-s',
                        tmp_path / 's', check=False).returncode != 0
    assert gate.stop() == 0


ONLY_CAS_APART = '''vaults:
  - name: "issuing"
    unlock: "passphrase-file:keeper.passphrase"
    keys: ["ca-*"]
'''


def test_ocsp_answers_while_its_ca_is_sealed(tmp_path):
    """The responder has a key of its own: what was issued stays good, what is revoked now is revoked now."""
    gate = Gate(tmp_path / 'own', '--vaults', vaults_file(tmp_path, ONLY_CAS_APART))
    gate.start()
    device, stolen = gate.device(), gate.device()
    gate.cli('vault', 'seal', 'issuing')
    csr, secret = new_request(gate)
    assert gate.enrol(csr, secret).status == 503
    assert ocsp_of(gate, device.ldevid.cert, 'devices') == 'GOOD'
    gate.cli('cert', 'revoke', fingerprint(stolen.ldevid.cert), '--reason', 'keyCompromise')
    assert ocsp_of(gate, stolen.ldevid.cert, 'devices') == 'REVOKED'
    vault(gate, 'open', name='issuing')
    until('certificates again', lambda: gate.enrol(csr, secret).status == 200)
    assert gate.stop() == 0
