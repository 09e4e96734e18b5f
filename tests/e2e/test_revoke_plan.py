"""Revocation of many certificates as an operation: plans, their blast radius, running, holds, renewal first."""
import hashlib
import json
import sqlite3
import time

import harness
import pytest
from harness import Agent, Device, Gate, serial_hex, until, words

STANDINGS = 'certificates_valid|certificates_revoked'


@pytest.fixture(scope='module')
def fleet(tmp_path_factory):
    """A gate with two batches of three devices."""
    gate = Gate(tmp_path_factory.mktemp('fleet'), '--approver', 'bob')
    gate.start()
    gate.batches = {}
    for batch in ('B-1', 'B-2'):
        gate.batches[batch] = [enrolled(gate, batch) for _ in range(3)]
    yield gate
    assert gate.stop() == 0, gate.log()[-3000:]


def enrolled(gate, batch):
    """A foreign device of a batch, with both identities."""
    ident = gate.new_id('REV')
    ident, secret = gate.register(ident, '--batch', batch)
    device = Device.__new__(Device)
    device.gate, device.id, device.secret = gate, ident, secret
    device.folder = gate.folder / 'devices' / ident
    device.folder.mkdir(parents=True)
    device.idevid = device.get('idevid', secret=(ident, secret))
    device.ldevid = device.get('ldevid', who=device.idevid)
    return device


def digest_of(gate, certs):
    lines = ''.join(f'{c["ca"]}/{c["serial"]}\n' for c in sorted(certs, key=lambda c: c['issued']))
    return hashlib.sha256(lines.encode()).hexdigest()


def counts(plan):
    return {(c['kind'], c['name']): c['n'] for c in plan['counts']}


def ended(gate, number):
    return until(f'plan {number} is done', lambda: (p := gate.json('revoke', 'show', number))['state'] == 'done' and p)


def refused(gate, who):
    """The gate lets this certificate in no more."""
    try:
        return gate.ask('devices', 'POST', '/device/v1/hello', json.dumps({'agent': 'a', 'root_of_trust': 'r'}),
                        {'Content-Type': 'application/json'}, who=who).status != 200
    except OSError:
        return True


def test_plan_tells_exactly_what_it_means(fleet):
    before = fleet.counts(STANDINGS)
    certs = fleet.json('cert', 'list', '--batch', 'B-1')['items']
    assert len(certs) == 6
    dry = fleet.json('revoke', 'plan', '--batch', 'B-1', '--profile', 'ldevid', '--dry-run')
    assert dry['id'] == 0 and dry['certificates'] == 3
    assert fleet.json('revoke', 'list')['items'] == []
    shown = counts(dry)
    assert shown['profile', 'ldevid'] == 3 and shown['state', 'valid'] == 3 and shown['batch', 'B-1'] == 3
    assert shown['devices', 'all'] == 3 and ('devices', 'with no certificate left') not in shown
    ldevids = [c for c in certs if c['profile'] == 'ldevid']
    assert dry['digest'] == digest_of(fleet, ldevids)
    assert {s['serial'] for s in dry['samples']} == {c['serial'] for c in ldevids}
    every = fleet.json('revoke', 'plan', '--batch', 'B-1', '--dry-run')
    assert counts(every)['devices', 'with no certificate left'] == 3
    assert fleet.counts(STANDINGS) == before
    text = fleet.cli('revoke', 'plan', '--batch', 'B-1', '--dry-run').stdout
    assert 'with no certificate left' in text and 'nothing was revoked' in text and 'gate' in text


