"""The root changes its key under a running server: devices that are there follow, one that slept finds its way, and the
old root goes. Everything over HTTP, by the real agents."""
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cmp_messages import Client, Message, encode, parse
from harness import EST, KEYWRIGHT, Agent, Gate, certs_in, run, words
from test_rotation import ask_ocsp, rotate_ca


def new_agent(gate, folder):
    device, secret = gate.register()
    agent = Agent(gate, folder, device)
    agent.put_secret(secret)
    agent.enrol()
    return agent


def roots_of(agent):
    """Names of the roots that it trusts: the one in use, and the next one."""
    return [x509.load_pem_x509_certificate(path.read_bytes()).subject
            for path in (agent.state / 'root.pem', agent.state / 'root-next.pem') if path.exists()]


def make_next(gate, folder, old, into, check=True):
    request, bundle = folder / 'root.req', folder / f'{into.name}.bundle'
    gate.cli('ca', 'rotate', 'root', '--out', request)
    done = run(KEYWRIGHT, 'ca', 'sign', request, '--offline', old, '--into', into, '--out', bundle, check=check)
    return bundle, done


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def handed_out(gate):
    certs = certs_in(gate.ask('devices', 'GET', f'{EST}/cacerts').body)
    return [cert.subject for cert in certs if cert.subject == cert.issuer and 'Root' in cert.subject.rfc4514_string()], certs


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('rolling'), '--approver', 'bob').start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


@pytest.fixture(scope='module')
def sleeper(gate, tmp_path_factory):
    return new_agent(gate, tmp_path_factory.mktemp('sleeper'))


@pytest.fixture(scope='module')
def awake(gate, tmp_path_factory):
    return new_agent(gate, tmp_path_factory.mktemp('awake'))


def test_refusals(gate, sleeper, awake, tmp_path):
    """Neither ceremony nor server takes what is not exactly the next root."""
    next_ = tmp_path / 'next'
    few = tmp_path / 'few'
    few.mkdir()
    for name in ('root.pem', 'root.key.sealed', 'share-1.txt'):
        (few / name).write_bytes((gate.offline / name).read_bytes())
    _, done = make_next(gate, tmp_path, few, next_, check=False)
    assert done.returncode == 1 and 'share' in words(done) and not next_.exists(), words(done)
    bundle, done = make_next(gate, tmp_path, gate.offline, next_)
    assert 'Keywright Root G2' in words(done)
    assert make_next(gate, tmp_path, gate.offline, next_, check=False)[1].returncode == 1, 'it holds a root already'

    foreign = Gate(tmp_path / 'foreign')
    foreign.start()
    done = foreign.cli('ca', 'install', bundle, check=False)
    assert done.returncode == 1 and 'link' in words(done), words(done)
    assert foreign.stop() == 0
    parts = bundle.read_text().split('-----BEGIN ')
    bad = tmp_path / 'bad'
    for kept in (parts[:4] + parts[5:],                         # a CA is missing
                 parts[:2] + [parts[3], parts[2]] + parts[4:],  # links the wrong way round
                 parts[:2] + parts[3:]):                        # no link
        bad.write_text('-----BEGIN '.join(kept))
        assert gate.cli('ca', 'install', bad, check=False).returncode in (1, 2)
    done = gate.cli('ca', 'retire', 'root', check=False)
    assert done.returncode == 1 and 'successor' in words(done), words(done)
    assert len(handed_out(gate)[0]) == 1
    awake.do('hello')


