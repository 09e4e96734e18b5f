"""`openssl cmp` as the foreign client of the CMP server (RFC 9810, 9483, 9811), and its messages altered."""
import hashlib
import hmac
import re
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cmp_messages import (CERTCONF, CP, ERROR, GENP, IP, KUP, NESTED, PKICONF, POLLREP, POLLREQ, RP, Client, Message, encode,
                          parse)
from harness import Credential, Gate, new_key, run, serial_hex, until, words


@pytest.fixture
def client(gate, tmp_path):
    """A registered device whose secret is for CMP."""
    return Client(gate, tmp_path / 'client', *gate.register(None, '--cmp'))


@pytest.fixture(scope='module')
def born(gate, tmp_path_factory):
    """A device with its IDevID (idevid) and an LDevID (ldevid), both by CMP."""
    one = Client(gate, tmp_path_factory.mktemp('born'), *gate.register(None, '--cmp'))
    one.ask('ir', 'idevid', *one.by_secret())
    one.ask('cr', 'ldevid', *one.by_cert('idevid'))
    return one


def state_of(gate, cert):
    return gate.json('cert', 'show', serial_hex(cert))['state']


def load_key(client, name):
    return serialization.load_pem_private_key((client.folder / f'{name}.key').read_bytes(), None)


# --- what a device does ------------------------------------------------------------------------------

@pytest.mark.parametrize('door', ['relying', 'devices'])
def test_first_certificate_by_secret(gate, client, door):
    cert = client.ask('ir', 'idevid', *client.by_secret(), '-subject', f'/CN={client.id}', '-cacertsout', client.folder / 'ca.pem',
                      '-chainout', client.folder / 'chain.pem', door=door)
    shown = gate.json('cert', 'show', serial_hex(cert))
    assert (shown['owner'], shown['profile'], shown['state']) == (f'device:{client.id}', 'idevid', 'valid')
    assert (client.folder / 'ca.pem').read_bytes().strip() in gate.root.read_bytes(), 'the secret makes the root trusted'
    run('openssl', 'verify', '-x509_strict', '-CAfile', client.folder / 'ca.pem', '-untrusted', client.folder / 'chain.pem',
        client.folder / 'idevid.pem')


@pytest.mark.parametrize('mac', ['hmac-sha1', 'hmacWithSHA256'])
@pytest.mark.parametrize('confirm', [(), ('-implicit_confirm',)])
def test_confirmation(gate, client, confirm, mac):
    done = client.run('ir', *client.by_secret(), '-mac', mac, '-newkey', client.key('k'), '-certout', client.folder / 'k.pem', *confirm)
    assert ('sending CERTCONF' in words(done)) is not bool(confirm)
    assert state_of(gate, client.cert('k')) == 'valid'


def test_a_life_by_signature(gate, born, tmp_path):
    gone = born.ask('cr', 'first', *born.by_cert('idevid'))
    assert gate.json('cert', 'show', serial_hex(gone))['profile'] == 'ldevid'
    following = born.ask('kur', 'second', *born.by_cert('first'), '-implicit_confirm')
    assert state_of(gate, gone) == 'superseded' and state_of(gate, following) == 'valid'
    born.run('rr', '-oldcert', born.folder / 'second.pem', '-revreason', '1', *born.by_cert('second'))
    shown = gate.json('cert', 'show', serial_hex(following))
    assert (shown['state'], shown['reason']) == ('revoked', 'keyCompromise')
    refused = born.run('rr', '-oldcert', born.folder / 'second.pem', '-revreason', '1', *born.by_cert('idevid'), check=False)
    assert refused.returncode != 0 and 'certRevoked' in words(refused)
    refused = born.run('cr', *born.by_cert('idevid'), '-newkey', born.key('third'), '-certout', born.folder / 'third.pem', check=False)
    assert refused.returncode != 0 and 'notAuthorized' in words(refused), 'no way back by the IDevID'
    gate.cli('device', 'readmit', born.id, '--reason', 'its key was made anew')
    born.ask('cr', 'third', *born.by_cert('idevid'))
    refused = born.run('genm', *born.by_cert('second'), check=False)
    assert refused.returncode != 0 and 'signerNotTrusted' in words(refused), 'a revoked certificate opens nothing'


@pytest.mark.parametrize('digest', ['sha256', 'sha384', 'sha512'])
def test_a_hash_is_not_of_the_key(client, digest):
    """openssl signs with SHA-256 whatever the curve, for the request's own proof as for the message."""
    for name, cmd, options in (('idevid', 'ir', client.by_secret()), ('ldevid', 'cr', client.by_cert('idevid'))):
        client.run(cmd, '-newkey', client.key(name, 'P-384'), '-certout', client.folder / f'{name}.pem', '-digest', digest, *options)
        assert client.cert(name).public_key().key_size == 384


def test_sha_1_protects_nothing(born):
    done = born.run('genm', *born.by_cert('idevid'), '-infotype', 'caCerts', '-cacertsout', born.folder / 'cas.pem', '-digest', 'sha1',
                    check=False)
    assert done.returncode != 0 and 'badAlg' in words(done), words(done)


