"""zlint about every profile; pkilint too about what other files here do not show it."""
import re
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from harness import SOURCE, Device, Gate, certs_in, csr_der, fingerprint, need, new_key, run, until, words
from test_lint import lint, linters  # noqa: F401

sys.path.insert(0, str(SOURCE / 'tests/e2e'))
from test_issue import issue  # noqa: E402
from test_verticals import ALL, DEVICES, GRANTED, TREES  # noqa: E402

# profile: options of `cert issue`; what an operator's word gives
BASE = {'user': (), 'tls-client': (), 'gateway': ('--san', 'dns:localhost'),
        'tls-server': ('--san', 'dns:localhost,ip:127.0.0.1'),
        'code-signer': (), 'crl-signer': (), 'operator': (), 'station': (), 'broker': ()}
OWN = ['root', 'ca-devices', 'ca-services', 'ca-stations', 'ocsp-devices', 'ocsp-services', 'tls-server', 'cmp-signer']
TRADES = sorted({one for chain, root in TREES.values() for one in (*chain, root)} - set(OWN))
LEAVES = ['idevid', 'ldevid', 'renewed', 'medical-device', *DEVICES, *(name for name, _ in GRANTED if name not in BASE)]
LISTS = ['devices', 'devices.life', 'devices.s1', 'devices.s2', 'services', 'root', 'devices.delta',
         *(name.split('-', 1)[1] for name in TRADES)]
ANSWERS = ['good', 'revoked', 'held', 'of a CA', 'with a nonce', 'several', 'SHA-1']