@pytest.mark.parametrize('args, why', [
    ((), 'say which certificates'),
    (('--batch', 'B-9'), 'no certificate'),
    (('--batch', 'B-1', '--reason', 'certificateHold'), 'a hold has the reason'),
    (('--batch', 'B-1', '--hold', '--reason', 'superseded'), 'a hold has the reason'),
    (('--batch', 'B-1', '--reason', 'keyCompromise', '--replace-first'), 'compromised key'),
    (('--firmware', '2.*'), 'say which certificates'),
    (('--profile', 'ldevid', '--firmware', '2.*'), 'product'),
    (('--batch', 'B-1', '--reason', 'boredom'), 'no reason'),
])
def test_what_does_not_go_together_is_refused(fleet, args, why):
    done = fleet.cli('revoke', 'plan', *args, check=False)
    assert done.returncode in (2, 3) and why in words(done), words(done)


def test_a_batch_is_revoked_and_everybody_enforces_it(fleet):
    plan = fleet.json('revoke', 'plan', '--batch', 'B-1', '--profile', 'ldevid', '--reason', 'cessationOfOperation')
    number = str(plan['id'])
    assert plan['state'] == 'ready' and not plan['needs_approval']
    fleet.cli('feed', 'follow', '--since', '0', '--max', '1', '--consumer', 'siem')
    assert all(device.hello().status == 200 for device in fleet.batches['B-1'])
    fleet.json('revoke', 'run', number)
    plan = ended(fleet, number)
    assert (plan['done'], plan['passed_over'], plan['certificates']) == (3, 0, 3)
    assert all(refused(fleet, device.ldevid) for device in fleet.batches['B-1'])
    assert all(device.hello().status == 200 for device in fleet.batches['B-2'])
    states = {c['state'] for c in fleet.json('cert', 'list', '--batch', 'B-1', '--profile', 'ldevid')['items']}
    assert states == {'revoked'}
    # the list that relying parties fetch has them, and it is known since when; one consumer of the feed is behind
    def all_enforce(but=None):
        shown = fleet.json('revoke', 'show', number)
        return all('enforced' in party for party in shown['enforced'] if party['party'] != but) and shown
    plan = until('the CRL is seen', lambda: all_enforce(but='consumer:siem'))
    assert [party for party in plan['enforced'] if party['party'] == 'consumer:siem' and 'enforced' not in party]
    assert 'consumer:siem' in (text := fleet.cli('revoke', 'show', number).stdout) and 'not yet' in text
    end = max(index for index, _ in fleet.log_entries()) + 1
    assert fleet.operators_get(f'/api/v1/feed?since={end}&consumer=siem').status == 200
    plan = until('the CRL is seen', all_enforce)
    assert {p['party'] for p in plan['enforced']} >= {'gate', 'ocsp', 'crl:devices', 'consumer:siem'}
    crl = harness.x509.load_der_x509_crl(fleet.ask('relying', 'GET', '/crl/devices.crl').body)
    for device in fleet.batches['B-1']:
        assert crl.get_revoked_certificate_by_serial_number(device.ldevid.cert.serial_number) is not None
    # every one has its own entry, by who started it, with the plan's number
    entries = [e for _, e in fleet.log_entries() if e['type'] == 'cert.revoke' and f'plan {number}' in e['detail']]
    assert len(entries) == 3 and {e['actor'] for e in entries} == {'operator:admin'}
    # again: nothing more to do
    again = fleet.json('revoke', 'run', number)
    assert again['state'] == 'done' and again['done'] == 3
    keys = [fleet.json('key', 'show', harness.key_id(d.ldevid.cert.public_key()))['state'] for d in fleet.batches['B-1']]
    assert keys == ['deactivated'] * 3