def test_an_issuer_named_the_other_way_round(gate, born):
    """Java's X500Principal.getName() begins at the end: so name Siemens' CmpRaComponent and others oldCertID and rr's issuer."""
    cert = born.ask('cr', 'turned', *born.by_cert('idevid'))
    forwards, (name,) = cert.issuer.public_bytes(), parse(cert.issuer.public_bytes())
    backwards = encode([name[0], name[1][::-1]])
    for cmd, kind, state, options in (('kur', KUP, 'superseded', ('-newkey', born.key('after'), '-implicit_confirm')),
                                      ('rr', RP, 'revoked', ('-oldcert', born.folder / 'turned.pem', '-revreason', '4'))):
        sent = Message(born.request(cmd, *options, *born.by_cert('turned')))
        octets = encode(sent.body)
        assert forwards in octets
        sent.root[1][1] = sent.body = parse(octets.replace(forwards, backwards))[0]
        if cmd == 'kur':  # the new key signs the request, in which nothing else may have changed
            (body,) = parse(octets)
            whole = body[1][0][1][0][1]
            changed = sent.body[1][0][1][0][1]
            changed[1] = [0xa1, [whole[1][1][0], [3, b'\0' + load_key(born, 'after').sign(encode(changed[0]), ec.ECDSA(hashes.SHA256()))]]]
        answer = born.post(sent.sign(load_key(born, 'turned')).der()).check(gate.root)
        assert answer.type == kind and state_of(gate, cert) == state


def test_pkcs10(gate, client):
    def request(name):
        run('openssl', 'req', '-new', '-key', client.key(name), '-subj', f'/CN={client.id}', '-out', client.folder / f'{name}.csr')
        return ('-csr', client.folder / f'{name}.csr', '-certout', client.folder / f'{name}.pem')
    client.run('p10cr', *request('idevid'), *client.by_secret())
    client.run('p10cr', *request('ldevid'), *client.by_cert('idevid'), '-implicit_confirm', path='/.well-known/cmp/p/ldevid/pkcs10')
    assert [gate.json('cert', 'show', serial_hex(client.cert(name)))['profile'] for name in ('idevid', 'ldevid')] == ['idevid', 'ldevid']