class Place:
    """A server of all trades with CRLs in two parts and deltas, and one of everything in files."""

    def __init__(self, folder):
        self.gate = gate = Gate(folder / 'gate', '--vertical', ALL)
        self.folder = folder / 'files'
        self.folder.mkdir()
        config = gate.state / 'keywright.yaml'
        config.write_text(config.read_text().replace('crl_shards: 0', 'crl_shards: 2').replace('crl_delta_from: 1000',
                                                                                             'crl_delta_from: 1'))
        gate.start()
        self.certs = {name: gate.cert(name) for name in (*OWN, *TRADES)}
        device = Device(gate)
        self.certs.update(idevid=device.idevid.cert, ldevid=device.ldevid.cert, renewed=device.renew().cert)
        for profile in DEVICES:
            reply = gate.enrol(csr_der(new_key(), device.id), who=device.idevid, label=profile)
            assert reply.status == 200, reply
            self.certs[profile] = certs_in(reply.body)[0]
        self.certs['medical-device'] = self.approved(device, 'medical-device')
        for profile, options in [*BASE.items(), *((name, more) for name, more in GRANTED if name not in BASE)]:
            name = profile if profile not in self.certs else f'{profile}-issued'
            self.certs[name] = issue(gate, self.folder, profile, f'{profile}-1', *options)
        for name, cert in self.certs.items():
            (self.folder / f'{name}.pem').write_bytes(cert.public_bytes(Encoding.PEM))
        self.revoke()
        self.lists = {name: self.fetch(name) for name in LISTS}
        self.lists['devices.delta'] = self.delta
        for name, octets in self.lists.items():
            (self.folder / f'{name}.crl').write_bytes(octets)

    def approved(self, device, profile):
        """An officer decides."""
        csr = csr_der(new_key(), device.id)
        assert self.gate.enrol(csr, who=device.idevid, label=profile).status == 202
        (waiting,) = self.gate.json('request', 'list')['items']
        self.gate.cli('request', 'approve', waiting['id'])
        return certs_in(self.gate.enrol(csr, who=device.idevid, label=profile).body)[0]

    def fetch(self, name):
        """Once it is there: parts and deltas are made in the background."""
        return until(f'{name}.crl', lambda: (reply := self.gate.curl('relying', f'/crl/{name}.crl')).status == 200
                     and reply.body)

    def revoke(self):
        """Of each kind, with reasons, one on hold and one released again, in two steps, so that a delta says something."""
        gate = self.gate
        self.gone = [Device(gate) for _ in range(6)]
        for one, reason in zip(self.gone, ('keyCompromise', 'superseded', 'unspecified', 'affiliationChanged')):
            gate.cli('cert', 'revoke', fingerprint(one.ldevid.cert), '--reason', reason)
            gate.cli('cert', 'revoke', fingerprint(one.idevid.cert), '--reason', reason)
        self.held, self.released = self.gone[4].ldevid.cert, self.gone[5].ldevid.cert
        for one in self.held, self.released:
            gate.cli('cert', 'hold', fingerprint(one))
        self.revoked = self.gone[0].ldevid.cert

        def listed(cert, name):
            crl = x509.load_der_x509_crl(self.fetch(name))
            return crl.get_revoked_certificate_by_serial_number(cert.serial_number)
        until('the whole list has it', lambda: listed(self.released, 'devices'))
        gate.cli('cert', 'release', fingerprint(self.released))

        def said():
            """Until the next change: then the base has it no more, and so has the delta."""
            octets = self.fetch('devices.delta')
            entry = x509.load_der_x509_crl(octets).get_revoked_certificate_by_serial_number(self.released.serial_number)
            reason = entry and entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
            return reason == x509.ReasonFlags.remove_from_crl and octets
        self.delta = until('the delta says that it was released', said)

    def answer(self, what):
        """OCSP, asked as foreign clients ask."""
        ca, cert, digest = 'devices', self.certs['ldevid'], hashes.SHA256()
        cert = {'revoked': self.revoked, 'held': self.held, 'of a CA': self.certs['tls-server']}.get(what, cert)
        ca = 'services' if what == 'of a CA' else ca
        digest = hashes.SHA1() if what == 'SHA-1' else digest
        if what == 'several':  # two of ours and one that nobody was given, as openssl asks
            out = self.folder / 'several.ocsp'
            (self.folder / 'revoked.pem').write_bytes(self.revoked.public_bytes(Encoding.PEM))
            run('openssl', 'ocsp', '-CAfile', self.gate.root, '-url', f'{self.gate.url("relying")}/ocsp/devices', '-issuer',
                self.folder / 'ca-devices.pem', '-cert', self.folder / 'ldevid.pem', '-cert', self.folder / 'revoked.pem',
                '-serial', '0x1234567890abcdef', '-respout', out)
            return out
        builder = ocsp.OCSPRequestBuilder().add_certificate(cert, self.certs[f'ca-{ca}'], digest)
        builder = builder.add_extension(x509.OCSPNonce(b'n' * 32), False) if 'nonce' in what else builder
        reply = self.gate.ask('relying', 'POST', f'/ocsp/{ca}', builder.build().public_bytes(Encoding.DER),
                              {'Content-Type': 'application/ocsp-request'})
        out = self.folder / f'{what.replace(" ", "-")}.ocsp'
        out.write_bytes(reply.body)
        return out


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp('all'))
    yield one
    assert one.gate.stop() == 0, one.gate.log()[-3000:]


@pytest.fixture(scope='module')
def zlint():
    """Runs the judge; its words."""
    judge = SOURCE / 'tests/interop/zlint/judge'
    done = run(judge, '/dev/null', check=False, timeout=600)
    if done.returncode == 77:
        pytest.skip(words(done).strip())

    def ask(file):
        return run(judge, file, check=False)
    return ask


CERTS = [*OWN, *TRADES, *LEAVES, *(name if name != 'tls-server' else 'tls-server-issued' for name in BASE)]


def judged(zlint, file):
    done = zlint(file)
    findings = [line for line in done.stdout.splitlines() if ' ran ' not in line]
    left = [line for line in findings if re.search(r' (error|fatal|warn) ', line + ' ')]
    assert done.returncode in (0, 1) and not left, words(done)
    assert int(re.search(r' ran (\d+)', done.stdout)[1]) > 5, 'it looked at something'


@pytest.mark.parametrize('name', CERTS)
def test_zlint_certificate(place, zlint, name):
    judged(zlint, place.folder / f'{name}.pem')


@pytest.mark.parametrize('name', LISTS)
def test_zlint_crl(place, zlint, name):
    judged(zlint, place.folder / f'{name}.crl')


