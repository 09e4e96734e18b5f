"""MCUboot's imgtool verifies an image that the keeper signed by its digest."""
import os
import subprocess

import pytest
from harness import BUILD, SOURCE

PROBE = BUILD / 'tests/unit/keeper/probe_firmware'
FORM = ('--header-size', '0x20', '--pad-header', '--align', '4', '--slot-size', '0x20000', '--version', '2.0.1',
        '--security-counter', '3')


@pytest.fixture(scope='module')
def imgtool():
    done = subprocess.run([SOURCE / 'tools/interop'], capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return f'{done.stdout.strip()}/imgtool'


def call(*args, good=True):
    env = {**os.environ, 'KW_BUILD_ROOT': str(BUILD)}
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, check=False, timeout=120, env=env)
    assert (done.returncode == 0) == good, done.stdout + done.stderr


@pytest.fixture(scope='module')
def signed(imgtool, tmp_path_factory):
    """image.bin, digest.bin, public.pem, signature.b64 and signed.bin in a folder."""
    folder = tmp_path_factory.mktemp('firmware')
    (folder / 'image.bin').write_bytes(bytes(range(256)) * 20)
    (folder / 'other.bin').write_bytes(bytes(range(256)) * 21)
    done = subprocess.run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
                          capture_output=True, check=True, timeout=30)
    (folder / 'any.pem').write_bytes(done.stdout)  # imgtool wants some key to know the kind of digest
    call(imgtool, 'sign', *FORM, '-k', folder / 'any.pem', '--vector-to-sign', 'digest', folder / 'image.bin',
         folder / 'digest.bin')
    call(PROBE, folder / 'digest.bin', '2.0.1', '3', folder / 'public.pem', folder / 'signature.b64')
    for name in ('image', 'other'):
        call(imgtool, 'sign', *FORM, '--fix-sig', folder / 'signature.b64', '--fix-sig-pubkey', folder / 'public.pem',
             folder / f'{name}.bin', folder / f'signed-{name}.bin')
    return folder


def test_imgtool_verifies_the_image(imgtool, signed):
    call(imgtool, 'verify', '-k', signed / 'public.pem', signed / 'signed-image.bin')


def test_imgtool_refuses_another_image(imgtool, signed):
    call(imgtool, 'verify', '-k', signed / 'public.pem', signed / 'signed-other.bin', good=False)