@pytest.mark.parametrize('info', ['caCerts', 'certReqTemplate', 'rootCaCert', 'currentCRL'])
def test_general_messages(gate, born, info):
    if info in ('currentCRL', 'caCerts'):
        done = born.run('genm', *born.by_cert('idevid'), '-infotype', info, '-cacertsout', born.folder / 'cas.pem')
        assert f'id-it-{info}' in words(done) or 'CA certificate(s)' in words(done), words(done)
        return
    oid = {'certReqTemplate': b'\x13', 'rootCaCert': b'\x14'}[info]
    message = Message(born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts'))
    message.body[1][0][1][0][1] = [[6, b'\x2b\x06\x01\x05\x05\x07\x04' + oid]]
    answer = born.post(message.sign(load_key(born, 'idevid')).der()).check(gate.root)
    kind = answer.body[1][0][1][0][1]
    assert kind[0][1][-1:] == {'certReqTemplate': b'\x13', 'rootCaCert': b'\x12'}[info]
    if info == 'certReqTemplate':
        assert born.id.encode() in encode(kind[1]), "the subject's name, as the registry has it"
    else:
        assert len(kind) == 1, 'no root follows this one'


def test_crl_by_issuer_and_time(gate, born):
    """crlStatusList: the CRL where the asker has none, nothing where it has the newest."""
    def ask(*more):
        message = Message(born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts'))
        issuer = born.cert('idevid').issuer.public_bytes()
        name = [0xa1, [[0x30, [[0xa4, issuer]]]]]
        message.body[1][0][1][0][1] = [[6, b'\x2b\x06\x01\x05\x05\x07\x04\x16'], [0x30, [[0x30, [name, *more]]]]]
        return born.post(message.sign(load_key(born, 'idevid')).der()).check(gate.root).body[1][0][1][0][1]
    oid, lists = ask()
    crl = x509.load_der_x509_crl(encode(lists[1][0]))
    assert oid[1][-1:] == b'\x17' and crl.issuer == born.cert('idevid').issuer
    assert len(ask([24, b'20991231235959Z'])) == 1, 'no newer one'


@pytest.fixture
def newer(born):
    """OpenSSL 3.4 and later know the messages of RFC 9483 by name."""
    if '-crlout' not in words(run('openssl', 'cmp', '-help', check=False)):
        pytest.skip('this openssl cmp knows neither -crlout nor -template')
    return born


def test_a_newer_client(gate, newer):
    """What OpenSSL checks of such answers by itself."""
    def genm(*options):
        return newer.run('genm', *newer.by_cert('idevid'), *options)
    folder = newer.folder
    genm('-infotype', 'certReqTemplate', '-template', folder / 'template.der', '-keyspec', folder / 'keyspec.der')
    assert newer.id.encode() in (folder / 'template.der').read_bytes()
    genm('-infotype', 'crlStatusList', '-crlcert', folder / 'idevid.pem', '-crlout', folder / 'new.crl')
    assert x509.load_der_x509_crl((folder / 'new.crl').read_bytes()).issuer == newer.cert('idevid').issuer
    genm('-infotype', 'crlStatusList', '-oldcrl', folder / 'new.crl', '-crlout', folder / 'newer.crl')
    genm('-infotype', 'rootCaCert', '-oldwithold', gate.root, '-newwithnew', folder / 'root2.pem')
    genm('-infotype', 'caCerts', '-cacertsout', folder / 'cas.pem')
    assert (folder / 'cas.pem').read_text().count('BEGIN CERTIFICATE') >= 2
    newer.run('cr', *newer.by_cert('idevid'), '-newkey', newer.key('named'), '-certout', folder / 'named.pem', '-profile', 'ldevid')
    done = newer.run('cr', *newer.by_cert('idevid'), '-newkey', newer.key('named2'), '-certout', folder / 'named2.pem', '-profile', 'nothing',
                     check=False)
    assert done.returncode != 0 and 'badRequest' in words(done)
    done = newer.run('cr', *newer.by_cert('idevid'), '-centralkeygen', '-newkeyout', folder / 'made.key', '-certout', folder / 'made.pem',
                     check=False)
    assert done.returncode != 0 and 'badCertTemplate' in words(done), 'keys are not made here'


def test_profile_in_the_header(gate, born):
    """id-it-certProfile (RFC 9483 section 3.1) names it where the address does not."""
    def ask(name):
        message = Message(born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('p')))
        message.header[1].append([0xa8, [[0x30, [[0x30, [[6, b'\x2b\x06\x01\x05\x05\x07\x04\x15'], [0x30, [[12, name]]]]]]]]])
        return born.post(message.sign(load_key(born, 'idevid')).der()).check(gate.root)
    assert ask(b'ldevid').status() == 0
    assert ask(b'idevid').fail() == 'notAuthorized', 'is asked for with the secret'
    assert ask(b'nothing').fail() == 'badRequest'


def test_over_what_the_address_says(gate, born):
    assert 'badRequest' in words(born.run('genm', *born.by_cert('idevid'), path='/.well-known/cmp/revocation', check=False))
    for path in ('/.well-known/cmp/p/nothing', '/.well-known/cmp/nothing'):
        assert gate.ask('relying', 'POST', path, b'x', {'Content-Type': 'application/pkixcmp'}).status == 404


def pbmac1(message, secret, count=1000):
    """RFC 9481 section 6.1.2, which openssl does not speak: PBKDF2 and HMAC, both with SHA-256."""
    salt, sha256 = b'0123456789abcdef', [0x30, [[6, b'\x2a\x86\x48\x86\xf7\x0d\x02\x09'], [5, b'']]]
    kdf = [0x30, [[6, b'\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c'], [0x30, [[4, salt], [2, count.to_bytes(2, 'big')], [2, b'\x20'], sha256]]]]
    message.field(1)[:] = [0x30, [[6, b'\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e'], [0x30, [kdf, sha256]]]]
    key = hashlib.pbkdf2_hmac('sha256', secret.encode(), salt, count, 32)
    return key, message._protect(hmac.new(key, message.protected(), 'sha256').digest())


def test_pbmac1(gate, client):
    message = Message(client.request('ir', *client.by_secret(), '-newkey', client.key('k'), '-implicit_confirm'))
    _, wrong = pbmac1(Message(message.der()), 'wrong')
    assert client.post(wrong.der()).check(gate.root).fail() == 'badMessageCheck'
    key, right = pbmac1(message, client.secret)
    answer = client.post(right.der())
    assert hmac.compare_digest(hmac.new(key, answer.protected(), 'sha256').digest(), answer.protection)
    assert (answer.type, answer.status()) == (IP, 0) and state_of(gate, answer.cert()) == 'valid'


# --- who may not -------------------------------------------------------------------------------------

def test_wrong_secrets_are_recorded_and_lock_nobody_out(gate, client):
    done = client.run('ir', *client.by_secret('wrong'), '-newkey', client.key('k'), '-certout', 'k.pem', '-unprotected_errors',
                      check=False)
    assert done.returncode != 0 and 'badMessageCheck' in words(done)
    wrong = client.request('ir', *client.by_secret('wrong'), '-newkey', client.key('k'))
    assert {client.post(wrong).check(gate.root).fail() for _ in range(12)} == {'badMessageCheck'}
    told = [entry for _, entry in gate.log_entries(30)
            if entry['type'] == 'access.refuse' and entry['object'] == f'device:{client.id}']
    assert len(told) == 10
    client.ask('ir', 'k', *client.by_secret())


def test_a_secret_that_is_not_for_cmp_is_refused_and_not_counted(gate, tmp_path):
    other = Client(gate, tmp_path / 'other', *gate.register())
    message = other.request('genm', *other.by_secret(), '-infotype', 'caCerts')
    assert other.post(message).check(gate.root).fail() == 'badMessageCheck'


def test_a_secret_is_used_once(gate, client):
    client.ask('ir', 'first', *client.by_secret())
    done = client.run('ir', *client.by_secret(), '-newkey', client.key('k'), '-certout', 'k.pem', check=False)
    assert done.returncode != 0 and 'notAuthorized' in words(done) and 'used already' in words(done)


def test_strange_certificate(gate, born, tmp_path):
    """Names, serial number and key identifier as in the true one; another key signed it."""
    true = born.cert('idevid')
    key = new_key()
    forged = x509.CertificateBuilder(true.issuer, true.subject, key.public_key(), true.serial_number, true.not_valid_before,
                                     true.not_valid_after)
    for extension in true.extensions:
        forged = forged.add_extension(extension.value, extension.critical)
    stranger = Client(gate, tmp_path / 'stranger', born.id)
    Credential(stranger.folder, 'forged', key, forged.sign(new_key(), x509.base.hashes.SHA256()))
    answer = stranger.post(stranger.request('genm', *stranger.by_cert('forged'), '-infotype', 'caCerts')).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, 'signerNotTrusted')