def test_zlint_finds_something(place, zlint, tmp_path):
    """It is not mute: a certificate with a serial number of 0 and without key identifiers is refused."""
    key = new_key()
    cert = place.certs['ldevid']
    bad = x509.CertificateBuilder(cert.issuer, cert.subject, key.public_key(), 1, cert.not_valid_before, cert.not_valid_after)
    bad = bad.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False).sign(key, hashes.SHA256())
    (tmp_path / 'bad.pem').write_bytes(bad.public_bytes(Encoding.PEM))
    assert zlint(tmp_path / 'bad.pem').returncode == 1


ELSEWHERE = ('tls-server', 'operator', 'station')  # test_lint.py, test_lint_trades.py


@pytest.mark.parametrize('name', ['ca-stations', 'cmp-signer', *TRADES, *(name for name in BASE if name not in ELSEWHERE)])
def test_pkilint_certificate(place, linters, name):  # noqa: F811
    lint((f'{linters}/lint_pkix_cert', 'lint'), place.folder / f'{name}.pem')


@pytest.mark.parametrize('name', LISTS)
def test_pkilint_crl(place, linters, name):  # noqa: F811
    lint((f'{linters}/lint_crl', 'lint', '-t', 'CRL', '-p', 'PKIX'), place.folder / f'{name}.crl')


@pytest.mark.parametrize('what', ANSWERS)
def test_pkilint_ocsp(place, linters, what):  # noqa: F811
    lint((f'{linters}/lint_ocsp_response', 'lint'), place.answer(what))


def test_parts_and_deltas_are_what_they_say(place):
    """A part's critical issuingDistributionPoint is the URL that its certificates name; a delta names a base that was published."""
    for name in 'devices.s1', 'devices.s2':
        crl = x509.load_der_x509_crl(place.lists[name])
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert point.critical and point.value.full_name[0].value.endswith(f'/crl/{name}.crl')
    delta = x509.load_der_x509_crl(place.lists['devices.delta'])
    base = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert base.critical and base.value.crl_number < delta.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    shards = {cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value.rsplit('/', 1)[1]
              for cert in (one.ldevid.cert for one in place.gone)}
    assert shards <= {'devices.s1.crl', 'devices.s2.crl'} and shards


# --- what relying parties of other makes think of it --------------------------------------------------

def chain_of(place, name):
    """NAME.chain: the certificate and its CAs; the name of its root."""
    by_name = {cert.subject: one for one, cert in place.certs.items() if one in (*OWN, *TRADES)}
    names = [name]
    while (above := by_name[place.certs[names[-1]].issuer]) != names[-1]:
        names.append(above)
    (place.folder / f'{name}.chain').write_bytes(b''.join((place.folder / f'{one}.pem').read_bytes() for one in names))
    return names[-1]


def by_root(place):
    """{root: chains} of everything that was issued."""
    found = {}
    for name in sorted(set(CERTS) - {'root'}):
        found.setdefault(chain_of(place, name), []).append(place.folder / f'{name}.chain')
    return found


def told(judge, *args):
    """What a judge says of each file."""
    done = run(SOURCE / f'tests/interop/{judge}', *args, check=False, timeout=120)
    if done.returncode == 77:
        pytest.skip(words(done).strip())
    assert done.returncode == 0, words(done)
    return {line.split()[0].rsplit('/', 1)[1]: line.split(' ', 1)[1] for line in done.stdout.splitlines()}


# Of a certificate without alternative names Java takes a CN that looks so for a DNS name, GnuTLS where there is no EKU either;
# the services CA does not permit it. docs/PROFILES.md, "What bounds a CA, and who understands it".
CN_FOR_A_NAME = {'path/judge path': set(), 'java/judge PathJudge': {'broker', 'code-signer', 'crl-signer', 'operator', 'tls-client', 'user'}}


@pytest.mark.parametrize('judge', ['path/judge path', 'java/judge PathJudge'])
def test_paths_of_everything(place, judge):
    """Go's crypto/x509 and Java's PKIX."""
    program, verb = judge.split()
    wrong = {}
    for root, chains in by_root(place).items():
        more = ('none', '/') if verb == 'PathJudge' else ()
        said = told(program, verb, place.folder / f'{root}.pem', *more, *chains)
        assert len(said) == len(chains)
        wrong.update({file.removesuffix('.chain'): word for file, word in said.items() if not word.startswith('ok')})
    assert set(wrong) <= CN_FOR_A_NAME[judge] and all('name constraints' in word for word in wrong.values()), wrong


