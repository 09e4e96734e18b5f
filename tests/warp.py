"""A fleet in simulated weeks: keywrightd, its keeper and the agents in a time that this program moves (tests/tools/warp.c).

Nothing moves the time while agents work: however slow the machine is, nobody is late for that.
"""
import csv
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import time

from cryptography import x509
from harness import BUILD, KEEPER, KEYWRIGHT, SOURCE, Gate, run

WARP, FLEET = BUILD / 'tests/tools/warp.so', BUILD / 'tests/tools/fleet'
HOUR_S, DAY_S = 3600, 86400
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: our own clock stays in the present


class Clock:
    """What all the programs below take for the time."""

    def __init__(self, folder, unix_s=None):
        self.path = folder / 'clock'
        self.path.write_bytes(bytes(8))
        with open(self.path, 'r+b') as file:
            self.map = mmap.mmap(file.fileno(), 8)
        self.env = {'LD_PRELOAD': str(WARP), 'WARP_CLOCK': str(self.path)}
        self.ahead_s = 0
        if unix_s is not None:
            self.pass_s(unix_s - time.time())

    def pass_s(self, seconds):
        self.ahead_s += int(seconds)
        self.map[:] = struct.pack('=q', self.ahead_s)

    def now_s(self):
        return time.time() + self.ahead_s


class WarpGate(Gate):
    """A real server, keeper and CLI in the clock's time."""

    def __init__(self, folder, clock, *options):
        self.clock = clock
        folder.mkdir(parents=True, exist_ok=True)
        self.keeper = folder / 'keeper'  # a keeper's environment is not its caller's
        words = ' '.join(f"{name}='{value}'" for name, value in clock.env.items())
        self.keeper.write_text(f'#!/bin/sh\nexport {words}\nexec {KEEPER} "$@"\n')
        self.keeper.chmod(0o755)
        super().__init__(folder, *options, env=clock.env)

    def context(self, *args, **kwargs):
        context = super().context(*args, **kwargs)
        context.verify_flags |= NO_CHECK_TIME
        return context

    def cli(self, *args, check=True, timeout=60, who=None):
        admin = self.state / (f'admin-{who}' if who else 'admin')
        return run(KEYWRIGHT, *args, check=check, timeout=timeout,
                   env={'KEYWRIGHT_ADMIN': str(admin), **self.env})

    def pages(self, path):
        """All items of a list."""
        items, after = [], ''
        while True:
            reply = self.operators_get(f'{path}&max=100{after}')
            assert reply.status == 200, reply
            page = json.loads(reply.body)
            items += page['items']
            if not page.get('next'):
                return items
            after = '&after=' + page['next']


def profiles_with_life(folder, days):
    """Our profiles, but for the LDevID's life."""
    shutil.copytree(SOURCE / 'profiles', folder)
    path = folder / 'ldevid.yaml'
    text = path.read_text('utf-8')
    assert 'validity_hours: 2160' in text
    path.write_text(text.replace('validity_hours: 2160', f'validity_hours: {days * 24}'), 'utf-8')
    return folder


