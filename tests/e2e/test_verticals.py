"""Trades' profiles and CAs: init --vertical installs them, and what they issue passes a strict verifier."""
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cmp_messages import Client
from harness import (Credential, Device, Gate, KEEPER, KEYWRIGHT, SOURCE, certs_in, csr_der, new_key, run, serial_hex,
                     words)
from test_issue import issue

ALL = 'evse,ami,iacs,semi,iov,wearable,medical,factory'
# profile: its chain from below the root up, its root
TREES = {'secc': (['ca-cpo-sub2', 'above-cpo-sub1'], 'above-v2g-root'),
         'cps': (['ca-cps-sub2', 'above-cps-sub1'], 'above-v2g-root'),
         'contract': (['ca-mo-sub2', 'above-mo-sub1'], 'above-mo-root'),
         'oem-provisioning': (['ca-oem-sub2', 'above-oem-sub1'], 'above-oem-root'),
         'station': (['ca-stations'], 'root')}
DEVICES = ['secc', 'oem-provisioning', 'charging-station', 'meter', 'component', 'equipment', 'vehicle-client', 'wearable']
GRANTED = [('cps', ()), ('contract', ()), ('station', ())] + [
    (name, ('--san', 'dns:localhost')) for name in ('csms', 'head-end', 'opc-server', 'iov-backend')]
DOMAIN = {'secc': 'CPO', 'cps': 'CPS', 'contract': 'MO', 'oem-provisioning': 'OEM'}


@pytest.fixture(scope='module')
def trades(tmp_path_factory):
    one = Gate(tmp_path_factory.mktemp('trades'), '--vertical', ALL, '--domain', 'csms.example,10.1.2.3')
    one.start()
    yield one
    assert one.stop() == 0, one.log()[-3000:]


def strictly(gate, folder, cert, chain, root):
    (folder / 'leaf.pem').write_bytes(cert.public_bytes(Encoding.PEM))
    (folder / 'chain.pem').write_bytes(b''.join(gate.pem(name) for name in chain))
    (folder / 'root.pem').write_bytes(gate.pem(root))
    run('openssl', 'verify', '-x509_strict', '-CAfile', folder / 'root.pem', '-untrusted', folder / 'chain.pem',
        folder / 'leaf.pem')


def domain(cert):
    return [one.value for one in cert.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]


@pytest.mark.parametrize('profile', DEVICES)
def test_device_enrols_under_its_trade(trades, tmp_path, profile):
    device = Device(trades)
    reply = trades.enrol(csr_der(new_key(), device.id), who=device.idevid, label=profile)
    assert reply.status == 200, reply
    cert = certs_in(reply.body)[0]
    assert domain(cert) == ([DOMAIN[profile]] if profile in DOMAIN else [])
    chain, root = TREES.get(profile, (['ca-devices'], 'root'))
    strictly(trades, tmp_path, cert, chain, root)


def test_a_trades_root_has_no_next_key(trades):
    """No link fits into its paths: the refusal says what is to be done. Sub-CA 2 is a CA as others are."""
    for name, what in (('v2g-root', 'root'), ('cpo-sub1', 'offline CA')):
        done = trades.cli('ca', 'rotate', name, check=False)
        assert done.returncode == 1 and f"trade's {what}" in words(done) and 'docs/PROFILES.md' in words(done), words(done)


@pytest.fixture(scope='module')
def unit(trades):
    """A device whose serial number is not its id, as most are."""
    one = Device(trades, None, '--serial', 'SN-4711')
    assert one.serial != one.id
    return one


@pytest.mark.parametrize('profile', DEVICES)
def test_renewal_by_itself(trades, unit, profile):
    """RFC 7030 section 4.2.2: the subject is that of the certificate which is renewed, whatever the profile made of it;
    the device shows that certificate alone, whoever its root is."""
    key = new_key()
    (cert,) = certs_in(trades.enrol(csr_der(key, unit.id), who=unit.idevid, label=profile).body)
    own = Credential(unit.folder, profile, key, cert)
    reply = trades.enrol(csr_der(new_key(), None, subject=cert.subject), who=own, verb='simplereenroll')
    assert reply.status == 200, reply
    assert certs_in(reply.body)[0].subject == cert.subject
    reply = trades.enrol(csr_der(new_key(), 'somebody-else'), who=own, verb='simplereenroll')
    assert reply.status == 403 and 'somebody-else' in reply.text, 'another name is no renewal'


def test_a_first_request_by_the_name_it_will_have(trades, unit):
    """The charging station's CN is its serial number (OCPP): a client that knows its name asks by it."""
    assert trades.enrol(csr_der(new_key(), unit.serial), who=unit.idevid, label='charging-station').status == 200
    assert trades.enrol(csr_der(new_key(), unit.serial), who=unit.idevid, label='ldevid').status == 403, 'its CN is the id'


def test_cmp_brings_the_chain(trades, tmp_path):
    """openssl cmp accepts what leads to the root that it was told, and only that."""
    one = Client(trades, tmp_path / 'client', *trades.register(None, '--cmp'))
    one.ask('ir', 'idevid', *one.by_secret())
    one.ask('cr', 'secc', *one.by_cert('idevid'), '-out_trusted', trades.state / 'certs/above-v2g-root.pem',
            path='/.well-known/cmp/p/secc')
    assert one.ask('kur', 'next', *one.by_cert('secc')).subject == one.cert('secc').subject


