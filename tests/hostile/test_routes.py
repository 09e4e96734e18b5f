"""Every route of every API, taken from the servers' own tables, against every class of bad input: a 4xx that says why, nothing changed."""
import json
import pathlib
import re
import sys

import pytest
from cmp_messages import Message
from cryptography.x509 import ocsp
from harness import EST, SOURCE, Credential, fingerprint, new_key
from test_classes import CLASSES, cmp_query, enrolment, index_line, ocsp_query

sys.path.insert(0, str(SOURCE / 'tests/e2e'))
from test_issue import issue  # noqa: E402

TABLES = {'est': 'est/est.c', 'cmp': 'cmp/cmp.c', 'device': 'device/device.c', 'rest': 'rest/routes.c', 'relying': 'ocsp/relying.c'}
DOORS = {'rest': 'operators', 'relying': 'relying'}
PREFIXES = {'V1': '/api/v1', 'EST': EST, 'CMP': '/.well-known/cmp'}
JSON, TEXT, PKCS10 = 'application/json', 'text/plain', 'application/pkcs10'
PKIXCMP, OCSP = 'application/pkixcmp', 'application/ocsp-request'
OCTETS = 'application/octet-stream'


def table(name):
    """The rows as the server has them: method, path, who may."""
    text = (SOURCE / 'src/api' / TABLES[name]).read_text()
    rows = re.findall(r'\{HTTP_(\w+),\s+(?:(V1|EST|CMP)\b)?\s*(?:"([^"]*)")?,\s+(\w+),', text)
    assert len(rows) == text.count('{HTTP_'), 'a row that this test cannot read'
    return [(name, method, PREFIXES.get(prefix, '') + path, who) for method, prefix, path, who in rows]


ROUTES = [row for name in TABLES for row in table(name)]
NAMES = [f'{method} {path}' for _, method, path, _ in ROUTES]


def obj(needed=(), /, **more):
    """A JSON body that would be taken, and which of its members must be there."""
    return JSON, (tuple(needed.split()) if isinstance(needed, str) else needed), more


def raw(media, make):
    return media, None, make


