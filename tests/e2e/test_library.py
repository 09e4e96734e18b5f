"""The sample of docs/LIBRARY.md, compiled against what an installation has (pkg-config, headers, library), is a device."""
import re
import shutil

import pytest
from harness import BUILD, SOURCE, need, run


@pytest.fixture(name='installed', scope='module')
def as_installed(tmp_path_factory):
    """What `meson install` puts in place of the library, below a prefix of our own."""
    missing = need('cc', 'pkg-config')
    if missing:
        pytest.skip(f'{missing} is not installed')
    prefix = tmp_path_factory.mktemp('prefix')
    pc = (BUILD / 'meson-private/keywright.pc').read_text()
    lib = prefix / re.search(r'^libdir=\$\{prefix\}/(.*)$', pc, re.M)[1]
    (lib / 'pkgconfig').mkdir(parents=True)
    (lib / 'pkgconfig/keywright.pc').write_text(re.sub(r'^prefix=.*$', f'prefix={prefix}', pc, flags=re.M))
    shutil.copytree(SOURCE / 'include/keywright', prefix / 'include/keywright')
    for path in (BUILD / 'src/device/library').glob('libkeywright*.so*'):
        if not path.is_dir():
            shutil.copy2(path, lib / path.name)
    return lib


@pytest.fixture(name='device', scope='module')
def compiled(installed, tmp_path_factory):
    folder = tmp_path_factory.mktemp('sample')
    sample = re.search(r'```c\n(.*?)```', (SOURCE / 'docs/LIBRARY.md').read_text(), re.S)[1]
    (folder / 'device.c').write_text(sample)
    flags = run('pkg-config', '--cflags', '--libs', 'keywright', env={'PKG_CONFIG_PATH': str(installed / 'pkgconfig')})
    sanitizer = ['-fsanitize=address,undefined'] if 'asan' in run(
        'readelf', '-d', installed / 'libkeywright.so.1').stdout else []
    run('cc', '-std=c11', '-Wall', '-Wextra', '-Werror', *sanitizer, folder / 'device.c', *flags.stdout.split(), '-o',
        folder / 'device')
    return folder / 'device', str(installed)


def use(device, gate, state, id_, *secret, rot, check=True):
    program, lib = device
    return run(program, state, gate.url('devices'), id_, gate.root, *secret, check=check,
               env={'LD_LIBRARY_PATH': lib, 'ROOT_OF_TRUST': rot})


def test_a_device(gate, device, tmp_path):
    id_, secret = gate.register()
    rot = f'soft:dir={tmp_path}/keys'
    assert f'{id_} (AL0), certificate ' in use(device, gate, tmp_path / 'state', id_, secret, rot=rot).stdout
    again = use(device, gate, tmp_path / 'state', id_, rot=rot).stdout
    assert len(again.splitlines()[1].split('.')) == 3  # a compact JWS
    assert gate.json('device', 'show', id_)['state'] == 'active'


def test_a_module_is_loaded_for_a_tpm(gate, device, tpm, tmp_path):
    id_, secret = gate.register()
    rot = f'tpm2:dir={tmp_path}/tpm,tcti={tpm.tcti}'
    assert f'{id_} (AL3)' in use(device, gate, tmp_path / 'state', id_, secret, rot=rot).stdout


def test_wrong_secret(gate, device, tmp_path):
    id_, _ = gate.register()
    done = use(device, gate, tmp_path / 'state', id_, 'wrong-secret', rot=f'soft:dir={tmp_path}/keys', check=False)
    assert done.returncode == 2 and 'secret' in done.stderr, done
    assert done.stdout == ''