def test_another_devices_certificate_is_not_revoked(gate, born, client):
    victim = client.ask('ir', 'victim', *client.by_secret())
    done = born.run('rr', '-oldcert', client.folder / 'victim.pem', '-revreason', '1', *born.by_cert('idevid'), check=False)
    assert done.returncode != 0 and 'notAuthorized' in words(done)
    assert state_of(gate, victim) == 'valid'


@pytest.mark.parametrize('reason,said', [('2', 'badRequest'), ('6', 'badRequest'), ('-1', 'badRequest')])
def test_reasons_that_are_not_a_devices(gate, born, reason, said):
    cert = born.ask('cr', f'reason{reason}', *born.by_cert('idevid'))
    done = born.run('rr', '-oldcert', born.folder / f'reason{reason}.pem', '-revreason', reason, *born.by_cert('idevid'), check=False)
    assert done.returncode != 0 and said in words(done)
    assert state_of(gate, cert) == 'valid'


# --- messages that are wrong -------------------------------------------------------------------------

def test_what_is_no_message(gate):
    def post(body, kind='application/pkixcmp'):
        return gate.ask('relying', 'POST', '/.well-known/cmp', body, {'Content-Type': kind}).status
    assert [post(b''), post(b'\x30\x03\x02\x01\x02'), post(b'\x30\x80' + bytes(60)), post(b'\xff' * 500)] == [400] * 4
    assert post(b'x', 'text/plain') == 415
    assert post(bytes(40000)) == 413
    assert gate.ask('relying', 'GET', '/.well-known/cmp').status == 405


def longer_ago(message):
    message.field(0)[1] = b'20200101000000Z'


def older_version(message):
    message.header[1][0][1] = b'\x01'


HEADERS = {
    'unsupportedVersion': older_version,
    'badDataFormat': lambda message: message.drop(4),
    'badSenderNonce': lambda message: message.put(5, bytes(8)),
    'badTime': longer_ago,
    'badMessageCheck': lambda message: message.unprotected(),
    'badRecipientNonce': lambda message: message.put(6, bytes(16)),
    'badAlg': lambda message: message.field(1)[1][1][1].__setitem__(2, [2, b'\x01\x00\x00']),
}


@pytest.mark.parametrize('said', HEADERS)
def test_headers(gate, client, said):
    """Each wrong header has its own failure bit, in a protected error that belongs to the request."""
    message = Message(client.request('ir', *client.by_secret(), '-newkey', client.key('k')))
    HEADERS[said](message)
    if message.protection and said != 'badAlg':
        message.mac(client.secret)
    answer = client.post(message.der())
    answer.check(gate.root, client.secret if said == 'badRecipientNonce' else None)
    assert (answer.type, answer.status(), answer.fail()) == (ERROR, 2, said), answer.text()
    assert answer.field(4) == message.field(4) and answer.field(6) == message.field(5), 'its transactionID and nonce'
    assert len(answer.field(5)[1]) >= 16


def request_of(message):
    """CertRequest: certReqId, certTemplate, …"""
    return message.body[1][0][1][0][1][0]


def flip_signature(message):
    proof = message.body[1][0][1][0][1][1][1]
    proof[-1][1] = proof[-1][1][:-1] + bytes([proof[-1][1][-1] ^ 1])


def drop_key(message):
    template = request_of(message)[1][1]
    template[1] = [node for node in template[1] if node[0] != 0xa6]


def twice(message):
    message.body[1][0][1] *= 2


BODIES = {
    'badPOP': flip_signature,
    'badCertTemplate': drop_key,
    'badDataFormat': twice,
    'badRequest': lambda message: request_of(message)[1].__setitem__(0, [2, b'\x07']),
    'raVerified': lambda message: message.body[1][0][1][0][1].__setitem__(1, [0x80, b'']),
}


@pytest.mark.parametrize('said', BODIES)
def test_bodies(gate, client, said):
    before = gate.counts()
    message = Message(client.request('ir', *client.by_secret(), '-newkey', client.key('k')))
    BODIES[said](message)
    answer = client.post(message.mac(client.secret).der()).check(gate.root, client.secret)
    assert answer.type == (ERROR if said == 'badDataFormat' else IP)
    assert answer.fail() == ('badPOP' if said == 'raVerified' else said), answer.text()
    assert gate.counts() == before, 'nothing was issued'
    client.ask('ir', 'k2', *client.by_secret())  # and the secret is still good


def test_kur_is_by_the_certificate_itself(gate, born, client):
    message = Message(born.request('kur', *born.by_cert('ldevid'), '-newkey', born.key('k')))
    controls = request_of(message)[1][2]
    controls[1][0][1][1][1][1][1] = b'\x01\x02\x03'
    answer = born.post(message.sign(load_key(born, 'ldevid')).der()).check(gate.root)
    assert (answer.type, answer.fail()) == (KUP, 'badCertId')
    by_secret = Message(client.request('ir', *client.by_secret(), '-newkey', client.key('k')))
    by_secret.body[0] = 0xa0 | 7
    answer = client.post(by_secret.mac(client.secret).der()).check(gate.root, client.secret)
    assert (answer.type, answer.fail()) == (KUP, 'wrongIntegrity')


