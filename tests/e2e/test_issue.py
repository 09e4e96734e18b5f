"""Certificates by an operator's word: for stations, servers, people, programs; never for devices or CAs."""
import base64
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from harness import csr_der, key_pem, name_of, new_key, run, words

CMC_RA = '1.3.6.1.5.5.7.3.28'


def csr_file(folder, key, common_name='whoever', san=()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(common_name))
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in san]), False)
    path = folder / 'request.csr'
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def issue(gate, folder, profile, name, *options, key=None, san=(), check=True):
    key = key or new_key()
    done = gate.cli('cert', 'issue', '--profile', profile, '--name', name, '--csr',
                    csr_file(folder, key, san=san), *options, check=check)
    return x509.load_pem_x509_certificate(done.stdout.encode()) if check else done


def ekus(cert):
    return {usage.dotted_string for usage in cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}


def test_station_has_a_name_from_the_operator_and_may_vouch(gate, tmp_path):
    cert = issue(gate, tmp_path, 'station', 'line-3')
    assert cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == 'line-3', 'never from the request'
    assert ekus(cert) == {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string, CMC_RA}
    shown = gate.json('cert', 'list', '--owner', 'station:line-3')['items']
    assert [one['profile'] for one in shown] == ['station']
    assert any(entry['type'] == 'cert.issue' and 'station:line-3' in entry['detail']
               and entry['actor'] == 'operator:admin' for _, entry in gate.log_entries(20))


@pytest.mark.parametrize('profile,options,purpose', [
    ('station', (), 'sslclient'), ('user', (), 'sslclient'), ('tls-client', (), 'sslclient'),
    ('gateway', ('--san', 'localhost'), 'sslserver'), ('tls-server', ('--san', 'dns:localhost,ip:127.0.0.1'), 'sslserver'),
    ('code-signer', (), None), ('crl-signer', (), None), ('operator', (), 'sslclient')])
def test_each_profile_passes_a_strict_verifier(gate, tmp_path, profile, options, purpose):
    cert = issue(gate, tmp_path, profile, f'{profile}-strict', *options)
    (tmp_path / 'leaf.pem').write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (tmp_path / 'root.pem').write_bytes(gate.pem('root'))
    (tmp_path / 'ca.pem').write_bytes(gate.pem('ca-services'))
    run('openssl', 'verify', '-x509_strict', *(['-purpose', purpose] if purpose else []), '-CAfile',
        tmp_path / 'root.pem', '-untrusted', tmp_path / 'ca.pem', tmp_path / 'leaf.pem')


def test_an_issued_operator_operates(gate, tmp_path):
    key = new_key()
    cert = issue(gate, tmp_path, 'operator', 'carol', key=key)
    folder = tmp_path / 'carol'
    folder.mkdir()
    (folder / 'operator.pem').write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / 'operator.key').write_bytes(key_pem(key))
    (folder / 'operator.key').chmod(0o600)
    (folder / 'root.pem').write_bytes(gate.pem('root'))
    (folder / 'server').write_text(gate.url('operators') + '\n')
    gate.cli('cert', 'list', '--admin', folder)


def test_a_request_as_keytool_writes_it(gate, tmp_path):
    path = csr_file(tmp_path, new_key())
    path.write_text(path.read_text().replace('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'))
    assert 'BEGIN CERTIFICATE' in gate.cli('cert', 'issue', '--profile', 'user', '--name', 'duke', '--csr', path).stdout


# --- refusals --------------------------------------------------------------------------------------

def test_names_of_the_request_are_not_taken(gate, tmp_path):
    done = issue(gate, tmp_path, 'tls-server', 'mqtt', san=('evil.example',), check=False)
    assert done.returncode == 2 and 'evil.example' in words(done) and '--san' in words(done)
    cert = issue(gate, tmp_path, 'tls-server', 'mqtt', '--san', 'localhost', san=('evil.example',))
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ['localhost']


@pytest.mark.parametrize('profile,name,options,says', [
    ('idevid', 'DEV', (), 'not issued by an operator'), ('ocsp-signer', 'x', (), 'not issued by an operator'),
    ('nothing', 'x', (), 'nothing'), ('user', 'a:b', (), 'no colon'), ('user', 'x' * 65, (), '64'),
    ('tls-server', 'gate', ('--san', 'localhost'), 'this server'), ('station', 's', ('--san', 'localhost'), 'no alternative'),
    ('tls-server', 'x', ('--san', 'uri:x'), 'no alternative name'),
    ('tls-server', 'x', ('--san', 'elsewhere.example'), 'name constraints do not permit'),
    ('tls-server', 'x', ('--san', 'ip:10.9.8.7'), 'name constraints do not permit'),
    ('tls-server', 'x', ('--san', 'a_b.localhost'), 'preferred name syntax'),
    ('tls-server', 'x', ('--san', 'dns:127.0.0.1'), 'preferred name syntax'),
    ('tls-server', 'x', ('--san', 'localhost,localhost'), 'there twice'), ('user', ' x', (), 'with a space')])
