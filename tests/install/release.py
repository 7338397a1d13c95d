#!/usr/bin/env python3
"""scripts/release refuses what can't be released: each case is a repository of its own with one fault, or none.

usage: release.py SOURCE
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

GOOD = {'meson.build': "project('clockshim', 'cpp',\n  version: '1.2.3',\n", 'CHANGELOG.md': '# Changelog\n\n## 1.2.3 2026-01-02\n\n- New.\n\n## 1.2.2 2026-01-01\n'}
# What is changed, and what the script must say; '' where it must pass.
CASES = [
    ({}, ''),
    ({'meson.build': "project('clockshim', 'cpp',\n  version: '1.3',\n", 'CHANGELOG.md': '# Changelog\n\n## 1.3 2026-01-02\n\n- New.\n'},
     '"1.3" is no version of three numbers'),
    ({'CHANGELOG.md': '# Changelog\n\n## 1.2.2 2026-01-01\n'}, 'CHANGELOG.md has no entry for 1.2.3'),
    ({'CHANGELOG.md': '# Changelog\n\n## 1.2.3 unreleased\n\n- New.\n'}, 'the entry for 1.2.3 has no date: "unreleased"'),
    ({'CHANGELOG.md': '# Changelog\n\n## 1.2.3 2026-01-02\n\n## 1.2.2 2026-01-01\n\n- Old.\n'}, 'the entry for 1.2.3 is empty'),
    ({'new file': ''}, 'there are changes that are not committed'),
    ({'tag': 'v1.2.3'}, 'the tag v1.2.3 is there already'),
]


def case(source, changes):
    """What the script says in a repository with these changes, and its status."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)

        def git(*words):
            subprocess.run(['git', '-C', root, '-c', 'user.name=a', '-c', 'user.email=a@b.invalid', *words], check=True, capture_output=True)

        shutil.copytree(source / 'scripts', root / 'scripts', ignore=shutil.ignore_patterns('__pycache__'))
        for file, text in {**GOOD, **{k: v for k, v in changes.items() if k in GOOD}}.items():
            (root / file).write_text(text, encoding='utf-8')
        git('init', '-q')
        git('add', '-A')
        git('commit', '-q', '-m', 'all of it')
        for change, value in changes.items():
            if change == 'tag':
                git('tag', value)
            elif change not in GOOD:
                (root / change).write_text(value, encoding='utf-8')
        done = subprocess.run([root / 'scripts/release', '--check'], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr, done.returncode


def main(source):
    errors = 0
    for changes, expected in CASES:
        said, status = case(source, changes)
        # One fault is one line, besides the last.
        good = status == 1 and expected in said and len(said.splitlines()) == 2 if expected else (said, status) == ('', 0)
        if not good:
            errors += 1
            print(f'{changes}: status {status}, expected "{expected}":\n{said}')
    print(f'{len(CASES) - errors} of {len(CASES)} cases right')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