API = 'POST /api/v1'
REASON = obj(reason='superseded')
NOTHING = obj()
PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
B64 = 'AAAA'
# A body that is read: what is spoilt of it must be refused for that.
BODIES = {
    f'{API}/devices': obj('id product', id='RTE-1', product='p', serial='s', hw_type='1.2.3', batch='b', secret_hours=1, cmp=False),
    f'{API}/devices/{{id}}/secret': NOTHING,
    f'{API}/devices/{{id}}/retire': REASON,
    f'{API}/stations/{{id}}/grant': obj('product', product='p'),
    f'{API}/stations/{{id}}/revoke': obj('product', product='p'),
    f'{API}/devices/import': raw(JSON, lambda gate, device: b'{"id":"A B","product":1}'),
    f'{API}/devices/{{id}}/suspend': REASON,
    f'{API}/devices/{{id}}/resume': REASON,
    f'{API}/devices/{{id}}/readmit': REASON,
    f'{API}/devices/{{id}}/wipe': obj(reason='r', hours=1),
    f'{API}/devices/{{id}}/wipe/cancel': REASON,
    f'{API}/attest/roots': obj('der', der=B64, simulated=True),
    f'{API}/attest/crls': obj('der', der=B64),
    f'{API}/attest/references': obj('name pcr_mask log', name='r', product='p', pcr_mask='000000ff', log=B64),
    f'{API}/attest/references/{{id}}/{{verb}}': NOTHING,
    f'{API}/attest/elements': obj('product has', product='no such product', has=True),
    f'{API}/devices/{{id}}/attest-reset': NOTHING,
    f'{API}/attest/policies': obj(product='no such product', failed=1, rounds=1, trusted_hours=1, fresh_minutes=1),
    f'{API}/attest/policies/drop': obj(product='no such product'),
    f'{API}/devices/{{id}}/attest-untrust': REASON,
    f'{API}/devices/{{id}}/attest-retrust': NOTHING,
    f'{API}/batches': obj('name product', name='RTE', product='p', quota=1),
    f'{API}/batches/{{id}}/{{verb}}': REASON,
    f'{API}/sync/external': raw(TEXT, index_line),
    f'{API}/blocklist/{{list}}': raw(TEXT, lambda gate, device: b'number:00'),
    f'{API}/requests/{{id}}/approve': REASON,
    f'{API}/requests/{{id}}/refuse': REASON,
    f'{API}/certs': obj('profile csr', profile='user', name='n', device='d', csr=PEM, san=['dns:a']),
    f'{API}/certs/{{id}}/revoke': REASON,
    f'{API}/cas/{{ca}}/certs/{{id}}/revoke': REASON,
    f'{API}/certs/{{id}}/hold': NOTHING,
    f'{API}/certs/{{id}}/release': NOTHING,
    f'{API}/cas/{{ca}}/certs/{{id}}/hold': NOTHING,
    f'{API}/cas/{{ca}}/certs/{{id}}/release': NOTHING,
    f'{API}/revocations': obj('', device='nobody', reason='superseded', note='x'),
    f'{API}/revocations/{{id}}/run': obj(approval=0),
    f'{API}/revocations/{{id}}/pause': obj('reason', reason='x'),
    f'{API}/revocations/{{id}}/resume': obj('reason', reason='x'),
    f'{API}/revocations/{{id}}/cancel': obj('reason', reason='x'),
    f'{API}/revocations/{{id}}/readmit': obj('reason', reason='x', after=0, dry_run=False),
    f'{API}/cas/{{ca}}/create': obj(reason='x', approval=0),
    f'{API}/cas/{{ca}}/rotate': obj(reason='x', approval=0),
    f'{API}/cas': obj('pem', pem=PEM),
    f'{API}/cas/{{ca}}/retire': obj(reason='x', approval=0),
    f'{API}/roots': raw('application/x-pem-file', lambda gate, device: gate.pem('root')),
    f'{API}/profiles/check': obj('profile csr', profile='ldevid', csr=PEM, device='d'),
    f'{API}/keys': obj('id class', id='rte', alg='ec-p256', tuf_role='', product='p', versions='1', labels='a', escrow=False, days=1,
                      approval=0, **{'class': 'no such class'}),
    f'{API}/keys/{{id}}/{{verb}}': obj(reason='x', approval=0),
    f'{API}/data-keys': obj('id kek', id='rte', kek='nobody', context='x', give_key=False),
    f'{API}/data-keys/rewrap': obj('kek', kek='nobody'),
    f'{API}/data-keys/{{id}}/unwrap': NOTHING,
    f'{API}/approvals/{{id}}/signatures': obj('verdict name signature', verdict='approve', name='n', signature=B64),
    f'{API}/approvals/{{id}}/run': NOTHING,
    f'{API}/roster/people': obj('name roles public_key', name='n', roles='security-officer', public_key=B64),
    f'{API}/roster/people/{{name}}/dismiss': NOTHING,
    f'{API}/roster/rules': obj('operation needed roles deadline_s', operation='no such operation', needed=1, roles='security-officer',
                              deadline_s=3600, **{'class': ''}),
    f'{API}/vaults/{{vault}}/seal': NOTHING,
    f'{API}/vaults/{{vault}}/rekey': obj(new_secret=False, approval=0),
    f'{API}/doctor/acknowledge': obj('digest reason', digest='0' * 64, reason='x'),
    f'{API}/backup': obj(approval=0),
    f'{API}/backup/recovery': obj('public_key', public_key='00' * 32, approval=0),
    f'{API}/backup/discard': NOTHING,
    'POST /device/v1/hello': obj('agent root_of_trust', agent='a', root_of_trust='soft', simulated=False, firmware='1', certificate='0' * 64,
                                 counter=1, link='00' * 32, previous='00' * 32, events=0, events_head='00' * 32, events_lost=0),
    'POST /device/v1/attest/enrol': obj('root_of_trust', root_of_trust='tpm2', ek_certificate=B64, ek_public=B64, ak_public=B64),
    'POST /device/v1/attest/activate': obj('session activated', session=B64, activated=B64),
    'POST /device/v1/attest/evidence': obj('nonce signature', nonce=B64, quote=B64, signature=B64, pcrs=B64, log=B64),
    'POST /device/v1/time': obj('nonce', nonce='0' * 64),
    'POST /device/v1/wipe': obj('nonce', nonce='0' * 64),
    'POST /device/v1/events': raw(OCTETS, lambda gate, device: bytes(range(200))),
    'POST /device/v1/receipts': obj('device action key time signature', device='DEV1', action='wipe', key='0' * 64,
                                    time='2026-11-20T00:00:00Z', proof='', readback='', signature=B64),
    'POST /ocsp/{ca}': raw(OCSP, ocsp_query),
}
BODIES.update({name: raw(PKCS10, enrolment) for name in NAMES if re.match(r'POST .*/(simple(re)?enroll|serverkeygen)$', name)})
BODIES.update({name: raw(PKIXCMP, cmp_query) for name in NAMES if name.startswith('POST /.well-known/cmp')})
# What a report says of each line is no failure of the request.
REPORTS = (f'{API}/devices/import', f'{API}/sync/external', f'{API}/blocklist/{{list}}')
# Real objects where there are some, so that a bad request could do harm.
PLACES = {'ca': 'devices', 'label': 'ldevid', 'vault': 'main', 'list': 'classes', 'operation': 'initialization', 'profile': 'ldevid', 'n': '1',
          'index': '0', 'file': 'devices.crl', 'name': 'nobody', 'path...': '0/000', 'request...': 'MAA='}
