"""A file leaves a device signed and encrypted; openssl cms, which knows nothing of us, opens it. One
root of trust is a TPM (swtpm, SIMULATED)."""
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from harness import Agent, Gate, csr_der, fingerprint, key_pem, new_key, run, words

DATA = b'\x00readings\r\n\xff' * 999


@pytest.fixture(name='ami', scope='module')
def gate_with_readers(tmp_path_factory):
    """The metering trade's head-end has certificates for key agreement."""
    one = Gate(tmp_path_factory.mktemp('ami'), '--vertical', 'ami')
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


class Reader:
    """Who gets files: a key, and a certificate of the gate's."""

    def __init__(self, gate, folder, name, profile='head-end'):
        self.folder, self.gate = folder / name, gate
        self.folder.mkdir()
        key = new_key()
        (self.folder / 'key.pem').write_bytes(key_pem(key))
        (self.folder / 'csr.pem').write_bytes(x509.load_der_x509_csr(csr_der(key, name)).public_bytes(Encoding.PEM))
        self.cert = self.folder / 'cert.pem'
        san = ('--san', 'dns:localhost') if profile == 'head-end' else ()
        gate.cli('cert', 'issue', '--profile', profile, '--name', name, '--csr', self.folder / 'csr.pem', *san,
                 '--out', self.cert)

    def open(self, protected, check=True):
        """The data, as openssl gives it; or the run that failed."""
        inner, data = self.folder / 'signed.der', self.folder / 'data'
        done = run('openssl', 'cms', '-decrypt', '-binary', '-inform', 'DER', '-in', protected, '-recip', self.cert,
                   '-inkey', self.folder / 'key.pem', '-out', inner, check=check)
        if done.returncode != 0:
            return done
        run('openssl', 'cms', '-verify', '-binary', '-cades', '-inform', 'DER', '-in', inner, '-CAfile',
            self.gate.root, '-purpose', 'any', '-signer', self.folder / 'signer.pem', '-out', data)
        return data.read_bytes()

    def signer(self):
        return x509.load_pem_x509_certificate((self.folder / 'signer.pem').read_bytes())


@pytest.fixture(name='reader', scope='module')
def a_reader(ami, tmp_path_factory):
    return Reader(ami, tmp_path_factory.mktemp('readers'), 'head-end-1')


def agent_of(gate, folder, rot=''):
    one = Agent(gate, folder / 'agent', gate.new_id())
    one.rot = rot.format(state=one.state) or one.rot
    one.join()
    return one


@pytest.fixture(name='agent', scope='module')
def soft_agent(ami, tmp_path_factory):
    return agent_of(ami, tmp_path_factory.mktemp('device'))


@pytest.fixture(name='protect')
def protector(agent, tmp_path):
    def protect(reader_cert, data=DATA, who=agent, check=True):
        (tmp_path / 'data').write_bytes(data)
        done = who.do('protect', tmp_path / 'data', '--reader', reader_cert, '--out', tmp_path / 'cms', check=check)
        return tmp_path / 'cms' if check else done
    return protect


def test_only_the_reader_opens_it_and_knows_the_writer(agent, ami, reader, protect, tmp_path):
    protected = protect(reader.cert)
    assert reader.open(protected) == DATA
    assert reader.signer() == agent.cert('ldevid')
    assert b'readings' not in protected.read_bytes() and agent.id.encode() not in protected.read_bytes()
    other = Reader(ami, tmp_path, 'head-end-2')
    assert other.open(protected, check=False).returncode != 0
    shown = run('openssl', 'cms', '-cmsout', '-print', '-noout', '-inform', 'DER', '-in', protected).stdout
    assert 'authEnvelopedData' in shown and 'aes-256-gcm' in shown and 'dhSinglePass-stdDH-sha256kdf' in shown


def test_key_in_a_tpm(ami, tpm, reader, protect, tmp_path):
    agent = agent_of(ami, tmp_path, f'tpm2:dir={{state}}/tpm,tcti={tpm.tcti}')
    assert 'SIMULATED' in agent.status()['root_of_trust']
    assert reader.open(protect(reader.cert, who=agent)) == DATA


def test_altered_file_does_not_open(reader, protect, tmp_path):
    octets = protect(reader.cert).read_bytes()
    for at in (len(octets) // 2, len(octets) - 1):
        changed = tmp_path / 'changed'
        changed.write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:])
        assert reader.open(changed, check=False).returncode != 0


def stranger(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / 'stranger.key').write_bytes(key_pem(key))
    run('openssl', 'req', '-x509', '-new', '-key', folder / 'stranger.key', '-subj', '/CN=stranger', '-out',
        folder / 'stranger.pem', '-addext', 'keyUsage=critical,keyAgreement', '-addext', 'basicConstraints=critical,CA:FALSE')
    return folder / 'stranger.pem'


def test_not_for_strangers(protect, tmp_path):
    done = protect(stranger(tmp_path), check=False)
    assert done.returncode == 3 and 'does not lead to the root' in words(done)
    assert not (tmp_path / 'cms').exists()


def test_not_for_who_cannot_decrypt(ami, protect, tmp_path):
    done = protect(Reader(ami, tmp_path, 'program-1', profile='tls-client').cert, check=False)
    assert done.returncode == 3 and 'not for key agreement' in words(done)


def test_not_for_the_revoked(ami, protect, tmp_path):
    gone = Reader(ami, tmp_path, 'head-end-3')
    cert = x509.load_pem_x509_certificate(gone.cert.read_bytes())
    ami.cli('cert', 'revoke', fingerprint(cert), '--reason', 'cessationOfOperation')
    done = protect(gone.cert, check=False)
    assert done.returncode == 3 and 'revoked' in words(done)


@pytest.mark.parametrize('data', [b'', b'x' * (16 * 1024 * 1024 + 1)], ids=['empty', 'too large'])
def test_sizes(reader, protect, data):
    done = protect(reader.cert, data=data, check=False)
    assert done.returncode == 2 and '1 to 16777216' in words(done)


def test_reader_file_is_no_certificate(agent, protect, tmp_path):
    (tmp_path / 'junk').write_text('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    assert protect(tmp_path / 'junk', check=False).returncode == 2
    assert protect(tmp_path / 'absent', check=False).returncode == 2
    assert json.loads(agent.do('status', '--json').stdout)['device_id'] == agent.id