def test_altered_on_the_way(gate, born):
    octets = bytearray(born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('k')))
    whole = Message(bytes(octets))
    at = bytes(octets).index(whole.field(4)[1])
    octets[at] ^= 1
    answer = born.post(bytes(octets)).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, 'badMessageCheck')


# --- transactions ------------------------------------------------------------------------------------

def cert_conf(answer, request, key, hash_=None, nonce=None):
    """certConf for the certificate in `answer`, by hand: header of the request, protected by its key or secret."""
    message = Message(request.der())
    message.put(6, nonce or answer.field(5)[1])
    message.put(5, b'c' * 16)
    digest = hash_ or answer.cert().fingerprint(answer.cert().signature_hash_algorithm)
    message.body[0] = 0xa0 | CERTCONF
    message.body[1] = [[0x30, [[0x30, [[4, digest], [2, b'\x00']]]]]]
    return message.sign(key)


@pytest.fixture
def unconfirmed(gate, born):
    """A transaction whose certificate was sent: request, answer, key of its protection."""
    key = load_key(born, 'idevid')
    request = Message(born.request('cr', *born.by_cert('idevid'), '-newkey', born.key(f'u{id(object())}')))
    answer = born.post(request.der()).check(gate.root)
    assert answer.type == CP and answer.status() == 0
    return request, answer, key


def test_the_same_request_again(gate, born, unconfirmed):
    request, answer, key = unconfirmed
    before = gate.counts()
    assert born.post(request.der()).der() == answer.der(), 'octet for octet'
    other = Message(request.der())
    other.put(5, b'n' * 16)
    assert born.post(other.sign(key).der()).check(gate.root).fail() == 'transactionIdInUse'
    other.put(4, b't' * 16)
    assert born.post(other.sign(key).der()).cert() == answer.cert(), 'the same CertReqMsg, so the same certificate'
    assert gate.counts() == before


def test_confirmation_must_fit(gate, born, client, unconfirmed):
    request, answer, key = unconfirmed
    wrong = cert_conf(answer, request, key, hash_=bytes(32))
    assert born.post(wrong.der()).check(gate.root).fail() == 'badCertId'
    wrong = cert_conf(answer, request, key, nonce=bytes(16))
    assert born.post(wrong.der()).check(gate.root).fail() == 'badRecipientNonce'
    by_other = Message(client.request('ir', *client.by_secret(), '-newkey', client.key('k')))
    by_other.put(4, request.field(4)[1])
    by_other.put(6, answer.field(5)[1])
    by_other.body[:] = cert_conf(answer, request, key).body
    assert client.post(by_other.mac(client.secret).der()).fail() == 'wrongIntegrity'
    right = cert_conf(answer, request, key)
    assert born.post(right.der()).check(gate.root).type == PKICONF
    assert born.post(right.der()).type == PKICONF, 'the same again'
    right.put(6, born.post(right.der()).field(5)[1])
    assert born.post(right.sign(key).der()).check(gate.root).fail() == 'certConfirmed'
    assert state_of(gate, answer.cert()) == 'valid'


@pytest.mark.parametrize('how', ['status', 'empty'])
def test_a_refused_certificate_is_revoked(gate, born, unconfirmed, how):
    """By its status, or by a certConf that confirms nothing (RFC 9810 section 5.3.18)."""
    request, answer, key = unconfirmed
    refusal = cert_conf(answer, request, key)
    if how == 'status':
        refusal.body[1][0][1][0][1].append([0x30, [[2, b'\x02']]])
    else:
        refusal.body[1][0][1] = []
    assert born.post(refusal.sign(key).der()).check(gate.root).type == PKICONF
    assert state_of(gate, answer.cert()) == 'revoked'


def test_nothing_to_go_on_with(gate, born, unconfirmed):
    request, answer, key = unconfirmed
    stray = cert_conf(answer, request, key)
    stray.put(4, b's' * 16)
    assert born.post(stray.sign(key).der()).check(gate.root).fail() == 'badRequest'