VERBS = {'keys': ('ca-devices', 'suspend'), 'batches': ('RTE-B', 'close'), 'references': ('nobody', 'open')}


class Place:
    """One connection for each who asks, and what the paths name."""

    def __init__(self, gate, folder):
        self.gate, self.open = gate, {}
        self.device = gate.device()
        broker = folder / 'broker'
        broker.mkdir()
        key = new_key()
        self.who = {'operator': gate.operator, 'idevid': self.device.idevid, 'ldevid': self.device.ldevid, None: None,
                    'broker': Credential(broker, 'rte-broker', key, issue(gate, broker, 'broker', 'rte-broker', key=key))}
        gate.cli('batch', 'open', 'RTE-B', '--product', 'p')
        self.cert = fingerprint(self.device.ldevid.cert)

    def ask(self, door, who, method, path, body=None, media=None):
        """None: it closed before all of what is too much was sent."""
        for again in (True, False):
            key = (door, who)
            fresh = key not in self.open
            if fresh:
                self.open[key] = self.gate.connect(door, self.who[who])
            try:
                reply = self.gate.ask(door, method, path, body, {'Content-Type': media} if media else {}, connection=self.open[key])
                if reply.headers.get('connection', '') == 'close':
                    self.open.pop(key).close()
                return reply
            except (OSError, __import__('http').client.HTTPException):
                self.open.pop(key).close()
                if fresh or not again:
                    return None
        return None

    def fill(self, path, **other):
        """The template with what is there."""
        noun = re.search(r'/(\w+)/\{id\}', path)
        noun = noun[1] if noun else ''
        first, verb = VERBS.get(noun, ({'devices': self.device.id, 'certs': self.cert, 'data-keys': 'nobody'}.get(noun, '99999'), 'x'))
        values = PLACES | {'id': first, 'verb': verb} | other
        return re.sub(r'\{([^}]+)\}', lambda match: values[match[1]], path)

    def size(self):
        return self.gate.metric('log_entries')

    def unchanged(self, size, what):
        """Nothing was recorded but what the server does by itself."""
        if self.size() != size:
            new = [entry for index, entry in self.gate.log_entries(200) if int(index) >= size]
            assert not [entry for entry in new if re.match(r'(operator|device|station|broker):', entry['actor'])], (what, new)
        assert self.gate.alive(), what


@pytest.fixture(scope='module')
def place(gate, tmp_path_factory):
    return Place(gate, tmp_path_factory.mktemp('routes'))


def test_every_route_is_here():
    missing = [name for name in NAMES if name.startswith('POST ') and name not in BODIES]
    assert not missing, f'no body is known for {missing}: add it to BODIES'
    assert not [name for name in BODIES if name not in NAMES], 'of routes that are no more'
    assert len(NAMES) == len(set(NAMES)) > 120