def test_paths_by_gnutls(place):
    for root, chains in by_root(place).items():
        for chain in chains:
            said = words(run('certtool', '--verify', '--infile', chain, '--load-ca-certificate', place.folder / f'{root}.pem', check=False))
            assert 'Chain verification output: Verified' in said or chain.name == 'crl-signer.chain', (chain, said)


def test_lists_by_go(place):
    for name in LISTS:
        issuer = f'ca-{name.split(".")[0]}' if name != 'root' else 'root'
        issuer = issuer if issuer in place.certs else f'above-{name}'
        said = told('path/judge', 'crl', place.folder / f'{issuer}.pem', place.folder / f'{name}.crl')[f'{name}.crl']
        assert said.startswith('ok'), (name, said)


def test_status_by_go(place):
    (place.folder / 'held.pem').write_bytes(place.held.public_bytes(Encoding.PEM))
    (place.folder / 'gone.pem').write_bytes(place.revoked.public_bytes(Encoding.PEM))
    asked = [place.folder / f'{one}.pem' for one in ('ldevid', 'renewed', 'idevid', 'held', 'gone')]
    said = told('path/judge', 'ocsp', f'{place.gate.url("relying")}/ocsp/devices', place.folder / 'ca-devices.pem', *asked)
    assert said == {'ldevid.pem': 'ok good good', 'renewed.pem': 'ok good good', 'idevid.pem': 'ok good good',
                    'held.pem': 'ok revoked revoked', 'gone.pem': 'ok revoked revoked'}


@pytest.mark.parametrize('how', ['crl', 'ocsp'])
def test_revocation_by_java(place, how):
    """By CRLs in parts with deltas, and by OCSP."""
    place.certs.update(held=place.held, gone=place.revoked)
    for name in 'held', 'gone':
        (place.folder / f'{name}.pem').write_bytes(place.certs[name].public_bytes(Encoding.PEM))
    names = ('ldevid', 'renewed', 'idevid', 'wearable', 'held', 'gone')
    for name in names:
        chain_of(place, name)
    said = told('java/judge', 'PathJudge', place.folder / 'root.pem', how, place.folder, *(place.folder / f'{one}.chain' for one in names))
    assert {one.removesuffix('.chain'): 'REVOKED' in word.upper() for one, word in said.items() if word != 'ok'} == {'held': True, 'gone': True}, said


def test_ocsptool(place):
    if need('ocsptool'):
        pytest.skip('ocsptool is not installed')
    for name, ca in ('ldevid', 'devices'), ('tls-server', 'services'):
        said = words(run('ocsptool', f'--ask={place.gate.url("relying")}/ocsp/{ca}', '--load-cert', place.folder / f'{name}.pem',
                         '--load-issuer', place.folder / f'ca-{ca}.pem', '--load-signer', place.folder / f'ocsp-{ca}.pem', check=False))
        assert 'Verifying OCSP Response: Success' in said and re.search('Certificate Status: good', said, re.I), said


SERVER_JUDGE = '''
import sys
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
def read(path):
    return x509.load_pem_x509_certificates(open(path, 'rb').read())
root, *chains = sys.argv[1:]
for path in chains:
    leaf, *above = read(path)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    name = x509.DNSName(names.get_values_for_type(x509.DNSName)[0])
    PolicyBuilder().store(Store(read(root))).build_server_verifier(name).verify(leaf, above)
    print(path)
'''


def test_servers_by_python_cryptography(place, linters):  # noqa: F811
    """Its verifier is Rust's; it wants a server's names."""
    servers = ['tls-server', 'tls-server-issued', 'gateway']
    for name in servers:
        assert chain_of(place, name) == 'root'
    done = run(f'{linters}/python', '-c', SERVER_JUDGE, place.folder / 'root.pem', *(place.folder / f'{one}.chain' for one in servers))
    assert len(done.stdout.splitlines()) == len(servers)