def test_roll_over(gate, sleeper, awake, tmp_path):
    old = x509.load_pem_x509_certificate(gate.root.read_bytes())
    leaf = awake.cert('ldevid')
    before = gate.cert('ca-devices')
    bundle, _ = make_next(gate, tmp_path, gate.offline, tmp_path / 'second')
    gate.cli('ca', 'install', bundle)
    gate.cli('ca', 'list')  # this operator knows both
    new = gate.cert('root.2')
    assert new.subject != old.subject and new.subject == new.issuer
    issuer = gate.cert('ca-devices')
    assert issuer.issuer == new.subject and issuer.public_key().public_numbers() == before.public_key().public_numbers()
    for kind in (x509.ExtendedKeyUsage, x509.BasicConstraints, x509.KeyUsage):
        assert issuer.extensions.get_extension_for_class(kind).value == before.extensions.get_extension_for_class(kind).value
    roots, certs = handed_out(gate)
    assert set(roots) == {old.subject, new.subject}
    assert {(cert.subject, cert.issuer) for cert in certs} >= {(new.subject, old.subject), (old.subject, new.subject)}
    for name in ('root.2', 'root'):
        crl = x509.load_der_x509_crl(gate.ask('relying', 'GET', f'/crl/{name}.crl').body)
        assert crl.is_signature_valid(gate.cert(name).public_key())
    assert issuer.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value.endswith(
        '/crl/root.2.crl')

    # foreign clients of either root find a path to the server, and a leaf from before is good under either
    for name in ('root', 'root.2'):
        done = run('curl', '-sS', '-f', '--cacert', gate.state / f'certs/{name}.pem', f'{gate.url("devices")}{EST}/cacerts')
        assert done.stdout
    (tmp_path / 'leaf.pem').write_bytes((awake.state / 'ldevid.pem').read_bytes())
    issuers, link = gate.state / 'certs/ca-devices.pem', gate.state / 'certs/cross-root.2-by-root.pem'
    run('openssl', 'verify', '-x509_strict', '-CAfile', gate.state / 'certs/root.2.pem', '-untrusted', issuers,
        tmp_path / 'leaf.pem')
    (tmp_path / 'path.pem').write_bytes(issuers.read_bytes() + link.read_bytes())
    run('openssl', 'verify', '-x509_strict', '-CAfile', gate.root, '-untrusted', tmp_path / 'path.pem', tmp_path / 'leaf.pem')
    ask_ocsp(gate, leaf, issuer, 'devices')

    # the agent that is awake learns the new root at its next renewal; it keeps the old one until both are over
    awake.do('hello')
    assert roots_of(awake) == [old.subject]
    awake.do('renew', '--force')
    assert roots_of(awake) == [old.subject, new.subject]
    awake.do('renew', '--force')
    assert roots_of(awake) == [old.subject, new.subject], 'the server still hands the old one out'

    # a third root is not begun before the first has gone; installing again is refused
    done = gate.cli('ca', 'rotate', 'root', check=False)
    assert done.returncode == 1 and 'retire' in words(done), words(done)

    # a CA that is rotated now is signed by the new root
    rotated = gate.offline
    gate.offline = tmp_path / 'second'
    assert rotate_ca(gate, tmp_path).issuer == new.subject
    gate.offline = rotated


def test_cmp_tells_of_it(gate, tmp_path):
    """rootCaCert: the next root and both links, for who has the old one; nothing for who has the new one."""
    client = Client(gate, tmp_path / 'client', *gate.register(None, '--cmp'))
    client.ask('ir', 'idevid', *client.by_secret())
    key = serialization.load_pem_private_key((client.folder / 'idevid.key').read_bytes(), None)

    def ask(*known):
        message = Message(client.request('genm', *client.by_cert('idevid'), '-infotype', 'caCerts'))
        message.body[1][0][1][0][1] = [[6, b'\x2b\x06\x01\x05\x05\x07\x04\x14'],
                                       *(parse(der(gate.cert(name)))[0] for name in known)]
        return client.post(message.sign(key).der()).check(gate.state / 'certs/root.2.pem').body[1][0][1][0][1]
    for known in ((), ('root',)):
        _, update = ask(*known)
        certs = [encode(update[1][0])] + [encode(link[1][0]) for link in update[1][1:]]
        assert [link[0] for link in update[1][1:]] == [0xa0, 0xa1]
        assert certs == [der(gate.cert(name)) for name in ('root.2', 'cross-root.2-by-root', 'cross-root-by-root.2')]
    assert len(ask('root.2')) == 1


def test_the_old_root_retires(gate, sleeper, awake, tmp_path):
    new = gate.cert('root.2')
    gate.cli('ca', 'retire', 'root')
    states = {one['id']: one.get('state') for one in gate.json('ca', 'list')['items']}
    assert states['root'] == 'retired' and not states['root.2']
    assert gate.cli('ca', 'retire', 'root', check=False).returncode == 1
    roots, _ = handed_out(gate)
    assert roots == [new.subject]

    awake.do('renew', '--force')
    assert roots_of(awake) == [new.subject]
    awake.do('hello')

    # one that was off all the while: its pinned root is the old one
    sleeper.do('hello')
    for _ in range(2):
        sleeper.do('renew', '--force')
    assert roots_of(sleeper) == [new.subject]
    sleeper.do('hello')
    born = new_agent(gate, tmp_path / 'born')  # with the root of before in its firmware
    born.do('renew', '--force')
    assert roots_of(born) == [new.subject]

    gate.stop()
    gate.start()
    for agent in (awake, sleeper, born):
        agent.do('hello')
    admin = (gate.state / 'admin/root.pem').read_text()
    assert admin.count('BEGIN CERTIFICATE') == 1 and x509.load_pem_x509_certificate(admin.encode()).subject == new.subject
    kinds = [entry['type'] for _, entry in gate.log_entries()]
    assert kinds.count('root.install') == 1 and kinds.count('root.retire') == 1
