#!/usr/bin/env python3
"""clang-tidy over src/, from meson's compile_commands.json. usage: tidy.py BUILD SRC [--changed]

--changed: only sources that differ from the branch main, or include a header that does. Outside of a git clone it is all of them.

The library is built by GCC only; flags that Clang doesn't know are taken out of a copy of the commands. (One of them,
-ffixed-rbp, changes what is compiled, not what is said about it, and with -mgeneral-regs-only Clang has no long double.)
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

GCC_ONLY = {'-ffixed-rbp', '-mgeneral-regs-only', '-fno-gnu-unique', '-fno-delete-null-pointer-checks', '-Wno-nonnull-compare'}


def git(folder, *words):
    """The lines that a git command prints; None if it fails."""
    done = subprocess.run(['git', '-C', folder, *words], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else None


def changed(files, src):
    """Those of `files` that differ from main, or include a header below `src` that does."""
    for base in ('origin/main', 'main', 'HEAD'):
        fork = git(src, 'merge-base', base, 'HEAD')
        if fork:
            break
    else:
        return files
    lines = (git(src, 'diff', '--relative', '--name-only', fork[0]) or []) + (git(src, 'ls-files', '-o', '--exclude-standard') or [])
    different = set(lines)
    headers = [f'#include "{name}"' for name in different if name.endswith('.h')]
    return [f for f in files if os.path.relpath(f, src) in different
            or any(h in pathlib.Path(f).read_text() for h in headers)]


def sources_in(compiled):
    """The sources of a batch (meson_options.txt), which meson includes in one; or the source itself."""
    if '-unity' not in compiled.name:
        return [compiled]
    return [pathlib.Path(os.path.normpath(compiled.parent / name)) if not name.startswith('/') else pathlib.Path(name).resolve()
            for name in re.findall(r'#include\s*[<"](.*?\.cpp)[>"]', compiled.read_text())]


def main():
    only_changed = '--changed' in sys.argv[3:]
    build, src = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    commands = []
    for entry in json.loads((build / 'compile_commands.json').read_text()):
        compiled = (pathlib.Path(entry['directory']) / entry['file']).resolve()
        for path in sources_in(compiled):
            if path.is_relative_to(src):
                words = [w for w in entry['command'].split() if w not in GCC_ONLY]
                commands.append({**entry, 'file': str(path), 'command': ' '.join([*words[:-1], str(path)])})
    files = sorted({c['file'] for c in commands})
    missing = {str(path) for path in src.rglob('*.cpp')} - set(files)
    if missing:
        sys.exit(f'not in {build}/compile_commands.json: {sorted(missing)}')
    if only_changed:
        files = changed(files, src)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / 'compile_commands.json').write_text(json.dumps(commands))

        def tidy(path):
            return subprocess.run(
                # The steps: Clang counts each slot of the timeline that constinit is to find zero.
                ['clang-tidy', '--quiet', '-p', folder, '--extra-arg=-Wno-unknown-warning-option',
                 '--extra-arg=-fconstexpr-steps=100000000',
                 # The analyzer's, a fifth of its default: it halves what fmt and JSON templates take, which are not ours.
                 '--extra-arg=-Xclang', '--extra-arg=-analyzer-config', '--extra-arg=-Xclang', '--extra-arg=max-nodes=45000', path],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            results = list(pool.map(tidy, files))
    failed = 0
    for path, result in zip(files, results):
        if result.returncode != 0:
            failed += 1
            print(result.stdout.strip() or f'{path}: clang-tidy: {result.stderr.strip()}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
