"""EST and CMP clients in Java that we did not write: Bouncy Castle's, and Siemens' CmpRaComponent. Skipped where they are not; java/judge."""
import subprocess

import pytest
from harness import SOURCE, Gate, key_pem, new_key, run, words

JUDGE = SOURCE / 'tests/interop/java/judge'


class Judge:
    """A foreign client that stays; what it says to each line."""

    def __init__(self, name, *args):
        self.process = subprocess.Popen([JUDGE, name, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        return self.process.stdout.readline().strip()

    def does(self, line):
        answer = self.ask(line)
        assert answer.startswith('ok '), (line, answer)
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    done = run(JUDGE, 'CmpJudge', '-', '/dev/null', '-', check=False)
    if done.returncode == 77:
        pytest.skip(words(done).strip())
    one = Gate(tmp_path_factory.mktemp('foreign'), '--vertical', 'medical')
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


@pytest.fixture
def est(place, tmp_path):
    one = Judge('EstJudge', f'localhost:{place.ports[0]}', place.root, tmp_path)
    yield one
    one.end()


@pytest.fixture
def cmp(place, tmp_path):
    one = Judge('CmpJudge', f'{place.url("relying")}/.well-known/cmp', place.root, tmp_path)
    yield one
    one.end()


def profiles_of(gate, device):
    return sorted((one['profile'], one['state']) for one in gate.json('cert', 'list', '--owner', f'device:{device}')['items'])


def test_bouncy_castle_est(place, est):
    """cacerts, csrattrs, enrolment by HTTP Basic and by certificate, renewal, a wrong secret, an officer's approval."""
    (device, secret), (other, _) = place.register(), place.register()
    assert est.ask('cacerts -') == 'ok 3' and est.ask('csrattrs ldevid') == 'ok 3'
    est.does(f'enrol idevid CN={device} - by {device} {secret}')
    assert est.ask(f'enrol no CN={other} - by {other} wrong').startswith('failed 401')
    est.does(f'enrol ldevid CN={device} - cert idevid')
    est.does(f'renew next CN={device},SERIALNUMBER={device} ldevid cert ldevid')
    assert profiles_of(place, device) == [('idevid', 'valid'), ('ldevid', 'superseded'), ('ldevid', 'valid')]
    assert est.ask(f'enrol no CN={device} nothing cert idevid').startswith('failed 404')
    assert est.ask(f'enrol wait CN={device} medical-device cert idevid') == 'wait 60'
    assert len(place.json('request', 'list')['items']) == 1


def test_siemens_cmp(place, cmp):
    """ir by MAC, cr and kur by signature, with certConf and without; genm; rr, after which the certificate opens nothing."""
    device, secret = place.register(None, '--cmp')
    cmp.does(f'ir idevid CN={device} - by secret {device} {secret} confirm')
    cmp.does(f'cr ldevid CN={device} ldevid by cert idevid')
    cmp.does(f'kur next CN={device} - by cert ldevid confirm')
    assert profiles_of(place, device) == [('idevid', 'valid'), ('ldevid', 'superseded'), ('ldevid', 'valid')]
    assert cmp.ask('genm cacerts by cert idevid') == 'ok 2 certificates'
    assert cmp.does('genm template by cert idevid').endswith('octets')
    assert cmp.ask('genm root by cert idevid') == 'ok no other root'
    assert cmp.ask('genm crl by cert idevid') == 'ok 1 CRLs'
    assert cmp.ask('rr next 1 by cert next') == 'ok revoked'
    assert profiles_of(place, device)[-1] != ('ldevid', 'valid')
    assert cmp.ask(f'cr none CN={device} - by cert next').startswith('failed ')
    assert cmp.ask(f'ir none CN={device} - by secret {device} {secret}').startswith('failed '), 'a secret serves once'


def test_siemens_cmp_through_a_station(place, cmp, tmp_path):
    """Its nested messages (RFC 9483 section 5.2.2.1)."""
    key = new_key()
    (tmp_path / 'line.key').write_bytes(key_pem(key))
    run('openssl', 'req', '-new', '-key', tmp_path / 'line.key', '-subj', '/CN=LINE', '-out', tmp_path / 'line.csr')
    place.cli('cert', 'issue', '--profile', 'station', '--name', 'LINE', '--csr', tmp_path / 'line.csr', '--out', tmp_path / 'line.pem')
    device, secret = place.register(None, '--cmp')
    cmp.does(f'ir idevid CN={device} - by secret {device} {secret} confirm through line')
    cmp.does(f'cr ldevid CN={device} - by cert idevid through line')
    sources = [entry.get('source', '') for _, entry in place.log_entries(30)]
    assert 'keywrightd through station:LINE' in sources


def test_bouncy_castle_pbmac1(place, cmp):
    device, secret = place.register(None, '--cmp')
    said = cmp.does(f'pbmac1 CN={device} by secret {device} {secret}')
    assert f'CN={device}' in said and said.endswith('by 1.2.840.113549.1.5.14'), said
