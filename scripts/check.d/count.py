#!/usr/bin/env python3
"""Sums up what a `meson test` run found: GoogleTest cases from their XML, everything else as one case a test.

usage: count.py TESTLOG XML_DIR    TESTLOG: meson-logs/testlog.json; XML_DIR: what GTEST_OUTPUT=xml:XML_DIR/ named
       count.py --self-test
Prints one line for each case that failed or was skipped, then "PASSED FAILED". A test that meson calls failed (a crash, a
time-out, a wrong exit status) counts as failed at least once, whatever its XML says, or where there is none.
"""
import contextlib
import io
import json
import pathlib
import re
import sys
import tempfile
import xml.etree.ElementTree as xml

GOOD = {'OK', 'EXPECTEDFAIL'}
SKIPPED = {'SKIP'}


def cases_in(path):
    """Yields (name, outcome) for each case of one XML file. Raises where the file is not whole: the program died writing."""
    for case in xml.parse(path).getroot().iter('testcase'):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.get('status') == 'notrun':
            yield name, 'disabled'
        elif case.find('failure') is not None or case.find('error') is not None:
            yield name, 'failed'
        elif case.find('skipped') is not None or case.get('result') == 'skipped':
            yield name, 'skipped'
        else:
            yield name, 'passed'


def xml_files(entry, xml_dir):
    """Where a test's program has written its XML: meson's gtest protocol names a file, else the environment did."""
    for word in entry['command']:
        if match := re.match(r'--gtest_output=xml:(.+)', word):
            return [pathlib.Path(match[1])] if pathlib.Path(match[1]).is_file() else []
    programs = [pathlib.Path(word).name for word in entry['command'] if not word.startswith('-')]
    files = [f for f in xml_dir.glob('*.xml') if re.sub(r'(_\d+)?\.xml$', '', f.name) in programs or f.stem in programs]
    return sorted(files)


def count(entries, xml_dir):
    passed = failed = 0
    seen = set()
    for entry in entries:
        name, good = entry['name'], entry['result'] in GOOD
        outcomes = []
        known = False
        for path in xml_files(entry, xml_dir):
            known = True
            if path in seen:
                continue
            seen.add(path)
            try:
                outcomes += cases_in(path)
            except xml.ParseError:
                good = False
        for case, outcome in outcomes:
            if outcome in ('failed', 'skipped'):
                print(f'{outcome}: {name}: {case}')
        bad = sum(outcome == 'failed' for _, outcome in outcomes)
        passed += sum(outcome == 'passed' for _, outcome in outcomes)
        failed += bad
        if entry['result'] in SKIPPED and not outcomes:
            print(f'skipped: {name}')
        elif not good and bad == 0:
            print(f"failed: {name}: {entry['result']}, exit status {entry.get('returncode')}")
            failed += 1
        elif good and not known:
            passed += 1
    return passed, failed


def read_log(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def self_test():
    def test(name, result, *command):
        return {'name': name, 'result': result, 'command': list(command), 'returncode': 0 if result == 'OK' else 1}

    good = '<testcase classname="S" name="a" status="run" result="completed"/>'
    bad = '<testcase classname="S" name="b" status="run" result="completed"><failure message="no"/></testcase>'
    skip = '<testcase classname="S" name="c" status="run" result="skipped"><skipped/></testcase>'
    off = '<testcase classname="S" name="d" status="notrun" result="suppressed"/>'
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {'unit': good + good + skip + off, 'broken': good + bad, 'dies_late': good, 'half': good, 'twice': good,
                           'twice_1': good + bad}.items():
            text = f'<testsuites><testsuite>{text}</testsuite></testsuites>'
            (root / f'{name}.xml').write_text(text[:60] if name == 'half' else text)
        (root / 'named.xml.d').mkdir()
        named = root / 'named.xml.d' / 'x.xml'
        named.write_text(f'<testsuites><testsuite>{good}{good}{good}</testsuite></testsuites>')
        cases = [
            ([test('unit', 'OK', '/b/unit')], (2, 0)),
            ([test('broken', 'FAIL', '/b/broken')], (1, 1)),
            ([test('dies after its last case', 'FAIL', '/b/dies_late')], (1, 1)),
            ([test('dies while writing', 'FAIL', '/b/half')], (0, 1)),
            ([test('time-out', 'TIMEOUT', '/b/hangs')], (0, 1)),
            ([test('a script', 'OK', '/b/script.sh')], (1, 0)),
            ([test('a script that fails', 'FAIL', '/b/script.sh')], (0, 1)),
            ([test('a script that skips', 'SKIP', '/b/script.sh')], (0, 0)),
            ([test('meson names the file', 'OK', '/b/named', f'--gtest_output=xml:{named}')], (3, 0)),
            ([test('one program', 'OK', '/b/twice', '1'), test('two tests', 'FAIL', '/b/twice', '2')], (2, 2)),
            ([test('through an interpreter', 'OK', 'bash', '/b/unit')], (2, 0)),
            ([], (0, 0)),
        ]
        errors = 0
        for entries, expected in cases:
            with contextlib.redirect_stdout(io.StringIO()):
                found = count(entries, root)
            if found != expected:
                errors += 1
                print(f'self-test: {[e["name"] for e in entries]}: {found}, not {expected}')
    print(f'self-test: {len(cases) - errors} of {len(cases)} cases right')
    return errors


def main():
    if sys.argv[1:] == ['--self-test']:
        return 1 if self_test() else 0
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    print(*count(read_log(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])))
    return 0


if __name__ == '__main__':
    sys.exit(main())
