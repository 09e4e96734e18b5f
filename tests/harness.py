"""What the end-to-end tests share: a gate of their own, foreign clients, soft devices, simulated TPMs."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

SOURCE = pathlib.Path(os.environ.get('KW_SOURCE_ROOT', pathlib.Path(__file__).parents[1])).resolve()
BUILD = pathlib.Path(os.environ.get('KW_BUILD_ROOT', SOURCE / 'build')).resolve()
KEYWRIGHT = BUILD / 'src/cmd/keywright/keywright'
KEYWRIGHTD = BUILD / 'src/cmd/keywrightd/keywrightd'
KEEPER = BUILD / 'src/cmd/keywright-keeper/keywright-keeper'
AGENT = BUILD / 'src/cmd/keywright-agent/keywright-agent'
EST = '/.well-known/est'
DEADLINE_S = 30


def run(*command, check=True, data=None, env=None, timeout=60, text=True, cwd=None):
    """A program's whole run; its words are in the error where it fails."""
    done = subprocess.run([str(word) for word in command], input=data, capture_output=True, text=text,
                          timeout=timeout, cwd=cwd, check=False, env=dict(os.environ, **(env or {})),
                          **({} if data is not None else {'stdin': subprocess.DEVNULL}))
    if check and done.returncode != 0:
        raise AssertionError(f'{command[0]} … {command[-1]}: exit {done.returncode}\n'
                             f'{done.stdout}\n{done.stderr}')
    return done


def words(done):
    return (done.stdout or '') + (done.stderr or '')


def until(what, condition, seconds=DEADLINE_S):
    """Wait for the condition by asking again; its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f'{what}: not within {seconds} s'
        time.sleep(0.02)


def own_ports():
    """Below those that the kernel gives to connections; no two workers of pytest-xdist share any: one
    could take what the other found free and does not listen on yet."""
    workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    width = 20000 // workers
    return range(12000 + worker * width, 12000 + (worker + 1) * width)


def free_ports(n, adjacent=False):
    """Ports that nobody has now."""
    of = own_ports()
    for _ in range(2000):
        first = random.choice(of)
        ports = [first + i if adjacent else random.choice(of) for i in range(n)]
        sockets = [socket.socket() for _ in ports]
        try:
            for one, port in zip(sockets, ports):
                one.bind(('127.0.0.1', port))
            return ports
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError('no ports are free')


def free_pair():
    """Two adjacent free ports, for swtpm."""
    return free_ports(2, adjacent=True)[0]


# --- keys, requests, certificates ------------------------------------------------------------------

def new_key(curve=None):
    return ec.generate_private_key(curve or ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def spki(public):
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(public):
    return hashlib.sha256(spki(public)).hexdigest()


def name_of(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def csr_der(key, common_name, subject=None):
    request = x509.CertificateSigningRequestBuilder().subject_name(subject or name_of(common_name))
    algorithm = hashes.SHA384() if key.key_size == 384 else hashes.SHA256()
    return request.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


def pem_of(der):
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def der_of(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def fingerprint(cert):
    return cert.fingerprint(hashes.SHA256()).hex()


def serial_hex(cert):
    text = f'{cert.serial_number:x}'
    return '0' * (len(text) % 2) + text


def certs_in(body):
    """The certificates of an EST answer."""
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))


# --- foreign clients -------------------------------------------------------------------------------

class Reply:
    """An HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode('utf-8', 'replace')

    def __repr__(self):
        return f'<{self.status} {self.text[:300]!r}>'


def parse_reply(raw):
    """The last answer of `curl -i`."""
    head, _, body = raw.partition(b'\r\n\r\n')
    while re.match(rb'HTTP/1\.[01] 1\d\d', head):
        head, _, body = body.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(':')
        headers[name.strip().lower()] = value.strip()
    return Reply(int(lines[0].split()[1]), headers, body)


class Credential:
    """A key and certificate in files, as curl and ssl want them."""

    def __init__(self, folder, name, key, cert, chain=b''):
        self.key, self.cert = key, cert
        self.key_file, self.cert_file = folder / f'{name}.key', folder / f'{name}.pem'
        self.key_file.write_bytes(key_pem(key))
        self.cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + chain)