def test_compromise_needs_another_persons_approval(fleet):
    device = enrolled(fleet, 'B-3')
    plan = fleet.json('revoke', 'plan', '--device', device.id, '--profile', 'ldevid', '--reason', 'keyCompromise')
    number = str(plan['id'])
    assert plan['needs_approval']
    request = fleet.request('revoke', 'run', number)
    text = fleet.cli('approval', 'show', request).stdout
    assert plan['digest'] in text and 'revoke-plan' in text and f'plan: {number}' in text
    assert fleet.json('revoke', 'show', number)['state'] == 'ready' and device.hello().status == 200
    fleet.cli('approval', 'sign', request, '--yes', who='bob')
    assert ended(fleet, number)['done'] == 1
    assert refused(fleet, device.ldevid)
    assert fleet.json('key', 'show', harness.key_id(device.ldevid.cert.public_key()))['state'] == 'compromised'
    # an approval is for one plan only
    other = enrolled(fleet, 'B-3')
    second = fleet.json('revoke', 'plan', '--device', other.id, '--reason', 'keyCompromise')['id']
    done = fleet.cli('revoke', 'run', second, '--approval', request, check=False)
    assert done.returncode == 1, words(done)
    assert other.hello().status == 200


def test_an_approval_of_a_cancelled_plan_says_so(fleet):
    device = enrolled(fleet, 'B-3')
    number = str(fleet.json('revoke', 'plan', '--device', device.id, '--reason', 'keyCompromise')['id'])
    request = fleet.request('revoke', 'run', number)
    fleet.cli('revoke', 'cancel', number, '--reason', 'a mistake')
    done = fleet.cli('approval', 'sign', request, '--yes', who='bob', check=False)
    assert done.returncode == 1 and f'plan {number} was cancelled' in done.stderr, words(done)
    assert device.hello().status == 200


def test_what_was_issued_since_the_plan_is_told(fleet):
    """Who has the stolen key may renew while others still decide: the plan is what they approved, and says what is not in it."""
    device, other = enrolled(fleet, 'B-3'), enrolled(fleet, 'B-3')
    number = str(fleet.json('revoke', 'plan', '--device', device.id, '--reason', 'keyCompromise')['id'])
    request = fleet.request('revoke', 'run', number)
    device.renew()
    other.renew()
    fleet.cli('approval', 'sign', request, '--yes', who='bob')
    plan = ended(fleet, number)
    assert plan['done'] == 2 and plan['issued_since'] == 1
    assert 'Not in it, and good: 1' in fleet.cli('revoke', 'show', number).stdout
    assert refused(fleet, device.previous) and device.hello().status == 200
    again = fleet.json('revoke', 'plan', '--device', device.id, '--reason', 'superseded')
    assert again['certificates'] == 1
    fleet.cli('revoke', 'run', again['id'])
    assert ended(fleet, again['id'])['issued_since'] == 0 and refused(fleet, device.ldevid)


def test_hold_and_release(fleet):
    device = enrolled(fleet, 'B-4')
    serial = serial_hex(device.ldevid.cert)
    held = fleet.json('cert', 'hold', serial)
    assert held['state'] == 'held' and held['reason'] == 'certificateHold'
    assert refused(fleet, device.ldevid)
    assert fleet.cli('cert', 'hold', serial, check=False).returncode == 1
    released = fleet.json('cert', 'release', serial)
    assert released['state'] == 'valid' and 'reason' not in released
    assert device.hello().status == 200
    assert fleet.cli('cert', 'release', serial, check=False).returncode == 1
    assert fleet.json('key', 'show', harness.key_id(device.ldevid.cert.public_key()))['state'] == 'active'
    # a plan holds as well; what is revoked at last was not good since the hold
    number = str(fleet.json('revoke', 'plan', '--device', device.id, '--hold')['id'])
    fleet.cli('revoke', 'run', number)
    ended(fleet, number)
    since = fleet.json('cert', 'show', serial)['revoked']
    time.sleep(1.1)
    fleet.cli('cert', 'revoke', serial)
    shown = fleet.json('cert', 'show', serial)
    assert shown['state'] == 'revoked' and shown['revoked'] == since
    assert fleet.cli('cert', 'release', serial, check=False).returncode == 1
    types = [e['type'] for _, e in fleet.log_entries()]
    assert types.count('cert.hold') == 3 and types.count('cert.release') == 1


