#!/usr/bin/env python3
"""What the shells complete is what the command takes.

usage: completions.py COMMAND FOLDER
       completions.py COMMAND FOLDER --self-test   plants mistakes in copies of the completions, and sees that each is found

COMMAND is a built clockshim, FOLDER has the completions. Each shell that is installed is asked what it would offer for each
command and each option. The options are compared with --help, the formats with `report --help`, and the values with the
command itself, which has to take each of them. A shell that is not installed is named; without bash the test is skipped.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BASH = '. "$FOLDER/clockshim.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _clockshim; printf "%s\\n" "${COMPREPLY[@]}"'
# Outside of zsh's line editor, its functions say what they were given.
ZSH = '''compadd() { [[ $1 != -- ]] || shift; print -rl -- "$@" }; _files() { }; _message() { }; _command_names() { }
_normal() { print -l -- "a command of its own: $words" }; words=("$@"); CURRENT=$#; set --; source "$FOLDER/_clockshim"'''
FISH = 'source "$FOLDER/clockshim.fish"; complete -C "$argv" | string replace -r "\\t.*" ""'
# One line of each command, up to where a word is missing, and what must be offered.
VALUES = {
    '--counters': {'auto', 'agree', 'disagree'}, '--order': {'strict', 'relaxed'}, '--profile': {'sites', 'stacks', 'off'},
    '--depth': set('0123456'), '--clocks': {'all', 'realtime', 'monotonic', 'monotonic_raw', 'boottime', 'tai'},
    '--follow': {'0', '1'}, '--log': {'off', 'error', 'warn', 'info', 'debug'}, '--report': {'stderr', 'none'},
}


def lines(text):
    return {line.strip() for line in text.splitlines()} - {''}


# A program's name is whatever its owner likes: a shell must not run what stands in it.
NAME = 'odd $(touch planted) `touch planted` name'


class Served:
    """A program that reads the clock under the shim, and stays until it is told to end."""

    def __init__(self, command, folder):
        # Python finds its library from where its program is; PYTHONHOME says it for a copy.
        program = folder / NAME
        shutil.copy(os.path.realpath(sys.executable), program)
        self.process = subprocess.Popen(
            [command, 'run', '--dir', folder / 'live', '--report', 'none', program, '-S', '-c',
             'import sys, time; print(time.time(), flush=True); sys.stdin.read()'],
            env={**os.environ, 'PYTHONHOME': sys.base_prefix}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        self.process.communicate()


class Shells:
    """The shells that are installed, each a function from the words of a command line to what is offered."""

    def __init__(self, command, folder, empty):
        self.environment = {**os.environ, 'FOLDER': str(folder), 'PATH': f'{command.parent}:{os.environ["PATH"]}',
                            'HOME': str(empty / 'home'), 'CLOCKSHIM_DIR': str(empty / 'none')}
        for name in ('XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'ZDOTDIR'):
            self.environment.pop(name, None)
        self.empty = empty / 'empty'
        for name in ('home', 'empty'):
            (empty / name).mkdir()
        self.known = {'bash': lambda words: ['bash', '--norc', '-c', BASH, 'bash', *words],
                      'zsh': lambda words: ['zsh', '-f', '-c', ZSH, 'zsh', *words],
                      'fish': lambda words: ['fish', '--no-config', '-c', FISH, ' '.join(words)]}
        self.missing = [name for name in self.known if not shutil.which(name)]

    def offer(self, shell, *words, **variables):
        """What the shell would offer for the last of the words."""
        done = subprocess.run(self.known[shell](['clockshim', *words]), env={**self.environment, **variables}, cwd=self.empty, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return lines(done.stdout) | {f'error: {line}' for line in lines(done.stderr)}


# Mistakes of each file, whose finding is the self-test.
PLANTED = [('strict relaxed', 'strict'), ('auto agree disagree', 'auto agree disagree maybe'), ("--[a-z-]+", "--[b-z-]+"),
           ('([a-z]+) +[a-z]', '([e-z]+) +[a-z]'),
           ('([a-z]+) +[a-z]', '([a-z]+) +[A-Z]')]
# How each shell tells an option from the command of run, and finds processes.
PLANTED_OF = {
    'zsh': [('-?*', '?*'), ('(pid|program)', '(pid|file)'), ('pid=,comm=', 'pid=')],
    'bash': [('-?*', '?*'), ('(pid|program)', '(pid|file)'), ('pid=,comm=', 'pid='),
             ('_clockshim_processes "$current")', 'compgen -W "$(_clockshim_processes "$current")" -- "$current")')],
    'fish': [("-- '^-.'", "-- '^.'"), ('(?:pid|program)', '(?:program)'), ('pid=,comm=', 'pid=')],
}


def violations(command, folder, only=None):
    """Returns what is wrong (with one shell), and the shells that are not there."""
    errors = []

    def output_of(*words):
        return subprocess.run([command, *words], capture_output=True, text=True, check=True).stdout

    def compare(what, offered, expected):
        if offered != expected:
            errors.append(f'{what}: offered {sorted(offered)}, expected {sorted(expected)}')

    # The lines of usage, which no completion reads: what --help looks like can't empty both sides of the comparison.
    commands = set(re.findall(r'^(?:usage: | +)clockshim ([a-z]+) ', output_of('--help'), re.M))
    options = {name: set(re.findall(r'^  (?:-h,)?(--[a-z-]+)', output_of(name, '--help'), re.M)) for name in commands}
    formats = set(re.findall(r'^  ([a-z]+) +[a-z]', output_of('report', '--help').partition('Formats:')[2], re.M))
    with tempfile.TemporaryDirectory() as empty:
        shells = Shells(command, folder, pathlib.Path(empty))
        for shell in [only] if only else set(shells.known) - set(shells.missing):
            compare(f'{shell}, commands', shells.offer(shell, '') - {'--help', '--version'}, commands)
            for name in sorted(commands):
                compare(f'{shell}, {name}', shells.offer(shell, name, '--') - {'--'}, options[name])
            compare(f'{shell}, formats', shells.offer(shell, 'report', '--format', ''), formats)
            for option, values in VALUES.items():
                compare(f'{shell}, {option}', shells.offer(shell, 'run', option, ''), values)
            for ours in [], ['--'], ['--order', 'strict'], ['--order', 'strict', '--']:
                behind = shells.offer(shell, 'run', *ours, 'tru')
                if not behind & {'true', 'a command of its own: tru'}:
                    errors.append(f'{shell}, behind {ours}: offered {sorted(behind)[:5]}')
            if shells.offer(shell, 'run', 'printf', '--') & (options['run'] - {'--help'}):
                errors.append(f'{shell}, behind a command: offered the options of run')
        with Served(command, pathlib.Path(empty)):
            live = pathlib.Path(empty) / 'live'
            number = ''.join(file.name.partition('-')[0] for file in live.iterdir())
            for shell in [only] if only else set(shells.known) - set(shells.missing):
                for name in 'report', 'top', 'diff', 'detach', 'attach':
                    offered = shells.offer(shell, name, '', CLOCKSHIM_DIR=str(live))
                    # The kernel keeps the first 15 characters of a name.
                    expected = {number, NAME[:15].rstrip() if name == 'attach' else NAME}
                    if not expected <= offered:
                        errors.append(f'{shell}, {name}: offered {sorted(offered)}, expected {sorted(expected)}')
                if (shells.empty / 'planted').exists():
                    errors.append(f'{shell}: has run what stands in a name')
                    (shells.empty / 'planted').unlink()
    for option, values in () if only else VALUES.items():
        for value in sorted(values - {'stderr'}):
            done = subprocess.run([command, 'run', option, value, '--log', 'error', '--', 'true'], capture_output=True, text=True, check=False)
            if done.returncode:
                errors.append(f'{option} {value}: {done.stderr.strip()}')
    return errors, shells.missing


def self_test(command, folder):
    errors = []
    for file in sorted(folder.iterdir()):
        shell = {'_clockshim': 'zsh'}.get(file.name) or file.suffix[1:]
        for right, wrong in [*PLANTED, *PLANTED_OF[shell]] if shutil.which(shell) else []:
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(folder, copy, dirs_exist_ok=True)
                text = file.read_text(encoding='utf-8')
                (pathlib.Path(copy) / file.name).write_text(text.replace(right, wrong), encoding='utf-8')
                found = violations(command, pathlib.Path(copy), shell)[0]
            if right not in text or not found or not all(line.startswith(shell) for line in found):
                errors.append(f'{file.name}: "{wrong}" for "{right}": found {found}')
    return errors, []


def main(command, folder, *rest):
    errors, missing = (self_test if rest == ('--self-test',) else violations)(command, folder)
    for shell in missing:
        print(f'{shell} is not installed')
    print(f'{len(errors)} errors', *errors, sep='\n')
    return 77 if 'bash' in missing else 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), *sys.argv[3:]))
