"""A device is cut at every operation on files and on the network that it makes, and inside the writes; then it is
simply run again, and must end where it would have ended: same key, same request, same certificate, nothing left over.
The cutting is done by tests/tools/crashpoint.c. `make test` cuts at every SHARE-th point, `make soak` at all of them."""
import concurrent.futures
import json
import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from harness import AGENT, BUILD, Agent, Gate, fingerprint, key_id, run, words
from test_rotation import rotate_ca

CRASHPOINT = BUILD / 'tests/tools/crashpoint.so'
TORN = ('write', 'send')
KILLED = -9
WORKERS = 4
SHARE = 1 if os.environ.get('KW_SWEEP') == 'all' else 11  # prime: no kind of operation is always missed

pytestmark = pytest.mark.skipif(not CRASHPOINT.exists(), reason='built with a sanitizer: nothing can be preloaded')


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('sweep'), '--approver', 'bob').start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


def newcomer(gate, folder):
    one = Agent(gate, folder, gate.new_id('CUT'))
    one.put_secret(gate.register(one.id)[1])
    return one


def command(agent, verb, *args):
    return agent.enrol_command() if verb == 'enrol' else [AGENT, verb, *args, '--state', agent.state]


def cut(agent, point, *what):
    """Run up to the point; true where it was cut there."""
    number, how = point
    done = run(*command(agent, *what), check=False,
               env={'LD_PRELOAD': str(CRASHPOINT), 'CRASHPOINT_AT': str(number), 'CRASHPOINT_HOW': how})
    assert done.returncode in (0, KILLED), (point, words(done))
    return done.returncode == KILLED


def points_of(agent, *what):
    """Every operation of one whole run, and those that can be torn."""
    log = agent.folder / 'points'
    log.unlink(missing_ok=True)
    run(*command(agent, *what), env={'LD_PRELOAD': str(CRASHPOINT), 'CRASHPOINT_LOG': str(log)})
    found = [line.split()[:2] for line in log.read_text().splitlines()]
    assert len(found) > 50
    points = ([(int(number), 'before') for number, _ in found] + [(len(found), 'after')] +
              [(int(number), 'torn') for number, kind in found if kind in TORN])
    return points[::SHARE]


def certs_of(gate, agent):
    reply = gate.operators_get(f'/api/v1/certs?owner=device:{agent.id}')
    assert reply.status == 200, reply
    return json.loads(reply.body)['items']


def keys_of(agent):
    return sorted(path.stem for path in (agent.state / 'keys').glob('*.key'))


def check_tidy(agent):
    """Nothing half-made lies about, and every key has its certificate."""
    left = [path.name for path in agent.state.rglob('*')
            if path.suffix in ('.csr', '.tmp', '.gone') or path.name == 'ldevid-next.pem']
    assert not left, left
    certs = {name for name in ('idevid', 'ldevid', 'ldevid-previous') if (agent.state / f'{name}.pem').exists()}
    keys = {key_id(agent.cert(name).public_key()) for name in certs}
    assert len(keys_of(agent)) == len(keys), (keys_of(agent), certs)


def sweep(name, agents, points, one):
    """Spread the points over the devices; each device takes its own one after the other."""
    lost, not_cut = [], 0

    def work(place):
        missed = 0
        for point in points[place::len(agents)]:
            try:
                missed += not one(agents[place], point)
            except AssertionError as fault:
                lost.append((point, str(fault)[:600]))
        return missed
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        not_cut = sum(pool.map(work, range(len(agents))))
    print(f'{name}: {len(points) - len(lost)} of {len(points)} points survive' + (f' (every {SHARE}th)' if SHARE > 1 else ''))
    assert not lost, (len(lost), lost[:4])
    assert not_cut <= len(points) // 10, f'{not_cut} of {len(points)} were not reached'


