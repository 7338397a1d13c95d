#!/usr/bin/env python3
"""`meson install` puts everything where the command finds it, whatever the folders, and uninstalling leaves nothing.

usage: install.py SOURCE WORK [OPTION...]

Copies the sources into WORK and builds library and command there once, with these options of meson (those of another build,
so that ccache has its objects), then configures several prefixes and library folders. Each is installed, used, moved, installed below DESTDIR, used there, and uninstalled.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Below the prefix, or absolute: then the command knows the whole path, and cannot be moved.
LIBRARY_FOLDERS = ['lib64', 'lib/x86_64-linux-gnu', 'lib', 'lib/a/place/of/its/own', '{outside}/lib']


def output_of(*words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith('CLOCKSHIM_') and name != 'LD_PRELOAD'}
    environment.update(more)
    done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{" ".join(map(str, words))}: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}')
    return done.stdout


def expect(what, condition):
    if not condition:
        raise RuntimeError(f'not so: {what}')


def use(prefix, library, temp):
    """The command below `prefix` finds the library and serves a program by it; doctor names a page that is there."""
    report = temp / 'report.json'
    report.unlink(missing_ok=True)
    output_of(prefix / 'bin/clockshim', 'run', '--report', report, '--', 'date')
    expect(f'{library} has served date', json.loads(report.read_text())['clocks']['realtime']['calls'] > 0)
    expect(f'{library} is there', library.exists())
    # A command that has just been built without optimisation may find the clock slow: that is status 1.
    doctor = subprocess.run([prefix / 'bin/clockshim', 'doctor', '--quick'], capture_output=True, text=True, check=False).stdout
    page = re.search(r'what else would help \((.*)\)', doctor)
    expect(f'doctor names a page below {prefix}', not page or page[1] == str(prefix / 'share/doc/clockshim/slow-clocks.md'))


def installed(prefix, source):
    """What has to be there besides command and library."""
    share = prefix / 'share'
    pages = {page.name for pattern in ('*.md', '*.json') for page in (source / 'docs').glob(pattern)}
    for name in ['man/man1/clockshim.1', 'bash-completion/completions/clockshim', 'zsh/site-functions/_clockshim',
                 'fish/vendor_completions.d/clockshim.fish', *(f'doc/clockshim/{page}' for page in sorted(pages))]:
        expect(f'{share / name} is there', (share / name).is_file())
    for page in (share / 'doc/clockshim').rglob('*.md'):
        for link in re.findall(r'\]\(([^)#\s]+)', page.read_text(encoding='utf-8')):
            # The sources, and the project's own pages, are not installed.
            ours = '://' in link or link.startswith(('../', '../../')) and not (source / 'docs' / page.parent / link).resolve().is_relative_to(prefix)
            expect(f'{page}: the link {link} leads somewhere', ours or (page.parent / link).exists())


def check_units(prefix):
    """systemd finds nothing wrong with the units, which start the command of this prefix."""
    units = prefix / 'lib/systemd/system'
    service = (units / 'clockshim-counters.service').read_text()
    expect('the unit starts the command', f'\nExecStart={prefix}/bin/clockshim doctor --save\n' in service)
    if shutil.which('systemd-analyze'):
        for unit in ('clockshim-counters.service', 'clockshim-counters.timer'):
            done = subprocess.run(['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', units / unit], capture_output=True, text=True,
                                  env={**os.environ, 'SYSTEMD_UNIT_PATH': f'{units}:', 'SYSTEMD_LOG_TARGET': 'console'}, check=False)
            expect(f'{unit} is right: {done.stderr}', 'clockshim' not in done.stderr)


def files_below(folder):
    return [str(path) for path in folder.rglob('*')] if folder.exists() else []


def try_folder(source, build, folder, temp):
    prefix, outside, destdir = temp / 'prefix', temp / 'outside', temp / 'destdir'
    folder = folder.format(outside=outside)
    output_of('meson', 'configure', build, f'--prefix={prefix}', f'--libdir={folder}')
    output_of('meson', 'install', '-C', build, '--quiet')
    library = prefix / folder / 'libclockshim.so'  # the absolute one alone, if it is that
    use(prefix, library, temp)
    installed(prefix, source)
    check_units(prefix)
    if not os.path.isabs(folder):
        moved = temp / 'moved'
        prefix.rename(moved)
        use(moved, moved / folder / 'libclockshim.so', temp)
        moved.rename(prefix)
    output_of('ninja', '-C', build, 'uninstall')
    expect(f'nothing is left of {folder}: {files_below(prefix) + files_below(outside)}', not files_below(prefix) + files_below(outside))
    output_of('meson', 'install', '-C', build, '--quiet', '--no-rebuild', DESTDIR=str(destdir))
    below = destdir / prefix.relative_to('/')
    if not os.path.isabs(folder):
        use(below, below / folder / 'libclockshim.so', temp)
    output_of('ninja', '-C', build, 'uninstall')
    left = [path for path in files_below(destdir) if not os.path.isdir(path)]
    expect(f'nothing is left below DESTDIR: {left}', not left)


def main(source, work, *options):
    tree, build = work / 'tree', work / 'tree/build'
    for name in ('src', 'docs', 'scripts'):
        shutil.copytree(source / name, tree / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('meson.build', 'meson_options.txt', 'CHANGELOG.md', 'LICENSE'):
        shutil.copy2(source / name, tree)
    if not (build / 'build.ninja').exists():
        output_of('meson', 'setup', build, tree, *options, '-Dtests=false')
    try:
        for folder in LIBRARY_FOLDERS:
            with tempfile.TemporaryDirectory() as temp:
                try_folder(source, build, folder, pathlib.Path(temp).resolve())
            print(f'{folder}: installed, used, moved, uninstalled')
    except RuntimeError as error:
        print(error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), *sys.argv[3:]))
