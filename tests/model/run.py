#!/usr/bin/env python3
"""Checks the model of the publication protocol with spin: no error as it is, and the expected one with each guard taken away.

usage: run.py [NAME...]    NAME: only these cases; each line of output is one case
Exit status: 0 all as expected, 1 not, 2 no such case, 77 spin or a C compiler is missing (meson calls that a skip).
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().with_name('timeline.pml')
MEGABYTES = 900

# What each assertion's text has, the first that fits.
PROPERTIES = {'torn': 'its_word', 'gate': 'its_last_gate', 'named': 'head!=word', 'stuck': 'moved', 'backwards': '>=least',
              'counter': 'counter>=from'}


def threads(turns, other_turns, readers, *more):
    return [f'TURNS={turns}', f'OTHER_TURNS={other_turns}', f'READERS={readers}', *more]


# Scopes small enough to be searched to the end, and together with every pair of roles.
SOUND = {
    'two_writers': threads(2, 2, 0),
    'a_late_writer': threads(3, 1, 0),
    'longer_segments': threads(3, 1, 0, 'LENGTH=3'),
    'a_late_reader': threads(4, 0, 1),
    'from_nothing': threads(3, 0, 1, 'FRESH'),
    'two_writers_and_a_reader': threads(1, 1, 1),
}
# Each with the guard's name, the property that falls, and a scope in which it does. `switches`: only schedules with so few
# changes of thread, in a scope too large for all of them.
BROKEN = {
    'VERSION': ('torn', threads(4, 0, 1), None),         # read() does not look at the version
    'ORDER': ('torn', threads(4, 0, 1), None),           # the version is written behind the fields only
    'WRITING': ('torn', threads(3, 0, 1, 'FRESH'), None),  # ... and is 0 meanwhile, as is the word of who found nothing
    'USES': ('torn', threads(4, 0, 1), None),            # each use of a slot has the same word
    'CLAIM': ('named', threads(2, 2, 0), None),          # a slot is used that another writer is writing
    'NAMED': ('named', threads(3, 1, 0), None),          # a slot is used again without asking whether it is in use
    'FREEZE': ('gate', threads(3, 1, 0), None),          # the gate of a closed segment can be moved
    'GATE': ('gate', threads(3, 1, 0), None),            # the gate is moved whatever the version says
    'GET_ORDER': ('backwards', threads(3, 1, 0, 'LENGTH=3'), None),  # get() reads the gate before the version
    'FLOOR': ('backwards', threads(3, 3, 0), 3),         # begin() does not ask whether current was moved on meanwhile
    'HEAD': ('backwards', threads(3, 3, 0), 3),          # head is stored, not exchanged
    'CURRENT': ('named', threads(5, 1, 0), 4),           # current is stored, not exchanged
}


def search(folder, macros, switches):
    """Runs spin's search. Returns (name of the property that fell or '', states, what pan printed)."""
    subprocess.run(['spin', '-a', *(f'-D{m}' for m in macros), MODEL], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    bounded = ['-DBCS'] if switches else []
    subprocess.run(['cc', '-O1', '-w', '-DSAFETY', '-DCOLLAPSE', f'-DMEMLIM={MEGABYTES}', *bounded, '-o', 'pan', 'pan.c'],
                   cwd=folder, check=True)
    limits = ['-m100000', '-w22', '-n'] + ([f'-L{switches}'] if switches else [])
    out = subprocess.run(['./pan', *limits], cwd=folder, check=True, capture_output=True, text=True).stdout
    states = re.search(r'(\d+) states, stored', out)
    if error := re.search(r'^pan:1: (.*)', out, re.M):
        return next((name for name, text in PROPERTIES.items() if text in error[1]), error[1]), states[1], out
    complete = 'errors: 0' in out and 'not completed' not in out and 'too small' not in out
    return ('' if complete else 'incomplete'), states[1], out


def main(names):
    cases = {name: ('', macros, None) for name, macros in SOUND.items()}
    cases |= {f'BREAK_{name}': (fell, [*macros, f'BREAK_{name}'], switches) for name, (fell, macros, switches) in BROKEN.items()}
    for name in names:
        if name not in cases:
            print(f'run.py: no case named {name!r}; there are: {" ".join(cases)}', file=sys.stderr)
            return 2
    if not shutil.which('spin') or not shutil.which('cc'):
        print('run.py: spin and cc are needed: scripts/setup build test', file=sys.stderr)
        return 77
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or cases:
            expected, macros, switches = cases[name]
            fell, states, out = search(folder, macros, switches)
            good = fell == expected
            print(f'{"ok" if good else "WRONG"}: {name}: {fell or "no error"} ({states} states)', flush=True)
            if not good:
                wrong += 1
                print(f'  expected: {expected or "no error"}; to see it: spin -t -p -k timeline.pml.trail, with '
                      + ' '.join(f'-D{m}' for m in macros) + '\n' + out)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