def test_not_confirmed_in_time(own_gate, tmp_path):
    """A restart in between changes nothing: the transaction goes on, or time ends it."""
    client = Client(own_gate, tmp_path / 'client', *own_gate.register(None, '--cmp'))
    client.ask('ir', 'idevid', *client.by_secret())
    key = load_key(client, 'idevid')
    lost = Message(client.request('cr', *client.by_cert('idevid'), '-newkey', client.key('again')))
    first = client.post(lost.der()).cert()
    client.run('cr', *client.by_cert('idevid'), '-newkey', client.folder / 'again.key', '-certout', client.folder / 'again.pem')
    again = client.cert('again')
    assert again == first, 'the same key, asked with another proof, in another transaction'
    pairs = []
    for name in ('kept', 'lost'):
        request = Message(client.request('cr', *client.by_cert('idevid'), '-newkey', client.key(name)))
        pairs.append((request, client.post(request.der())))
    assert own_gate.stop() == 0
    own_gate.start()
    assert client.post(cert_conf(pairs[0][1], pairs[0][0], key).der()).type == PKICONF
    assert own_gate.stop() == 0
    own_gate.env = {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': '400'}
    own_gate.start()
    until('what was not confirmed is revoked', lambda: state_of(own_gate, pairs[1][1].cert()) == 'revoked')
    assert state_of(own_gate, pairs[0][1].cert()) == 'valid'
    assert state_of(own_gate, again) == 'valid', 'its first answer, which was lost, is not held against it'
    assert state_of(own_gate, client.cert('idevid')) == 'valid'


def test_killed_before_it_answered(own_gate, tmp_path):
    """At whatever point: a certificate that nobody got is not in force for long."""
    client = Client(own_gate, tmp_path / 'client', *own_gate.register(None, '--cmp'))
    client.ask('ir', 'idevid', *client.by_secret())
    for i, wait_s in enumerate((0, 0.004, 0.02)):
        message = client.request('cr', *client.by_cert('idevid'), '-newkey', client.key(f'k{i}'))
        connection = own_gate.connect('relying')
        connection.request('POST', '/.well-known/cmp', message, {'Content-Type': 'application/pkixcmp'})
        time.sleep(wait_s)
        own_gate.kill()
        connection.close()
        own_gate.env = {'KEYWRIGHT_TEST_CLOCK_OFFSET_S': str(400 * (i + 1))}
        own_gate.start()

        def certs():
            rows = own_gate.json('cert', 'list', '--owner', f'device:{client.id}')
            return [row for row in rows['items'] if row['profile'] == 'ldevid']
        until('nothing is left in force', lambda: all(row['state'] == 'revoked' for row in certs()))


def test_waits_for_an_officer(tmp_path):
    gate = Gate(tmp_path / 'gate')
    profile = gate.state / 'profiles/ldevid.yaml'
    profile.write_text(profile.read_text().replace('approval: none', 'approval: officer'))
    gate.start()
    try:
        client = Client(gate, tmp_path / 'client', *gate.register(None, '--cmp'))
        client.ask('ir', 'idevid', *client.by_secret())
        key = load_key(client, 'idevid')
        station = station_of(gate, tmp_path / 'station')

        def hand_on(message):
            return station.post(wrapped(station, message.der()).der()).check(gate.root)
        request = Message(client.request('cr', *client.by_cert('idevid'), '-newkey', client.key('k')))
        waiting = hand_on(request)
        assert (waiting.type, waiting.status()) == (CP, 3)
        poll = Message(request.der())
        poll.put(6, waiting.field(5)[1])
        poll.body[:] = [0xa0 | POLLREQ, [[0x30, [[0x30, [[2, b'\x00']]]]]]]
        again = hand_on(poll.sign(key))
        assert again.type == POLLREP and int.from_bytes(again.body[1][0][1][0][1][1][1], 'big') > 0
        (number,) = re.findall(r'^ *(\d+)', gate.cli('request', 'list').stdout, re.M)
        gate.cli('request', 'approve', number)
        poll.put(5, b'p' * 16)
        poll.put(6, again.field(5)[1])
        answer = hand_on(poll.sign(key))
        assert (answer.type, answer.status()) == (CP, 0)
        assert through_of(gate, client) == ['keywrightd through station:CMP-LINE'], 'also after the wait'
        assert client.post(cert_conf(answer, request, key).der()).type == PKICONF
        assert state_of(gate, answer.cert()) == 'valid'
    finally:
        gate.stop()


def test_a_revocation_that_comes_again(gate, born):
    """Its certificate protects it: the answer is the kept one, though the certificate is revoked by now."""
    born.ask('cr', 'gone', *born.by_cert('idevid'))
    message = born.request('rr', '-oldcert', born.folder / 'gone.pem', '-revreason', '4', *born.by_cert('gone'))
    first = born.post(message).check(gate.root)
    assert (first.type, first.status()) == (RP, 0)
    assert born.post(message).der() == first.der()


def test_the_signer_changes_its_key(gate, born):
    """In the middle of a transaction: it goes on, and openssl believes the next key as it did the first."""
    key = load_key(born, 'idevid')
    request = Message(born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('s')))
    answer = born.post(request.der()).check(gate.root)
    gate.cli('key', 'rotate', 'cmp-signer')

    def asked():
        return born.post(Message(born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts')).der()).check(gate.root)
    after = until('the next key signs', lambda: (one := asked()).certs[0] != answer.certs[0] and one)
    assert after.certs[0].public_key() != answer.certs[0].public_key() and after.certs[0].subject == answer.certs[0].subject
    assert born.post(cert_conf(answer, request, key).der()).check(gate.root).type == PKICONF
    assert state_of(gate, answer.cert()) == 'valid'
    born.ask('cr', 'after', *born.by_cert('idevid'))
    states = {one['id']: one['state'] for one in gate.json('key', 'list')['items'] if one['id'].startswith('cmp-signer')}
    assert states.get('cmp-signer.2') == 'active', states


# --- through a station (RFC 9483 section 5.2) -----------------------------------------------------------

def station_of(gate, folder):
    """A registration authority with `openssl cmp`, for one product."""
    one = Client(gate, folder, 'CMP-LINE')
    csr = one.folder / 'station.csr'
    run('openssl', 'req', '-new', '-key', one.key('station'), '-subj', '/CN=CMP-LINE', '-out', csr)
    gate.cli('cert', 'issue', '--profile', 'station', '--name', one.id, '--csr', csr, '--out', one.folder / 'station.pem')
    gate.cli('station', 'grant', one.id, '--product', 'thermostat-1')
    return one


@pytest.fixture(scope='module')
def station(gate, tmp_path_factory):
    return station_of(gate, tmp_path_factory.mktemp('station'))


def test_a_station_speaks_for_a_device(gate, station):
    """Replacing protection (section 5.2.3): raVerified is the station's word, for devices of its products alone."""
    device, _ = gate.register()
    by = (*station.by_cert('station'), '-subject', f'/CN={device}')
    cert = station.ask('ir', f'{device}-ra', *by, '-popo', '0')
    shown = gate.json('cert', 'show', serial_hex(cert))
    assert (shown['owner'], shown['profile'], shown['state']) == (f'device:{device}', 'idevid', 'valid')
    refused = station.run('ir', '-newkey', station.key('again'), '-certout', station.folder / 'again.pem', *by, check=False)
    assert refused.returncode != 0 and 'notAuthorized' in words(refused), 'born once'
    own = station.ask('ir', 'own', *station.by_cert('station'), '-subject', f'/CN={gate.register()[0]}', '-popo', '1')
    assert gate.json('cert', 'show', serial_hex(own))['state'] == 'valid', "the device's own proof is as good"
    other = gate.new_id()
    gate.cli('device', 'register', other, '--product', 'other-product')
    for name in (other, 'NOBODY'):
        done = station.run('ir', '-newkey', station.key('k'), '-certout', station.folder / 'k.pem', *station.by_cert('station'),
                           '-subject', f'/CN={name}', '-popo', '0', check=False)
        assert done.returncode != 0 and 'notAuthorized' in words(done), words(done)


def through_of(gate, client):
    """From where the log says that the device's requests came, where a station handed them on."""
    told = [entry['source'] for _, entry in gate.log_entries(30)
            if entry['type'] == 'cert.issue' and entry['actor'] == f'device:{client.id}']
    return [source for source in told if 'station' in source]


def wrapped(station, inner, transaction=None, nonce=None, times=1):
    """A nested message of the station around the octets of another one, with its transactionID and senderNonce."""
    outer = Message(station.request('genm', *station.by_cert('station'), '-infotype', 'caCerts'))
    outer.put(4, transaction or Message(inner).field(4)[1])
    outer.put(5, nonce or Message(inner).field(5)[1])
    outer.body[:] = [0xa0 | NESTED, [[0x30, parse(inner) * times]]]
    return outer.sign(load_key(station, 'station'))


@pytest.mark.parametrize('path', ['/.well-known/cmp', '/.well-known/cmp/nested'])
def test_nested_by_a_station(gate, station, born, client, path):
    """Adding protection (section 5.2.2.1): what is in it is served by its own protection, and its answer is its own."""
    first = client.request('ir', *client.by_secret(), '-newkey', client.key('k'), '-implicit_confirm')
    answer = station.post(wrapped(station, first).der(), path).check(gate.root, client.secret)
    assert (answer.type, answer.status()) == (IP, 0), answer.text()
    assert gate.json('cert', 'show', serial_hex(answer.cert()))['owner'] == f'device:{client.id}'
    assert client.post(first).der() == answer.der(), 'the same message again, without a station'
    assert through_of(gate, client) == ['keywrightd through station:CMP-LINE']
    request = Message(born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('n')))
    answer = station.post(wrapped(station, request.der()).der(), path).check(gate.root)
    assert (answer.type, answer.status()) == (CP, 0), answer.text()
    confirm = cert_conf(answer, request, load_key(born, 'idevid'))
    assert station.post(wrapped(station, confirm.der()).der(), path).check(gate.root).type == PKICONF
    assert state_of(gate, answer.cert()) == 'valid'


def altered_inside(station, inner):
    """The station signs what somebody changed before it came to it."""
    message = Message(inner)
    message.put(5, b'x' * 16)
    return wrapped(station, message.der())


def altered_outside(station, inner):
    message = wrapped(station, inner)
    message.put(5, b'x' * 16)
    return message


def anew(signer, message, transaction, nonce=b''):
    """The same request as another transaction; nonce None: with the same nonce."""
    one = Message(message)
    one.put(4, transaction)
    if nonce is not None:
        one.put(5, nonce or transaction[::-1] + b'n')
    return one.sign(load_key(signer, 'station')).der()


def batch(station, *messages, transaction=b't' * 16):
    """Section 5.2.2.2: the messages, in a transaction of the station's own."""
    outer = Message(wrapped(station, messages[0], transaction, b'o' * 16).der())
    outer.body[:] = [0xa0 | NESTED, [[0x30, [node for one in messages for node in parse(one)]]]]
    return outer.sign(load_key(station, 'station'))


def unpacked(answer, transaction=b't' * 16):
    """The answers in the answer to a batch, which is the station's own transaction."""
    assert (answer.type, answer.field(4)[1], answer.field(6)[1]) == (NESTED, transaction, b'o' * 16)
    return [Message(encode(node)) for node in answer.body[1][0][1]]


NESTED_BAD = {
    'nothing in it': (lambda station, inner: wrapped(station, inner, times=0), 'badDataFormat'),
    'two in one': (lambda station, inner: wrapped(station, inner, times=2), 'transactionIdInUse'),
    'the same in a batch': (lambda station, inner: wrapped(station, inner, b't' * 16, b'n' * 16, times=3), 'transactionIdInUse'),
    'its own transaction in a batch': (lambda station, inner: batch(station, inner, anew(station, inner, b'u' * 16),
                                                                    transaction=b'u' * 16), 'transactionIdInUse'),
    'a nonce twice': (lambda station, inner: batch(station, inner, anew(station, inner, b'u' * 16, nonce=None)), 'badSenderNonce'),
    'too many': (lambda station, inner: batch(station, *(anew(station, inner, bytes([i]) * 16) for i in range(9))), 'badRequest'),
    'no message in a batch': (lambda station, inner: batch(station, inner, encode([0x30, []])), 'badDataFormat'),
    'another transaction': (lambda station, inner: wrapped(station, inner, b't' * 16), 'badRequest'),
    'another nonce': (lambda station, inner: wrapped(station, inner, nonce=b'n' * 16), 'badSenderNonce'),
    'altered inside': (altered_inside, 'badMessageCheck'),
    'altered outside': (altered_outside, 'badMessageCheck'),
    'twice nested': (lambda station, inner: wrapped(station, wrapped(station, inner).der()), 'badRequest'),
    'no protection inside': (lambda station, inner: wrapped(station, Message(inner).unprotected().der()), 'badMessageCheck'),
    'no protection outside': (lambda station, inner: wrapped(station, inner).unprotected(), 'badMessageCheck'),
}


@pytest.mark.parametrize('what', NESTED_BAD)
def test_what_is_nested_wrongly(gate, station, born, what):
    make, said = NESTED_BAD[what]
    inner = born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('b'))
    before = gate.counts()
    answer = station.post(make(station, inner).der()).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, said), answer.text()
    assert gate.counts() == before