class Fleet:
    """Agents in some processes, a step at a time."""

    def __init__(self, gate, folder, units, seed, days, hello_s, workers=2):
        self.gate, self.processes = gate, []
        for i in range(workers):
            mine, place = folder / f'units-{i}', folder / f'agents-{i}'
            mine.write_text(''.join(f'{device},{secret}\n' for device, secret in units[i::workers]))
            place.mkdir()
            with open(folder / f'agents-{i}.log', 'ab') as log:
                self.processes.append(subprocess.Popen(
                    [FLEET, gate.url('devices'), gate.root, mine, place, str(seed * workers + i), str(days),
                     str(hello_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
                    env=dict(os.environ, **gate.clock.env)))

    def tell(self, order):
        for process in self.processes:
            process.stdin.write(order + '\n')
            process.stdin.flush()

    def step(self, up_since_s, down_since_s, meanwhile=lambda: None):
        self.tell(f'step {int(up_since_s)} {int(down_since_s)}')
        meanwhile()
        for process in self.processes:
            assert process.stdout.readline() == 'done\n', f'a fleet has ended: {process.wait()}'

    def judge(self):
        """What each agent became."""
        self.tell('judge')
        agents = []
        for process in self.processes:
            for line in iter(process.stdout.readline, 'end\n'):
                agents.append(json.loads(line))
        return agents

    def end(self):
        for process in self.processes:
            process.stdin.close()
        assert [process.wait(60) for process in self.processes] == [0] * len(self.processes)


class Plan:
    """What happens to the server, by a seed: restarts, kills in the midst of work, hours and days without it."""

    def __init__(self, seed, days, step_h, outages_h, restarts, kills):
        choice = random.Random(seed)
        spots = choice.sample(range(5 * step_h, days * 24 - 72, 30 * step_h), len(outages_h) + restarts + kills)
        self.events = {}
        for hours in outages_h:
            start = spots.pop()
            self.events[start], self.events[start + hours] = 'down', 'up'
        for kind, n in (('restart', restarts), ('kill', kills)):
            for _ in range(n):
                self.events[spots.pop()] = kind
        self.delays = [choice.random() for _ in range(16)]


class Story:
    """The whole: a server, a fleet and what happens to both."""

    def __init__(self, folder, agents, days, life_days, seed, outages_h=(), restarts=0, kills=0, begin_s=None,
                 hello_s=DAY_S, step_h=1, workers=2):
        self.folder, self.days, self.step_h = folder, days, step_h
        self.clock = Clock(folder, begin_s)
        self.gate = WarpGate(folder / 'gate', self.clock, '--profiles', profiles_with_life(folder / 'profiles', life_days))
        self.gate.start()
        self.plan = Plan(seed, days, step_h, outages_h, restarts, kills)
        self.up_s, self.down_s = self.clock.now_s(), 0
        self.seconds = 0
        self.fleet = Fleet(self.gate, folder, self.register(agents), seed, days, hello_s, workers)

    def register(self, n):
        lines, out = self.folder / 'units.csv', self.folder / 'secrets.csv'
        lines.write_text('id,serial,product,batch\n' + ''.join(f'W-{i:05},S-{i:05},meter-1,B\n' for i in range(n)))
        self.gate.cli('device', 'import', lines, '--secrets', out, timeout=600)
        return list(csv.reader(out.open()))

    def happen(self, what):
        if what == 'down':
            self.gate.stop()
            self.up_s, self.down_s = 0, self.clock.now_s()
        elif what in ('up', 'restart'):
            self.gate.stop()
            self.gate.start()
            self.up_s = self.clock.now_s() if what == 'up' else self.up_s

    def kill(self):
        """While agents are at work."""
        time.sleep(self.plan.delays.pop() / 10)
        self.gate.kill()
        self.gate.start()

    def live(self, tell=lambda line: None):
        began = time.monotonic()
        for hour in range(0, self.days * 24, self.step_h):
            self.clock.pass_s(self.step_h * HOUR_S)
            what = self.plan.events.get(hour)
            self.happen(what)
            if what:
                tell(f'day {hour / 24:.1f}: {what}')
            self.fleet.step(self.up_s, self.down_s, self.kill if what == 'kill' else lambda: None)
            if hour % 24 == 0:
                tell(f'day {hour // 24} after {time.monotonic() - began:.0f} s')
        self.agents = self.fleet.judge()
        self.seconds = time.monotonic() - began
        self.fleet.end()
        return self

    def registry(self):
        """What the server knows: each device's LDevIDs by their fingerprints."""
        known = {}
        for cert in self.gate.pages('/api/v1/certs?profile=ldevid'):
            known.setdefault(cert['owner'].removeprefix('device:'), {})[cert['fingerprint']] = cert
        return known

    def faults(self):
        """Whatever went wrong, one line each."""
        found, known = [], self.registry()
        seen = [cert for agent in self.agents for cert in agent['certs']]
        if len(seen) != len(set(seen)):
            found.append('two agents have one certificate')
        for agent in self.agents:
            mine = known.get(agent['id'], {})
            held = mine.get(agent['certs'][-1] if agent['certs'] else None)
            for bad, why in ((not agent['answers'], 'does not answer'), (agent['late'], 'renewed late'),
                             (agent['early'], 'renewed long before it was due'),
                             (agent['stranded'], f"was stranded at {agent['stranded']} steps"),
                             (not held or held['state'] != 'valid', 'holds what the registry does not know as valid'),
                             (held and max(cert['not_after'] for cert in mine.values()) != held['not_after'],
                              'holds another than the last that was issued'),
                             (set(agent['certs']) - set(mine), 'had a certificate that the registry does not know')):
                if bad:
                    found.append(f"{agent['id']} (life {agent['life']}, away {agent['away']}): {why}")
        return found

    def words(self):
        """What agents complained of, the end of it."""
        return '\n'.join(path.read_text()[-2000:] for path in sorted(self.folder.glob('agents-*.log')))

    def unused(self):
        """Issued, and ended before the agent asked for it again."""
        return sum(map(len, self.registry().values())) - sum(len(agent['certs']) for agent in self.agents)

    def figures(self):
        def total(name):
            return sum(agent[name] for agent in self.agents)
        lead = min(agent['lead_s'] for agent in self.agents)
        return (f"{len(self.agents)} agents, {self.days} days: {total('enrolments')} enrolments, {total('renewals')} renewals, "
                f"{total('hellos')} heartbeats, {total('kills')} killed in the midst, {total('boots')} boots, "
                f"{sum(agent['away'] > 0 for agent in self.agents)} away for 25 days; {self.seconds:.0f} s; "
                f"worst lead before the end {lead / DAY_S:.2f} days, worst lag {max(a['lag_s'] for a in self.agents) / HOUR_S:.1f} h; "
                f"issued and never taken: {self.unused()}; stranded: {sum(a['stranded'] > 0 for a in self.agents)}, renewed late: {sum(a['late'] > 0 for a in self.agents)}")