def test_renewal_first(fleet, tmp_path):
    """The agent is told to renew; its old certificate goes when it uses the new one."""
    agent = Agent(fleet, tmp_path / 'agent', fleet.new_id('AGT')).join('--batch', 'B-5')
    lazy = enrolled(fleet, 'B-5')
    old = agent.cert('ldevid')
    number = str(fleet.json('revoke', 'plan', '--batch', 'B-5', '--profile', 'ldevid', '--replace-first', '--reason',
                            'superseded')['id'])
    fleet.cli('revoke', 'run', number)
    plan = until('it waits', lambda: (p := fleet.json('revoke', 'show', number))['state'] == 'replacing' and p)
    assert plan['waiting'] == 2 and plan['done'] == 0 and 'deadline' in plan
    agent.do('hello')
    assert fleet.json('cert', 'show', serial_hex(old))['state'] == 'valid'
    agent.do('renew')  # not due by time: asked for
    assert agent.cert('ldevid') != old
    assert fleet.json('cert', 'show', serial_hex(old))['state'] == 'revoked'
    assert fleet.json('revoke', 'show', number)['waiting'] == 1
    agent.do('hello')
    assert 'not due' in words(agent.do('renew'))  # once
    answer = lazy.hello()
    assert answer.status == 200 and json.loads(answer.body)['renew'] is True
    lazy.renew()
    assert 'renew' not in json.loads(lazy.hello().body)
    plan = ended(fleet, number)
    assert plan['done'] == 2 and plan['waiting'] == 0


def test_paused_and_on_again(fleet):
    """Nobody is asked or revoked meanwhile; a restart changes nothing; then it goes on, once, without another approval."""
    asked, renewed = enrolled(fleet, 'B-7'), enrolled(fleet, 'B-7')
    number = str(fleet.json('revoke', 'plan', '--batch', 'B-7', '--profile', 'ldevid', '--replace-first', '--reason',
                            'superseded')['id'])
    assert fleet.cli('revoke', 'pause', number, '--reason', 'x', check=False).returncode == 1, 'it does not run'
    fleet.cli('revoke', 'run', number)
    until('devices are asked to renew', lambda: 'renew' in asked.hello().text and 'renew' in renewed.hello().text)
    assert fleet.cli('revoke', 'pause', number, check=False).returncode == 2, 'why?'
    assert fleet.json('revoke', 'pause', number, '--reason', 'wait for the plant')['state'] == 'paused'
    assert fleet.cli('revoke', 'pause', number, '--reason', 'x', check=False).returncode == 1
    assert fleet.json('revoke', 'run', number)['state'] == 'paused', 'only resume lets it go on'
    old = renewed.ldevid
    renewed.renew()
    for device in asked, renewed:
        assert 'renew' not in device.hello().text
    assert fleet.json('cert', 'show', serial_hex(old.cert))['state'] == 'superseded'
    assert fleet.stop() == 0
    fleet.start()
    assert fleet.json('revoke', 'show', number)['state'] == 'paused'
    fleet.cli('revoke', 'resume', number, '--reason', 'the plant is ready')
    assert fleet.cli('revoke', 'resume', number, '--reason', 'x', check=False).returncode == 1
    until('it waits again', lambda: fleet.json('revoke', 'show', number)['state'] == 'replacing')
    renewed.hello()
    assert fleet.json('cert', 'show', serial_hex(old.cert))['state'] == 'revoked'
    until('the other is asked', lambda: 'renew' in asked.hello().text)
    asked.renew()
    asked.hello()
    assert ended(fleet, number)['done'] == 2
    types = [e['type'] for _, e in fleet.log_entries() if e.get('object') == f'plan:{number}']
    assert types.count('revoke.pause') == types.count('revoke.resume') == 1