def test_a_batch(gate, station, born):
    """Each in it is served by its own protection, in order; one that fails stops no other one."""
    client = Client(gate, station.folder / 'batched', *gate.register(None, '--cmp'))
    first = client.request('ir', *client.by_secret(), '-newkey', client.key('k'), '-implicit_confirm')
    second = born.request('cr', *born.by_cert('idevid'), '-newkey', born.key('batched'))
    info = station.request('genm', *station.by_cert('station'), '-infotype', 'caCerts')
    bad, twice = Message(anew(station, info, b'a' * 16)), wrapped(station, anew(station, info, b'w' * 16))
    bad.put(5, b'x' * 16)  # altered after it was signed
    asked = (first, bad.der(), second, twice.der(), info)
    answers = unpacked(station.post(batch(station, *asked).der(), '/.well-known/cmp/nested').check(gate.root))
    for one, answer in zip(asked, answers):
        assert (answer.field(4), answer.field(6)) == (Message(one).field(4), Message(one).field(5))
    assert [answer.type for answer in answers] == [IP, ERROR, CP, ERROR, GENP]
    assert [answers[i].fail() for i in (1, 3)] == ['badMessageCheck', 'badRequest'], 'nested once, not twice'
    assert answers[0].check(gate.root, client.secret).status() == answers[2].check(gate.root).status() == 0
    assert gate.json('cert', 'show', serial_hex(answers[0].cert()))['owner'] == f'device:{client.id}'
    assert through_of(gate, client) == ['keywrightd through station:CMP-LINE']
    again = unpacked(station.post(batch(station, second, first).der()).check(gate.root))
    assert [one.der() for one in again] == [answers[2].der(), answers[0].der()], 'the same message, the same answer'
    confirm = cert_conf(answers[2], Message(second), load_key(born, 'idevid')).der()
    answers = unpacked(station.post(batch(station, confirm, anew(station, info, b'c' * 16)).der()).check(gate.root))
    assert [answer.type for answer in answers] == [PKICONF, GENP]