@pytest.fixture(scope='module')
def fleet(gate, tmp_path_factory):
    """One device for each point of an enrolment: enrolled, and cut there on the way."""
    folder = tmp_path_factory.mktemp('fleet')
    points = points_of(newcomer(gate, folder / 'probe'), 'enrol')
    agents = [newcomer(gate, folder / str(i)) for i in range(len(points))]

    def enrol(agent, point):
        was_cut = cut(agent, point, 'enrol')
        agent.enrol()
        check_tidy(agent)
        assert keys_of(agent) == ['idevid', 'ldevid-a']
        assert sorted(cert['state'] for cert in certs_of(gate, agent)) == ['valid', 'valid']
        return was_cut
    sweep('enrol', agents, points, enrol)
    return agents


def renew(gate, agent, point):
    """A renewal that was begun ends without being asked for again; one that was not leaves nothing."""
    before, old = certs_of(gate, agent), fingerprint(agent.cert('ldevid'))
    was_cut = cut(agent, point, 'renew', '--force')
    agent.do('renew')
    check_tidy(agent)
    made = len(certs_of(gate, agent)) - len(before)
    new = fingerprint(agent.cert('ldevid'))
    assert made == (new != old), f'{made} certificates made, current one {"old" if new == old else "new"}'
    return was_cut


def test_enrol(fleet):
    assert fleet


def test_renew(gate, fleet, tmp_path):
    probe = newcomer(gate, tmp_path / 'probe')
    probe.enrol()
    points = points_of(probe, 'renew', '--force')
    sweep('renew', fleet[:WORKERS], points, lambda agent, point: renew(gate, agent, point))
    for agent in fleet[:WORKERS]:
        agent.do('hello')


def test_roll_over(gate, fleet, tmp_path):
    """The CA's key is replaced while every device is off; each is cut on its way to the new one."""
    probe = newcomer(gate, tmp_path / 'probe')
    probe.enrol()
    new_ca = rotate_ca(gate, tmp_path)
    new_aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        new_ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value)
    points = points_of(probe, 'renew', '--force')

    def roll_over(agent, point):
        was_cut = renew(gate, agent, point)
        if agent.cert('ldevid').extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value != new_aki:
            agent.do('renew', '--force')  # cut before it was begun
        cert = agent.cert('ldevid')
        new_ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(cert.signature_hash_algorithm))
        return was_cut
    sweep('roll-over', fleet, points, roll_over)


def test_wipe(gate, fleet, tmp_path):
    probe = newcomer(gate, tmp_path / 'probe')
    probe.enrol()
    (tmp_path / 'plain').write_text('a secret')

    def fill(agent):
        """All three keys, and something sealed."""
        if not (agent.state / 'ldevid-previous.pem').exists():
            agent.do('renew', '--force')
        agent.do('seal', tmp_path / 'plain', '--out', agent.folder / 'box')
    fill(probe)
    points = points_of(probe, 'wipe')

    def wipe(agent, point):
        fill(agent)
        was_cut = cut(agent, point, 'wipe')
        agent.do('wipe')
        assert agent.do('unseal', agent.folder / 'box', check=False).returncode != 0
        assert not keys_of(agent)
        assert not [path.name for path in agent.state.rglob('*') if path.suffix in ('.csr', '.tmp', '.gone')]
        assert not [path for path in agent.state.glob('*devid*.pem')] and not list(agent.state.glob('receipts/*'))
        assert agent.do('hello', check=False).returncode == 5
        certs = certs_of(gate, agent)
        assert 'valid' not in {cert['state'] for cert in certs}
        for key in {cert['key'] for cert in certs if cert['state'] == 'revoked'}:
            assert gate.json('key', 'show', key)['state'] == 'destroyed'
        return was_cut
    agents = fleet[:len(points)]  # each is wiped once: points beyond the fleet have devices of their own
    while len(agents) < len(points):
        agents.append(newcomer(gate, tmp_path / str(len(agents))))
        agents[-1].enrol()
    sweep('wipe', agents, points, wipe)