def spoilt(name, gate, device):
    """What becomes of the body that would be taken: (class, octets)."""
    media, needed, make = BODIES[name]
    good = make(gate, device) if needed is None else json.dumps(make).encode()
    for kind, spoil in CLASSES.items():
        if kind == 'nothing' and needed is not None and not needed:
            continue  # every member may be left out
        if kind == 'twice' and (needed is None or not make):
            yield kind, good + good
            continue
        yield kind, spoil(media, good)
    if needed is None:
        return
    yield 'unknown member', json.dumps(dict(make, colour='red')).encode()
    yield 'a list', json.dumps([make]).encode()
    yield 'behind it', good + b'{}'
    for one in needed:
        yield f'without {one}', json.dumps({key: value for key, value in make.items() if key != one}).encode()
    for one, value in make.items():
        wrong = {str: (1, None, [], {}, True, 'x' * 200000, 'a\0b', 'a\x07b'), bool: ('true', 1, None, []),
                 int: ('1', -1, 1.5, 10 ** 30, None, True, []), list: ('x', [1], [None], {'a': 1}, ['x' * 9000])}[type(value)]
        wrong += ('',) if one in needed and isinstance(value, str) else ()
        for other in wrong:
            yield f'{one}: {str(other)[:12]!r}', json.dumps(dict(make, **{one: other})).encode()
        if isinstance(value, str):
            yield f'{one}: half a character', json.dumps(dict(make, **{one: '\ud800'})).encode()
            yield f'{one}: not UTF-8', json.dumps(dict(make, **{one: 'QQQ'})).encode().replace(b'QQQ', b'\xff\xfe')


def judge(api, name, what, reply):
    """The answer says what is wrong in its API's own form, and nothing of the server's inside."""
    where = (name, what, reply)
    assert reply.status < 500, where
    assert not re.search(r'\.c:\d|/tmp/|sqlite|SELECT', reply.text), where
    if api in ('rest', 'device'):
        assert reply.status >= 400 and reply.headers['content-type'] == 'application/problem+json', where
        problem = json.loads(reply.body)
        assert problem['status'] == reply.status and problem['code'] and problem['title'] and problem['request_id'], where
        assert len(problem['detail']) > 5 and not re.search(r'[\x00-\x1f\x7f]', problem['detail']), where
    elif api == 'cmp':
        assert reply.status in (200, 400, 404, 413, 415), where
        assert reply.status != 200 or Message(reply.body).status() == 2, where
    elif name.endswith('/ocsp/{ca}') or '{request...}' in name:
        assert reply.status >= 400 or ocsp.load_der_ocsp_response(reply.body).response_status.value != 0, where
    else:
        assert reply.status >= 400 and reply.body.strip(), where


def asker(api, path, auth):
    if auth == 'AUTH_BROKER':
        return 'broker'
    if api == 'est':
        return 'ldevid' if 'reenroll' in path else 'idevid'
    return {'rest': 'operator', 'device': 'ldevid'}.get(api) if auth != 'AUTH_NONE' else None


POSTS = [row for row in ROUTES if row[1] == 'POST']


@pytest.mark.parametrize('api,method,path,auth', POSTS, ids=[f'{path}' for _, _, path, _ in POSTS])
def test_bodies(place, api, method, path, auth):
    name, door, who = f'{method} {path}', DOORS.get(api, 'devices'), asker(api, path, auth)
    media, needed, _ = BODIES[name]
    before, counts = place.size(), place.gate.counts()
    where = place.fill(path)
    for what, octets in spoilt(name, place.gate, place.device):
        reply = place.ask(door, who, method, where, octets, media)
        if reply is None:
            assert len(octets) > 10000, (name, what)
        elif not (name in REPORTS and reply.status == 200):
            judge(api, name, what, reply)
    for other in ('a/b/c', 'application/xml', 'x' * 900):
        if path.endswith('/devices/import'):
            break  # it tells CSV from JSON by what comes
        reply = place.ask(door, who, method, where, b'{}', other)
        assert reply and reply.status in ((200, 400) if api == 'relying' else (400, 404, 415)), (name, other, reply)
        judge(api, name, other, reply)
    assert place.gate.counts() == counts, name
    place.unchanged(before, name)