class Gate:
    """A state folder, and a keywrightd that serves it."""
    started = []  # all of this run: what a failed test leaves behind is ended at its end
    keeper = KEEPER

    def __init__(self, folder, *options, ports=None, env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state, self.offline = self.folder / 'state', self.folder / 'offline'
        self.log_path = self.folder / 'server.log'
        self.ports = ports or free_ports(3)
        self.env = env or {}
        self.process = None
        self.n_ids = 0
        self.init_done = run(KEYWRIGHT, 'init', '--state', self.state, '--offline', self.offline,
                             '--profiles', SOURCE / 'profiles', '--keeper', self.keeper, '--organization',
                             'Example Maker', '--ports', ','.join(map(str, self.ports)), *options,
                             env=self.env)
        self.root = self.state / 'certs/root.pem'

    # the process

    def start(self, wait=True):
        """Again, after stop() or kill(), too."""
        (self.state / 'run/endpoints').unlink(missing_ok=True)
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen([KEYWRIGHTD, '--state', self.state, '--keeper', self.keeper],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, **self.env))
        Gate.started.append(self.process)
        if wait:
            self.wait_healthy()
        return self

    def wait_healthy(self):
        def up():
            assert self.alive(), 'keywrightd has ended:\n' + self.log()[-3000:]
            return self.healthy()
        until('keywrightd is healthy', up)

    def stop(self):
        """As an init system does; the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('keywrightd does not stop on SIGTERM') from None
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def alive(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text('utf-8', 'replace') if self.log_path.exists() else ''

    def keeper_pid(self):
        """The process that holds the keys."""
        return self.child_pid('keywright-keep')

    def child_pid(self, name):
        """The keeper is a child of keywright-start, which is a child of keywrightd."""
        waiting = [self.process.pid]
        while waiting:
            task = pathlib.Path(f'/proc/{waiting.pop()}/task')
            try:
                threads = list(task.iterdir())
                children = [int(pid) for thread in threads
                            for pid in (thread / 'children').read_text().split()]
                for pid in children:
                    if name in pathlib.Path(f'/proc/{pid}/comm').read_text():
                        return pid
            except FileNotFoundError:
                continue  # it ended meanwhile
            waiting += children
        return None

    # its doors

    def url(self, door):
        scheme = 'http' if door == 'relying' else 'https'
        port = self.ports[['devices', 'operators', 'relying'].index(door)]
        return f'{scheme}://localhost:{port}'

    def curl(self, door, path, *options, data=None, check=True):
        """curl is the client; None where it could not talk and check is off."""
        body = ['--data-binary', '@-'] if data is not None else []
        done = run('curl', '-sS', '-i', '--path-as-is', '-m', 30, '--cacert', self.root, *options, *body,
                   self.url(door) + path, data=data, text=False, check=False)
        if done.returncode != 0:
            assert not check, done.stderr.decode()
            return None
        return parse_reply(done.stdout)

    def context(self, who=None, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(self.root))
        context.minimum_version = context.maximum_version = version
        if who:
            context.load_cert_chain(str(who.cert_file), str(who.key_file))
        return context

    def connect(self, door, who=None):
        """A connection of Python's own HTTP client, kept alive."""
        port = self.ports[['devices', 'operators', 'relying'].index(door)]
        if door == 'relying':
            return http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        return http.client.HTTPSConnection('127.0.0.1', port, timeout=30, context=self.context(who))

    def ask(self, door, method, path, body=None, headers=None, who=None, connection=None):
        own = connection or self.connect(door, who)
        try:
            own.request(method, path, body=body, headers=headers or {})
            answer = own.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            if own is not connection:
                own.close()

    def healthy(self):
        try:
            return self.operators_get('/healthz', who=None).status == 200
        except OSError:
            return False

    def operators_get(self, path, who='operator'):
        return self.ask('operators', 'GET', path, who=self.operator if who == 'operator' else None)

    @property
    def operator(self):
        class _Files:
            cert_file, key_file = self.state / 'admin/operator.pem', self.state / 'admin/operator.key'
        return _Files

    def cli(self, *args, check=True, timeout=60, who=None):
        """As the first operator, or as one that --approver made."""
        admin = self.state / (f'admin-{who}' if who else 'admin')
        return run(KEYWRIGHT, *args, check=check, env={'KEYWRIGHT_ADMIN': str(admin)}, timeout=timeout)

    def request(self, *args):
        """Ask for what needs approval: the number of the request."""
        done = self.cli(*args, check=False)
        assert done.returncode == 6, words(done)
        return re.search(r'request (\d+)', words(done))[1]

    def approved(self, *args, by=('bob',)):
        """Ask, and have the others approve: done when this returns."""
        number = self.request(*args)
        for who in by:
            self.cli('approval', 'sign', number, '--yes', who=who)
        return number

    def json(self, *args):
        first, *more = [json.loads(line) for line in self.cli(*args, '--json').stdout.splitlines() if line]
        for page in more:
            first['items'] += page['items']
        return first

    def metric(self, name):
        text = self.operators_get('/metrics', who=None).text
        return int(re.search(rf'^keywright_{name} (\d+)$', text, re.M)[1])

    def counts(self, names='certificates|public_keys|devices'):
        """What must not change when a request is refused. How many are revoked is not in it: what a CMP client
        never confirmed is revoked minutes later, while another test looks."""
        text = self.operators_get('/metrics', who=None).text
        return dict(re.findall(rf'^keywright_({names}) (\d+)$', text, re.M))

    def pem(self, name):
        return (self.state / f'certs/{name}.pem').read_bytes()

    def cert(self, name):
        return x509.load_pem_x509_certificate(self.pem(name))

    # what it serves

    def new_id(self, prefix='DEV'):
        self.n_ids += 1
        return f'{prefix}-{self.n_ids:04d}'

    def register(self, device=None, *options):
        """Id and secret of a new device."""
        device = device or self.new_id()
        secret = self.json('device', 'register', device, '--product', 'thermostat-1', *options)['secret']
        return device, secret

    def enrol(self, csr, secret=None, who=None, label='', verb='simpleenroll', encode=base64.encodebytes,
              connection=None):
        """EST by Python's HTTP client: secret is (id, secret); who is a Credential."""
        headers = {'Content-Type': 'application/pkcs10'}
        if secret:
            headers['Authorization'] = 'Basic ' + base64.b64encode(':'.join(secret).encode()).decode()
        path = f'{EST}/{label}/{verb}' if label else f'{EST}/{verb}'
        return self.ask('devices', 'POST', path, encode(csr), headers, who=who, connection=connection)

    def device(self, device=None):
        """A soft device with both identities."""
        return Device(self, device)

    def log_entries(self, max_=1000):
        """(index, entry) of the newest entries."""
        rows = [line.split('\t', 1) for line in self.cli('log', 'tail', '--max', max_).stdout.splitlines()]
        return [(int(index), json.loads(entry)) for index, entry in rows]


