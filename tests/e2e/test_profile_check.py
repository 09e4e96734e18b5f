"""profile check tells what a request would become, by the code that issues; it signs and records nothing."""
import json
import re

from harness import BUILD, SOURCE, new_key, run, words
from test_issue import csr_file, issue


def check(gate, folder, profile, *options, key=None, san=(), common_name='whoever'):
    path = csr_file(folder, key or new_key(), common_name=common_name, san=san)
    done = gate.cli('profile', 'check', '--profile', profile, '--csr', path, '--json', *options, check=False)
    assert done.returncode == 0, words(done)
    lines = json.loads(done.stdout)['items']  # a refusal is told beside what the field would be
    return {line['field']: line for line in sorted(lines, key=lambda line: line['verdict'] == 'refused')}


def test_what_it_says_is_what_is_issued(gate, tmp_path):
    key, before = new_key(), gate.counts()
    lines = check(gate, tmp_path, 'tls-server', '--name', 'broker', '--san', 'dns:localhost', key=key, san=('evil.example',))
    assert gate.counts() == before, 'nothing was issued'
    assert lines['san']['gets'] == 'dns:localhost' and lines['san']['asked'] == 'dns:evil.example'
    assert lines['san']['verdict'] == 'replaced' and lines['subject']['asked'] == 'CN=whoever'
    assert lines['ca']['gets'] == 'end entity' and lines['sealed_rule']['verdict'] == 'set'
    assert all(line['rule'] and line['source'] for line in lines.values())
    cert = issue(gate, tmp_path, 'tls-server', 'broker', '--san', 'dns:localhost', key=key)
    assert lines['subject']['gets'] == gate.json('cert', 'list', '--owner', 'server:broker')['items'][0]['subject']
    assert (cert.not_valid_after - cert.not_valid_before).days == 90


def test_every_refusal_is_told_at_once(gate, tmp_path):
    key = new_key()
    issue(gate, tmp_path, 'user', 'somebody', key=key)
    lines = check(gate, tmp_path, 'tls-server', '--name', 'gate', key=key)
    refused = {field for field, line in lines.items() if line['verdict'] == 'refused'}
    assert {'name', 'san_required', 'key'} <= refused
    done = gate.cli('profile', 'check', '--profile', 'tls-server', '--name', 'gate', '--csr', tmp_path / 'request.csr',
                    check=False)
    assert done.returncode == 1 and 'would be refused' in words(done) and 'used before' in words(done)


def test_of_a_device(gate, tmp_path):
    device, _ = gate.register()
    lines = check(gate, tmp_path, 'ldevid', '--device', device, common_name=device)
    assert f'CN={device}' in lines['subject']['gets'] and lines['eku']['gets'] == '1.3.6.1.5.5.7.3.2'
    assert not [line for line in lines.values() if line['verdict'] == 'refused']
    lines = check(gate, tmp_path, 'idevid', '--device', device, common_name='somebody-else')
    assert 'somebody-else' in lines['subject']['gets'] and lines['subject']['verdict'] == 'refused'
    assert gate.json('cert', 'list', '--owner', f'device:{device}')['items'] == []


def test_unknown_objects(gate, tmp_path):
    path = csr_file(tmp_path, new_key())
    for options in (('--profile', 'nothing', '--name', 'x'), ('--profile', 'ldevid', '--device', 'NOBODY'),
                    ('--profile', 'ldevid', '--name', 'x'), ('--profile', 'ldevid')):
        assert gate.cli('profile', 'check', '--csr', path, *options, check=False).returncode != 0


def test_the_page_has_the_programs_tables():
    """docs/PROFILES.md is what this program reads and refuses: tools/profile-docs writes it anew."""
    done = run(SOURCE / 'tools/profile-docs', '--build', BUILD, '--check', check=False)
    assert done.returncode == 0, done.stdout


def test_the_page_names_every_trade():
    page = (SOURCE / 'docs/PROFILES.md').read_text('utf-8')
    rows = dict(re.findall(r'^\| ([a-z]+) \| ([a-z0-9, -]+) \|', page.partition('## Trades')[2], re.M))
    for folder in (SOURCE / 'profiles/verticals').iterdir():
        assert rows[folder.name].split(', ') == sorted(path.stem for path in folder.glob('*.yaml')), folder.name
