"""Attestation over HTTP: the agent on a TPM with an EK certificate (swtpm, SIMULATED), on a software root and on a
PKCS#11 token; a device that lies; a TPM that lies."""
import base64
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from harness import Agent, Device, Gate, Tpm, TpmMaker, key_id, need, run, spki, until, words

MISSING = need('swtpm', 'swtpm_setup', 'swtpm_localca', 'tpm2_getcap')
tpms = pytest.mark.skipif(bool(MISSING), reason=f'{MISSING} is not installed')
SOFTHSM = next((p for p in ('/usr/lib/softhsm/libsofthsm2.so',
                            '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so') if os.path.exists(p)), None)


@pytest.fixture(scope='module')
def maker(gate, tmp_path_factory):
    """Its CAs are believed, as SIMULATED."""
    one = TpmMaker(tmp_path_factory.mktemp('maker'))
    one.manufacture(tmp_path_factory.mktemp('first'))
    for path in one.cas():
        gate.cli('attest', 'trust', path, '--simulated')
    return one


@pytest.fixture
def tpm(maker, tmp_path):
    one = Tpm(tmp_path / 'tpm', maker)
    yield one
    one.stop()


def on(gate, folder, tpm=None, device=None, rot=None):
    """An agent with both identities."""
    one = Agent(gate, folder, device or gate.new_id('ATT'), rot)
    if tpm:
        one.rot = f'tpm2:dir={one.state}/tpm,tcti={tpm.tcti}'
    one.put_secret(gate.json('device', 'secret', device)['secret'] if device else gate.register(one.id)[1])
    one.enrol()
    return one


def attest(agent):
    done = agent.do('attest', '--json', check=False)
    assert done.returncode in (0, 1) and done.stdout, words(done)
    return json.loads(done.stdout)


def shown(agent):
    row = agent.gate.json('device', 'show', agent.id)
    return row['attestation'], row['attestation_reason'], row['assurance_level']


# --- what stands where -----------------------------------------------------------------------------

@tpms
def test_a_tpm_is_bound_and_trusted(gate, tpm, tmp_path):
    one = on(gate, tmp_path / 'agent', tpm)
    assert shown(one) == ('none', 'no_round', 'AL0')
    said = attest(one)
    assert (said['verdict'], said['level'], said['simulated']) == ('trusted', 3, True)
    assert shown(one) == ('trusted', 'ok', 'AL3 SIMULATED')
    one.do('renew', '--force')  # a new key: it is certified in the next round
    assert attest(one)['verdict'] == 'trusted'
    types = [entry['type'] for _, entry in gate.log_entries() if one.id in json.dumps(entry)]
    assert types.count('attest.enrolled') == 1 and types.count('attest.trusted') == 1


def test_a_software_root_is_at_the_lowest_level(gate, tmp_path):
    one = on(gate, tmp_path / 'agent')
    assert attest(one)['verdict'] == 'trusted'
    assert shown(one) == ('trusted', 'ok', 'AL0')