class Device:
    """A foreign EST client's device: soft keys, IDevID by secret, LDevID by IDevID."""

    def __init__(self, gate, device=None, *options):
        self.gate = gate
        self.id, self.secret = gate.register(device, *options)
        self.serial = dict(zip(options, options[1:])).get('--serial', self.id)
        self.folder = gate.folder / 'devices' / self.id
        self.folder.mkdir(parents=True)
        self.idevid = self.get('idevid', secret=(self.id, self.secret))
        self.ldevid = self.get('ldevid', who=self.idevid)

    def get(self, name, verb='simpleenroll', **how):
        key = new_key()
        reply = self.gate.enrol(csr_der(key, self.id), verb=verb, **how)
        assert reply.status == 200, reply
        (cert,) = certs_in(reply.body)
        return Credential(self.folder, name, key, cert)

    def renew(self):
        self.previous, self.ldevid = self.ldevid, self.get(f'ldevid-{time.monotonic_ns()}',
                                                           verb='simplereenroll', who=self.ldevid)
        return self.ldevid

    def hello(self, who=None, connection=None):
        body = json.dumps({'agent': 'test 1', 'root_of_trust': 'soft'})
        return self.gate.ask('devices', 'POST', '/device/v1/hello', body,
                             {'Content-Type': 'application/json'}, who=who or self.ldevid,
                             connection=connection)


# --- devices with the agent ------------------------------------------------------------------------

