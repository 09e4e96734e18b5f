"""A store that was put back forgets nothing: what yesterday's copy un-revokes elsewhere is never good here."""
import json
import shutil
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from harness import KEYWRIGHT, Gate, fingerprint, run, until, words


def ocsp_of(gate, cert, ca):
    """What the responder says of a certificate: good, revoked, or the name of its refusal."""
    issuer = x509.load_pem_x509_certificate(gate.pem(f'ca-{ca}'))
    question = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA1()).build()
    from cryptography.hazmat.primitives.serialization import Encoding
    reply = gate.ask('relying', 'POST', f'/ocsp/{ca}', question.public_bytes(Encoding.DER),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return answer.response_status.name
    return answer.certificate_status.name


def listening(gate):
    try:
        return gate.operators_get('/healthz', who=None).status
    except OSError:
        return None


def quiet(gate):
    """Until the CRLs that were due are made."""
    sizes = []

    def still():
        sizes.append(gate.metric('log_entries'))
        time.sleep(0.5)
        return len(sizes) > 2 and sizes[-1] == sizes[-3]
    until('nothing is logged any more', still)


def put_back(gate, copy):
    shutil.rmtree(gate.state / 'store')
    shutil.copytree(copy, gate.state / 'store')


@pytest.fixture
def story(own_gate, tmp_path):
    """Yesterday's store, and what happened since."""
    gate = own_gate
    class Story:
        pass
    it = Story()
    it.gate = gate
    it.old, it.stolen = gate.device(), gate.device()
    gate.cli('cert', 'revoke', fingerprint(it.old.idevid.cert), '--reason', 'superseded')
    gate.stop()
    shutil.copytree(gate.state / 'store', tmp_path / 'yesterday')
    gate.start()
    gate.cli('cert', 'revoke', fingerprint(it.stolen.ldevid.cert), '--reason', 'keyCompromise')
    it.fresh = gate.device()
    it.retired = gate.device()
    gate.cli('device', 'retire', it.retired.id)
    it.unused = gate.register()
    quiet(gate)
    gate.cli('log', 'export', '--out', tmp_path / 'log')
    gate.kill()  # nothing is signed behind the export
    it.log = tmp_path / 'log'
    it.yesterday = tmp_path / 'yesterday'
    return it


def test_yesterdays_store_is_never_believed(story):
    gate = story.gate
    put_back(gate, story.yesterday)
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)
    health = json.loads(gate.operators_get('/healthz', who=None).text)
    assert health['status'] == 'degraded' and 'put back' in health['gap']
    # never good: neither what was good yesterday nor what is not known
    assert ocsp_of(gate, story.stolen.ldevid.cert, 'devices') == 'TRY_LATER'
    assert ocsp_of(gate, story.fresh.ldevid.cert, 'devices') == 'TRY_LATER'
    assert ocsp_of(gate, story.old.idevid.cert, 'devices') == 'REVOKED'
    # operators look on, but change nothing
    assert 'thermostat-1' in gate.cli('device', 'list').stdout
    for verb in (('device', 'register', 'NEW-1', '--product', 'thermostat-1'),
                 ('cert', 'revoke', fingerprint(story.stolen.idevid.cert))):
        done = gate.cli(*verb, check=False)
        assert done.returncode == 4, words(done)
    # devices stay outside
    with pytest.raises(OSError):
        assert story.stolen.hello().status >= 500
        raise OSError
    before = gate.counts()
    answer = gate.enrol(b'x', secret=story.unused)
    assert answer.status == 503
    assert gate.counts() == before
    assert gate.stop() == 0


def test_the_log_heals_it(story):
    gate = story.gate
    put_back(gate, story.yesterday)
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', story.log)
    assert 'whole' in done.stdout
    gate.start()
    assert ocsp_of(gate, story.stolen.ldevid.cert, 'devices') == 'REVOKED'
    assert ocsp_of(gate, story.fresh.ldevid.cert, 'devices') == 'REVOKED'  # on hold: only the log knows it
    assert ocsp_of(gate, story.stolen.idevid.cert, 'devices') == 'GOOD'
    assert ocsp_of(gate, story.retired.idevid.cert, 'devices') == 'REVOKED'
    shown = gate.json('cert', 'show', fingerprint(story.fresh.ldevid.cert))
    assert shown['state'] == 'held'
    assert gate.json('device', 'show', story.retired.id)['state'] == 'retired'
    # a secret that was used, or given, meanwhile opens nothing
    assert gate.enrol(b'x', secret=(story.fresh.id, story.fresh.secret)).status in (400, 401)
    assert gate.enrol(b'x', secret=story.unused).status in (400, 401)
    # and life goes on, under heads and CRL numbers that only rise
    gate.device().hello()
    gate.cli('log', 'verify')
    gate.stop()


def test_a_log_that_is_not_ours_heals_nothing(story, tmp_path):
    gate = story.gate
    put_back(gate, story.yesterday)
    other = Gate(tmp_path / 'other').start()
    for _ in range(40):
        other.register()
    other.cli('log', 'export', '--out', tmp_path / 'other-log')
    other.stop()
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', tmp_path / 'other-log', check=False)
    assert done.returncode != 0
    bundle = [path for path in (story.log / 'tile/entries').rglob('*') if path.is_file()][0]
    octets = bytearray(bundle.read_bytes())
    octets[-5] ^= 1
    bundle.write_bytes(octets)
    done = run(KEYWRIGHT, 'restore', 'replay', '--state', gate.state, '--log', story.log, check=False)
    assert done.returncode == 5, words(done)
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)


def test_a_witness_is_believed(story):
    """Store and vault put back together: the keeper cannot know, a kept checkpoint does."""
    gate = story.gate
    put_back(gate, story.yesterday)
    shutil.copy(story.log / 'checkpoint', gate.state / 'store/seen.checkpoint')
    gate.start(wait=False)
    until('it listens', lambda: listening(gate) == 503)
    gate.stop()
    (gate.state / 'store/seen.checkpoint').write_text('localhost/keywright\n99999\nAAAA\n')
    gate.start(wait=False)
    assert until('it refuses', lambda: gate.process.poll()) not in (None, 0)