def test_firmware_and_key_select(fleet, tmp_path):
    agents = []
    for version in ('1.9.0', '1.10.0', '2.0.0'):
        one = Agent(fleet, tmp_path / version, fleet.new_id('FW')).join('--batch', 'B-6')
        one.do('hello', '--firmware', version)
        agents.append(one)
    plan = fleet.json('revoke', 'plan', '--product', 'thermostat-1', '--profile', 'ldevid', '--firmware-from', '1.10',
                      '--firmware-below', '2.0.0', '--dry-run')
    assert [s['owner'] for s in plan['samples']] == [f'device:{agents[1].id}']
    cert = agents[2].cert('ldevid')
    plan = fleet.json('revoke', 'plan', '--key-hash', harness.key_id(cert.public_key()), '--dry-run')
    assert [s['serial'] for s in plan['samples']] == [serial_hex(cert)]


def test_a_killed_run_goes_on(own_gate):
    """kill -9 in the middle, at whatever chunk: what was done stays, the rest follows, nothing twice."""
    device = own_gate.device()
    door = own_gate.connect('devices', device.idevid)
    for _ in range(250):  # three chunks; all but the last are superseded, and good for the overlap
        reply = own_gate.enrol(harness.csr_der(harness.new_key(), device.id), label='ldevid', connection=door)
        assert reply.status == 200, reply
    plan = own_gate.json('revoke', 'plan', '--device', device.id, '--profile', 'ldevid')
    number, n = str(plan['id']), plan['certificates']
    assert n == 251
    own_gate.cli('revoke', 'run', number)
    own_gate.kill()
    own_gate.start()
    plan = ended(own_gate, number)
    assert plan['done'] == n and plan['passed_over'] == 0
    entries = [e['object'] for _, e in own_gate.log_entries() if e['type'] == 'cert.revoke']
    assert len(entries) == len(set(entries)) == n
    assert own_gate.json('stats')['active_certificates'] >= 1  # the IDevID and the server's own


def test_cancelled_it_goes_no_further(tmp_path):
    """Devices are not asked to renew for it any more, nobody is revoked, and it cannot be run again."""
    gate = Gate(tmp_path / 'gate')
    gate.start()
    try:
        device = enrolled(gate, 'C-1')
        number = gate.json('revoke', 'plan', '--batch', 'C-1', '--profile', 'ldevid', '--replace-first', '--reason',
                           'superseded')['id']
        gate.cli('revoke', 'run', number)
        until('the device is asked to renew', lambda: 'renew' in device.hello().text)
        assert gate.cli('revoke', 'cancel', number, check=False).returncode == 2
        shown = gate.json('revoke', 'cancel', number, '--reason', 'wrong batch')
        assert shown['state'] == 'abandoned' and shown['done'] == 0
        device.hello()
        assert 'renew' not in device.hello().text
        device.renew()
        device.hello()
        assert device.hello(who=device.previous).status in (200, 204)
        for verb in ('run', 'cancel'):
            done = gate.cli('revoke', verb, number, *(('--reason', 'again') if verb == 'cancel' else ()), check=False)
            assert done.returncode == 1, words(done)
        assert [one for _, one in gate.log_entries() if one['type'] == 'revoke.cancel']
        unseen = gate.json('revoke', 'plan', '--batch', 'C-1', '--reason', 'superseded')['id']
        gate.kill()
        with sqlite3.connect(gate.state / 'store/keywright.db') as store:  # as a kill while it gathers leaves it
            store.execute('UPDATE revoke_plan SET state = 1 WHERE id = ?', (unseen,))
        store.close()
        gate.start()
        assert gate.json('revoke', 'show', unseen)['state'] == 'abandoned'
    finally:
        gate.stop()


# --- the way back ---------------------------------------------------------------------------------------

def comes_back(device):
    """It asks for an LDevID by its IDevID, as an agent does that lost its own."""
    reply = device.gate.enrol(harness.csr_der(harness.new_key(), device.id), who=device.idevid, label='ldevid')
    assert reply.status in (200, 409), reply
    return reply.status == 200