class TpmMaker:
    """swtpm's local CA: who vouches for endorsement keys. SIMULATED."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        ca = self.folder
        (ca / 'localca.conf').write_text(f'statedir = {ca}\nsigningkey = {ca}/key.pem\n'
                                         f'issuercert = {ca}/issuer.pem\ncertserial = {ca}/serial\n')
        (ca / 'options').write_text('')
        (ca / 'setup.conf').write_text('create_certs_tool = /usr/bin/swtpm_localca\n'
                                       f'create_certs_tool_config = {ca}/localca.conf\n'
                                       f'create_certs_tool_options = {ca}/options\n')
        self.copies = {}

    def manufacture(self, folder, serial=0):
        """A TPM's state with an EK certificate; of one serial number all are copies of one TPM."""
        if serial not in self.copies:
            first = self.folder / f'unit-{serial}'
            first.mkdir()
            run('swtpm_setup', '--tpm2', '--tpmstate', first, '--config', self.folder / 'setup.conf',
                '--create-ek-cert', '--overwrite')
            self.copies[serial] = first
        shutil.copytree(self.copies[serial], folder, dirs_exist_ok=True)

    @classmethod
    def made(cls, folder):
        """With its CAs: the first TPM brings them."""
        one = cls(folder)
        one.manufacture(folder / 'first')
        return one

    def cas(self):
        """Its root, and what issues; after the first TPM was made."""
        return [path for path in sorted(self.folder.glob('*.pem')) if 'BEGIN CERTIFICATE' in path.read_text()]


class Tpm:
    """swtpm: a program, SIMULATED."""

    def __init__(self, folder, maker=None, serial=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.devices = []  # that were bound to it
        if maker:
            maker.manufacture(self.folder, serial)
        self.port = 0
        self.start()

    def start(self):
        for _ in range(5):
            self.port = free_pair()
            self.process = subprocess.Popen(
                ['swtpm', 'socket', '--tpm2', '--tpmstate', f'dir={self.folder}', '--server',
                 f'type=tcp,port={self.port},bindaddr=127.0.0.1', '--ctrl',
                 f'type=tcp,port={self.port + 1},bindaddr=127.0.0.1', '--flags',
                 'not-need-init,startup-clear'],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=open(self.folder / 'swtpm.log', 'ab'))
            if until('swtpm listens', lambda: self.process.poll() is not None or self.listens()) \
                    and self.process.poll() is None:
                return
        raise AssertionError('swtpm does not start: ' + (self.folder / 'swtpm.log').read_text()[-500:])

    def listens(self):
        """Both ports; without connecting, for the TPM's serves one client at a time."""
        table = pathlib.Path('/proc/net/tcp').read_text()
        return all(f'0100007F:{port:04X} 00000000:0000 0A' in table for port in (self.port, self.port + 1))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    @property
    def tcti(self):
        return f'swtpm:host=127.0.0.1,port={self.port}'

    def tool(self, *command, check=True):
        return run(*command, env={'TPM2TOOLS_TCTI': self.tcti}, check=check)


class Agent:
    """keywright-agent with a state folder of its own."""

    def __init__(self, gate, folder, device, rot=None, server=None, trust=None):
        self.gate, self.id = gate, device
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / 'state'
        self.rot = rot or f'soft:dir={self.state}/keys'
        self.server, self.trust = server or gate.url('devices'), trust or gate.root
        self.secret_file = self.folder / 'secret'

    def put_secret(self, secret, mode=0o600):
        self.secret_file.write_text(secret + '\n')
        self.secret_file.chmod(mode)

    def enrol_command(self):
        return [AGENT, 'enrol', '--state', self.state, '--server', self.server, '--id', self.id, '--trust',
                self.trust, '--rot', self.rot, '--secret-file', self.secret_file]

    def enrol(self, check=True):
        return run(*self.enrol_command(), check=check)

    def join(self, *options):
        """Registered with these options, and enrolled by the secret that this gave."""
        self.put_secret(self.gate.register(self.id, *options)[1])
        self.enrol()
        return self

    def do(self, verb, *args, check=True, timeout=60):
        return run(AGENT, verb, *args, '--state', self.state, check=check, timeout=timeout)

    def status(self):
        return json.loads(self.do('status', '--json').stdout)

    def cert(self, name):
        return x509.load_pem_x509_certificate((self.state / f'{name}.pem').read_bytes())


def ocsp_of(gate, cert, ca):
    """What the responder says of a certificate: good, revoked, or the name of its refusal."""
    issuer = x509.load_pem_x509_certificate(gate.pem(f'ca-{ca}'))
    question = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA1()).build()
    reply = gate.ask('relying', 'POST', f'/ocsp/{ca}', question.public_bytes(serialization.Encoding.DER),
                     {'Content-Type': 'application/ocsp-request'})
    answer = ocsp.load_der_ocsp_response(reply.body)
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return answer.response_status.name
    return answer.certificate_status.name


def need(*programs):
    """The first program that is not here, or None."""
    return next((name for name in programs if not shutil.which(name)), None)