@pytest.mark.parametrize('api', TABLES)
def test_methods(place, api):
    """What a path does not take: 405 and what it does take, or 501 for what is no method."""
    before, door = place.size(), DOORS.get(api, 'devices')
    for path in sorted({path for _, _, path, _ in table(api)}):
        taken = {method for _, method, other, _ in ROUTES if other == path}
        who = asker(api, path, next(auth for _, _, other, auth in ROUTES if other == path))
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'X'):
            if method not in taken:
                reply = place.ask(door, who, method, place.fill(path), None if method == 'GET' else b'{}', 'application/xml')
                assert reply is None or reply.status in (404, 405, 415, 501), (method, path, reply)  # 415: another template takes it
                assert reply is None or reply.status != 405 or taken & set(reply.headers['allow'].split(', ')), (method, path, reply)
    place.unchanged(before, api)


PUBLIC = ('AUTH_NONE',)


@pytest.mark.parametrize('api', ['rest', 'device', 'est'])
def test_roles(place, api):
    """Nobody, a device at the operators' door, an operator and a broker at the devices': none is let in, whatever it asks."""
    before = place.size()
    door = DOORS.get(api, 'devices')
    for _, method, path, auth in table(api):
        if auth in PUBLIC:
            continue
        own = asker(api, path, auth)
        for who in (None, 'idevid', 'ldevid', 'operator', 'broker'):
            if who == own or (who in ('idevid', 'ldevid') and own in ('idevid', 'ldevid')) or (who == 'operator' and door == 'operators'):
                continue
            body = b'{}' if method == 'POST' else None
            reply = place.ask(door, who, method, place.fill(path), body, BODIES[f'{method} {path}'][0] if body else None)
            assert reply is not None, (path, who)
            assert reply.status == (401 if who is None else 403), (path, who, reply)
            if api != 'est':
                judge(api, f'{method} {path}', who, reply)
    place.unchanged(before, api)


def queries(api, path):
    """Names that the handler's file asks the query for."""
    ends = [path.removeprefix(prefix) for prefix in ('', *PREFIXES.values())]
    handler = next(line for line in (SOURCE / 'src/api' / TABLES[api]).read_text().splitlines()
                   if 'HTTP_GET' in line and any(f'"{end}"' in line for end in ends))
    name = re.findall(r'\b(\w+),\s+(?:ERR|&\w+),', handler)[-1]
    for file in pathlib.Path(SOURCE / 'src/api').rglob('*.c'):
        text = file.read_text()
        if re.search(rf'^(REST_HANDLER\({name}\)|(static )?kw_status {name}\()', text, re.M):
            return sorted(set(re.findall(r'(?:query_\w+|uri_query)\((?:op, )?request(?:->query)?, "(\w+)"', text)))
    return []


VALUES = ('-1', '99999999999999999999', '0x10', 'x' * 300, "'%20OR%201=1", '..%2f..', '%00', '%ff%fe', '%zz', 'a%0d%0aX:%20y', '%F0%9F%98%80')
GETS = [row for row in ROUTES if row[1] == 'GET']


@pytest.mark.parametrize('api,method,path,auth', GETS, ids=[f'{path}' for _, _, path, _ in GETS])
def test_paths_and_queries(place, api, method, path, auth):
    """What stands in the address may be anything: 200 where it is ignored or found, else a 4xx with words."""
    name, door, who = f'{method} {path}', DOORS.get(api, 'devices'), asker(api, path, auth)
    before = place.size()
    asked = [place.fill(path, **{one: value}) for one in re.findall(r'\{([^}]+)\}', path) for value in VALUES]
    asked += [f'{place.fill(path)}?{one}={value}' for one in queries(api, path) for value in (*VALUES, '1&' + one + '=2')]
    asked += [place.fill(path) + tail for tail in ('/', '/..', '%2f', '//', '?', '?=&&=', '?a[]=1')]
    for where in asked:
        reply = place.ask(door, who, method, where)
        if reply is not None and reply.status >= 400:
            assert reply.status != 500 and reply.status < 504 and reply.body.strip(), (where, reply)
            assert not re.search(r'\.c:\d|/tmp/|sqlite|SELECT', reply.text), (where, reply)
    reply = place.ask(door, who, method, place.fill(path), b'A' * 70000, 'text/plain')  # a body where none is
    assert reply is None or reply.status < 500, (name, reply)
    place.unchanged(before, name)