def readmitted(gate, number, *args):
    *left, last = gate.cli('revoke', 'readmit', number, '--reason', 'the wrong batch', *args).stdout.splitlines()
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in left}, last


def test_devices_of_a_plan_are_let_in_again(fleet):
    plain, retired, before, since = devices = [enrolled(fleet, 'W-1') for _ in range(4)]
    plain.ldevid = plain.get('ldevid', who=plain.ldevid, verb='simplereenroll')  # two of its certificates are of the plan
    fleet.cli('cert', 'revoke', serial_hex(before.ldevid.cert), '--reason', 'cessationOfOperation')
    number = str(fleet.json('revoke', 'plan', '--batch', 'W-1', '--reason', 'cessationOfOperation')['id'])
    refused_ = fleet.cli('revoke', 'readmit', number, '--reason', 'too early', check=False)
    assert refused_.returncode == 1 and 'not over' in words(refused_), words(refused_)
    fleet.cli('revoke', 'cancel', number, '--reason', 'not the identities from birth')
    number = str(fleet.json('revoke', 'plan', '--batch', 'W-1', '--profile', 'ldevid', '--reason', 'cessationOfOperation')['id'])
    fleet.json('revoke', 'run', number)
    assert ended(fleet, number)['done'] == 4
    fleet.cli('device', 'retire', retired.id)
    time.sleep(1)  # revocations are told by the second
    fleet.cli('cert', 'revoke', serial_hex(since.idevid.cert), '--reason', 'keyCompromise')
    assert not any(comes_back(device) for device in (plain, before))

    left = {retired.id: 'retired', since.id: 'another of its certificates'}
    for args, said in ((('--dry-run',), '1 devices would be readmitted'), ((), '1 devices are readmitted')):
        assert not comes_back(plain)
        shown, last = readmitted(fleet, number, *args)
        assert shown.keys() == left.keys() and all(left[who] in why for who, why in shown.items()), shown
        assert last.startswith(said) and '0 may enrol as it is, 2 still' in last, last
    assert comes_back(plain) and not comes_back(before)
    shown, last = readmitted(fleet, number)
    assert last.startswith('0 devices are readmitted; 1 may enrol as it is, 2 still'), 'asked again it changes nothing'
    told = [line for _, line in fleet.log_entries() if 'device.readmit' in str(line)]
    assert len(told) == 1 and plain.id in str(told[0]) and f'plan {number}: the wrong batch' in str(told[0]), told
    assert devices


def test_a_bar_of_another_revocation_stays(fleet):
    """Its IDevID is of the plan; what barred it was an operator's word before."""
    device = enrolled(fleet, 'W-2')
    fleet.cli('cert', 'revoke', serial_hex(device.ldevid.cert), '--reason', 'cessationOfOperation')
    time.sleep(1)
    number = str(fleet.json('revoke', 'plan', '--batch', 'W-2')['id'])
    fleet.json('revoke', 'run', number)
    ended(fleet, number)
    shown, _ = readmitted(fleet, number)
    assert 'another revocation' in shown[device.id]


def test_more_devices_than_one_change_takes(fleet):
    for _ in range(101):
        ident, secret = fleet.register(None, '--batch', 'W-3')
        assert fleet.enrol(harness.csr_der(harness.new_key(), ident), secret=(ident, secret)).status == 200
    number = str(fleet.json('revoke', 'plan', '--batch', 'W-3')['id'])
    fleet.json('revoke', 'run', number)
    ended(fleet, number)
    assert readmitted(fleet, number) == ({}, '101 devices are readmitted; 0 may enrol as it is, 0 still may not')
    held = str(fleet.json('revoke', 'plan', '--batch', 'B-2', '--hold')['id'])
    done = fleet.cli('revoke', 'readmit', held, '--reason', 'x', check=False)
    assert done.returncode == 1 and 'cert release' in words(done)
