#!/usr/bin/python3
"""libkeywright stays small, and loads nothing that a device with a software key does not need.

  size.py LIBRARY MODULE...
"""
import pathlib
import re
import subprocess
import sys

KIB = 1024
# .text: machine code. "all": the text column of size(1), which counts constants and the tables of
# the dynamic linker too.
LIMITS = {'libkeywright': {'.text': 150 * KIB, 'all': 232 * KIB},
          'libkeywright-tpm2': {'.text': 48 * KIB, 'all': 64 * KIB},
          'libkeywright-pkcs11': {'.text': 48 * KIB, 'all': 64 * KIB}}
NEEDED = {'libjansson', 'libcrypto', 'libssl', 'libhttp_parser', 'libc', 'ld-linux-x86-64', 'libpthread'}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sizes(path):
    table = dict(re.findall(r'^(\.\S+)\s+(\d+)', output('size', '-A', path), re.M))
    return {'.text': int(table['.text']), 'all': int(output('size', path).split()[6])}


def main():
    faults = []
    for path in sys.argv[1:]:
        name = pathlib.Path(path).name.split('.so')[0]
        for what, size in sizes(path).items():
            limit = LIMITS[name][what]
            print(f'{name:20} {what:6} {size / KIB:6.1f} KiB of {limit / KIB:.0f}')
            faults += [f'{name}: {what} is over its limit'] if size > limit else []
    found = set(re.findall(r'\(NEEDED\).*\[([\w-]+)', output('readelf', '-d', sys.argv[1])))
    print('libkeywright needs', ' '.join(sorted(found)))
    faults += [f'libkeywright needs {name}' for name in sorted(found - NEEDED)
               if not name.startswith('ld-')]
    print('\n'.join(faults))
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
