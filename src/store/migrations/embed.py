#!/usr/bin/python3
"""Turn numbered .sql files into one C header: embed.py OUT.h 0001_name.sql 0002_…"""
import pathlib
import sys

LINES = ['/* Made by embed.py from the .sql files beside it. */',
         'static const struct migration migrations[] = {']
for place, name in enumerate(sorted(sys.argv[2:], key=lambda arg: pathlib.Path(arg).name), 1):
    path = pathlib.Path(name)
    if int(path.name.split('_', 1)[0]) != place:
        sys.exit(f'{path.name}: expected number {place}')
    LINES.append(f'    {{{place},')
    for line in path.read_text(encoding='utf-8').splitlines():
        text = line.split('--', 1)[0].rstrip()
        if text:
            escaped = text.replace('\\', '\\\\').replace('"', '\\"')
            LINES.append(f'     "{escaped}\\n"')
    LINES.append('    },')
LINES.append('};')
pathlib.Path(sys.argv[1]).write_text('\n'.join(LINES) + '\n', encoding='utf-8')