def test_refused_by_class(gate, tmp_path, profile, name, options, says):
    done = issue(gate, tmp_path, profile, name, *options, check=False)
    assert done.returncode not in (0, 8) and says in words(done), words(done)
    assert 'our own bug' not in words(done)


def test_nobody_gets_a_certificate_in_an_operators_name(gate, tmp_path):
    issue(gate, tmp_path, 'operator', 'dave')
    done = issue(gate, tmp_path, 'operator', 'dave', check=False)
    assert done.returncode == 1 and 'in person' in words(done)
    issue(gate, tmp_path, 'operator', 'admin')  # who asks is admin


def test_a_name_is_a_services_or_a_devices(gate, tmp_path):
    """Hubs obey the name in a signer's certificate: who may register devices must not get a service's."""
    service, device = gate.new_id('cloud-'), gate.new_id()
    issue(gate, tmp_path, 'tls-client', service)
    done = gate.cli('device', 'register', service, '--product', 'gadget', check=False)
    assert done.returncode == 1 and f"'{service}' is the name of a service" in words(done)
    gate.cli('device', 'register', device, '--product', 'gadget')
    done = issue(gate, tmp_path, 'tls-client', device, check=False)
    assert done.returncode == 1 and f"'{device}' is a device" in words(done)
    assert gate.cli('doctor').returncode == 0, 'nothing was signed for it'


def test_a_key_has_one_owner_for_ever(gate, tmp_path):
    key = new_key()
    issue(gate, tmp_path, 'user', 'first', key=key)
    for name in ('first', 'second'):
        done = issue(gate, tmp_path, 'user', name, key=key, check=False)
        assert done.returncode == 1 and 'used before' in words(done)
    assert any(entry['type'] == 'cert.refuse' and entry['object'] == 'user:second' for _, entry in gate.log_entries(20))


def test_possession_is_proven(gate, tmp_path):
    broken = bytearray(csr_der(new_key(), 'x'))
    broken[-1] ^= 1
    text = base64.encodebytes(bytes(broken)).decode()
    body = {'profile': 'user', 'name': 'thief',
            'csr': f'-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n'}
    reply = gate.ask('operators', 'POST', '/api/v1/certs', json.dumps(body), {'Content-Type': 'application/json'},
                     who=gate.operator)
    assert reply.status == 400 and 'does not verify' in reply.text, reply
    assert gate.json('cert', 'list', '--owner', 'user:thief')['items'] == []


def told(gate, *words):
    """What a mistake of the operator's is told, in its last line; a mistake in the line itself ends with status 2."""
    done = gate.cli(*words, check=False)
    assert done.returncode == 2, done
    return done.stderr.splitlines()[-1]


def test_mistakes_name_themselves(gate, tmp_path):
    """What was wrong, and not everything there is; what a file lacks is no "no such object"."""
    other = tmp_path / 'other.txt'
    other.write_text('id,product\n')
    assert "no 'devise'" in told(gate, 'devise')
    assert "no 'regster'" in told(gate, 'device', 'regster', 'X')
    (tmp_path / 'request.der').write_bytes(csr_der(new_key(), 'x'))
    assert '-inform DER' in told(gate, 'cert', 'issue', '--profile', 'user', '--name', 'x', '--csr', tmp_path / 'request.der')
    listed = gate.cli('device', 'regster', check=False).stderr
    assert 'device register ID' in listed and 'cert issue' not in listed
    assert 'no device in the file' in told(gate, 'device', 'import', other)
    for words in (('cert', 'issue', '--profile', 'tls-client', '--name', 'x', '--csr', other),
                  ('profile', 'check', '--profile', 'tls-client', '--name', 'x', '--csr', other),
                  ('ca', 'sign', other, '--offline', tmp_path)):
        assert 'no certification request' in told(gate, *words)
    for words in ('ca', 'install', other), ('lint', 'cert', other):
        assert 'no certificate' in told(gate, *words)


def test_lists_are_no_numbers(gate):
    """A plan's counts and samples stand in lists of their own, not as octets of memory among its fields."""
    gate.device()
    shown = gate.cli('revoke', 'plan', '--profile', 'ldevid', '--reason', 'superseded', '--dry-run').stdout
    fields = {line.split()[0] for line in shown.split('What it means')[0].splitlines() if line}
    assert fields >= {'id', 'state', 'digest', 'deadline'} and not fields & {'counts', 'samples', 'enforced'}
