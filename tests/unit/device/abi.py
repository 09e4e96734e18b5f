#!/usr/bin/python3
"""libkeywright.so.1 offers the functions of include/keywright and nothing else (but private ones to
its own modules and agent, under a version of that one build), each header
compiles alone (as C, and as C++ where g++ is there), and keywright.h includes them all.

  abi.py LIBRARY INCLUDE_DIR CC...
"""
import pathlib
import re
import shutil
import subprocess
import sys


def exported(library):
    out = subprocess.run(['nm', '-D', '--defined-only', library], check=True, capture_output=True,
                         text=True).stdout
    names = {line.split()[-1] for line in out.splitlines() if ' A ' not in line}
    private = {name for name in names if '@@KEYWRIGHT_PRIVATE_' in name and not name.startswith('keywright_')}
    return names - private


def declared(headers):
    names = set()
    for header in headers:
        for text in re.findall(r'^KEYWRIGHT_API ([^;]*);', header.read_text(), re.M):
            names.add(re.search(r'\b(keywright_\w+)\(', text)[1])
    return names


def compiles(include, header, cc, language):
    source = f'#include <keywright/{header.name}>\n'
    return subprocess.run([*cc, '-x', language, '-fsyntax-only', '-Wall', '-Wextra', '-Werror',
                           '-pedantic', '-I', include, '-'], input=source, text=True,
                          check=False).returncode == 0


def silent_on_errors(headers):
    """Functions that can fail and whose comment does not say how."""
    item = re.compile(r'(/\*(?:(?!\*/).)*\*/)\s*KEYWRIGHT_API enum keywright_result (\w+)\(', re.S)
    said = {name for header in headers for comment, name in item.findall(header.read_text())
            if 'Errors' in comment}
    failing = {name for header in headers
               for name in re.findall(r'KEYWRIGHT_API enum keywright_result (\w+)\(', header.read_text())}
    return sorted(failing - said)


def main():
    library, include, *cc = sys.argv[1:]
    headers = sorted(pathlib.Path(include, 'keywright').glob('*.h'))
    wanted = {name + '@@KEYWRIGHT_1' for name in declared(headers)}
    found = exported(library)
    faults = [f'not exported: {name}' for name in sorted(wanted - found)]
    faults += [f'exported, but in no header: {name}' for name in sorted(found - wanted)]
    languages = ['c', 'c++'] if shutil.which('g++') else ['c']
    faults += [f'{header.name} does not compile alone as {language}' for header in headers
               for language in languages if not compiles(include, header, cc, language)]
    all_of_them = pathlib.Path(include, 'keywright/keywright.h').read_text()
    faults += [f'keywright.h does not include {header.name}' for header in headers
               if header.name != 'keywright.h' and f'<keywright/{header.name}>' not in all_of_them]
    faults += [f'{name}(): its comment does not tell its errors' for name in silent_on_errors(headers)]
    for fault in faults:
        print(fault)
    print(f'{len(found)} functions, {len(headers)} headers')
    return 1 if faults or not found else 0


if __name__ == '__main__':
    sys.exit(main())