def test_download_with_the_chain_of_the_trade(trades, unit, tmp_path):
    (cert,) = certs_in(trades.enrol(csr_der(new_key(), unit.id), who=unit.idevid, label='secc').body)
    path = tmp_path / 'all.pem'
    trades.cli('cert', 'download', serial_hex(cert), '--chain', '--out', path)
    run('openssl', 'verify', '-x509_strict', '-CAfile', trades.state / 'certs/above-v2g-root.pem', '-untrusted', path, path)
    assert path.read_text().count('BEGIN') == 4 and path.read_bytes().endswith(trades.pem('above-v2g-root').strip() + b'\n')


def test_signed_time_leads_to_the_root_of_devices(trades, unit, tmp_path):
    """Devices pin that root; a trade's OCSP signer does not lead there."""
    reply = trades.ask('devices', 'POST', '/device/v1/time', json.dumps({'nonce': 'ab' * 32}),
                       {'Content-Type': 'application/json'}, who=unit.ldevid)
    (tmp_path / 'chain.pem').write_text(json.loads(reply.text)['chain'])
    run('openssl', 'verify', '-x509_strict', '-CAfile', trades.root, '-untrusted', tmp_path / 'chain.pem', tmp_path / 'chain.pem')


@pytest.mark.parametrize('profile,options', GRANTED)
def test_others_are_granted(trades, tmp_path, profile, options):
    cert = issue(trades, tmp_path, profile, f'{profile}-1', *options)
    assert domain(cert) == ([DOMAIN[profile]] if profile in DOMAIN else [])
    chain, root = TREES.get(profile, (['ca-services'], 'root'))
    strictly(trades, tmp_path, cert, chain, root)


def test_secc_leaf_as_iso_15118_wants_it(trades):
    device = Device(trades)
    cert = certs_in(trades.enrol(csr_der(new_key(), device.id), who=device.idevid, label='secc').body)[0]
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.key_agreement and not usage.key_encipherment
    assert (cert.not_valid_after - cert.not_valid_before).days == 60
    assert cert.public_key().curve.name == 'secp256r1'
    assert len(cert.public_bytes(Encoding.DER)) <= 800, 'ISO 15118-2: certificates of at most 800 octets'
    for name, path_len in (('ca-cpo-sub2', 0), ('above-cpo-sub1', 1), ('above-v2g-root', None)):
        ca = trades.cert(name)
        assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == path_len
        assert ca.public_key().curve.name == 'secp256r1'
        assert not any(ext.oid == x509.NameConstraints.oid for ext in ca.extensions)


def test_offline_authorities_are_published(trades):
    for name in ('root', 'v2g-root', 'cpo-sub1', 'mo-root', 'oem-sub1'):
        der = trades.curl('relying', f'/ca/{name}.cer').body
        assert der == trades.cert(name if name == 'root' else f'above-{name}').public_bytes(Encoding.DER)
        crl = x509.load_der_x509_crl(trades.curl('relying', f'/crl/{name}.crl').body)
        assert crl.issuer == x509.load_der_x509_certificate(der).subject
    shown = {one['id'] for one in trades.json('ca', 'list')['items']}
    assert {'root', 'v2g-root', 'cpo-sub1', 'cpo-sub2', 'devices', 'services', 'stations'} <= shown


def test_every_ca_answers_for_its_own(trades, tmp_path):
    cert = issue(trades, tmp_path, 'contract', 'DE-8AA-000000001-1')
    (tmp_path / 'leaf.pem').write_bytes(cert.public_bytes(Encoding.PEM))
    (tmp_path / 'ca.pem').write_bytes(trades.pem('ca-mo-sub2'))
    (tmp_path / 'all.pem').write_bytes(trades.pem('above-mo-sub1') + trades.pem('above-mo-root'))
    done = run('openssl', 'ocsp', '-issuer', tmp_path / 'ca.pem', '-cert', tmp_path / 'leaf.pem', '-url',
               trades.url('relying').replace('localhost', '127.0.0.1') + '/ocsp/mo-sub2', '-CAfile', tmp_path / 'all.pem',
               '-verify_other', tmp_path / 'ca.pem')
    assert 'good' in words(done) and 'Response verify OK' in words(done)


def test_domains_of_init_are_permitted(trades, tmp_path):
    cert = issue(trades, tmp_path, 'csms', 'csms', '--san', 'dns:csms.example,ip:10.1.2.3')
    strictly(trades, tmp_path, cert, ['ca-services'], 'root')


def test_enrolment_without_a_label_is_as_ever(trades):
    assert Device(trades).ldevid.cert.issuer == trades.cert('ca-devices').subject


@pytest.mark.parametrize('options,says', [(['--vertical', 'nothing'], 'nothing'), (['--vertical', '../x'], 'there is no')])
def test_unknown_trade(tmp_path, options, says):
    done = run(KEYWRIGHT, 'init', '--state', tmp_path / 'state', '--offline', tmp_path / 'offline', '--profiles',
               SOURCE / 'profiles', '--keeper', KEEPER, *options, check=False)
    assert done.returncode != 0 and says in words(done)
    assert not (tmp_path / 'offline/root.pem').exists()