def test_a_batch_whose_answers_have_no_room(gate, station):
    """The first ones are answered; what is left out was not begun, and comes again."""
    info = station.request('genm', *station.by_cert('station'), '-infotype', 'caCerts')
    asked = [anew(station, info, bytes([0x80 + i]) * 16) for i in range(8)]
    answers = unpacked(station.post(batch(station, *asked).der()).check(gate.root))
    assert 2 <= len(answers) < len(asked) and {answer.type for answer in answers} == {GENP}
    assert [one.field(4) for one in answers] == [Message(one).field(4) for one in asked[:len(answers)]]
    (rest,) = unpacked(station.post(batch(station, *asked[:-3:-1]).der()).check(gate.root))[:1]
    assert rest.field(4) == Message(asked[-1]).field(4)


def test_who_is_no_station_nests_nothing(gate, station, born, client):
    """Neither a device, nor a station whose certificate is revoked."""
    inner = client.request('ir', *client.by_secret(), '-newkey', client.key('k'), '-implicit_confirm')
    outer = Message(born.request('genm', *born.by_cert('idevid'), '-infotype', 'caCerts'))
    outer.put(4, Message(inner).field(4)[1])
    outer.put(5, Message(inner).field(5)[1])
    outer.body[:] = [0xa0 | NESTED, [[0x30, parse(inner)]]]
    answer = born.post(outer.sign(load_key(born, 'idevid')).der()).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, 'notAuthorized'), answer.text()
    by_mac = Message(client.request('genm', *client.by_secret(), '-infotype', 'caCerts'))
    by_mac.body[:] = [0xa0 | NESTED, [[0x30, parse(inner)]]]
    answer = client.post(by_mac.der()).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, 'wrongIntegrity'), answer.text()
    message = wrapped(station, inner)
    gate.cli('cert', 'revoke', serial_hex(station.cert('station')), '--reason', 'keyCompromise')
    answer = station.post(message.der()).check(gate.root)
    assert (answer.type, answer.fail()) == (ERROR, 'signerNotTrusted'), answer.text()
    assert client.post(inner).status() == 0, 'the device itself is not concerned'
