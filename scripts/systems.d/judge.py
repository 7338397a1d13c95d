#!/usr/bin/env python3
"""What reports of other systems say, in words for the table of scripts/systems.

usage: judge.py share REPORT            prints "SERVED% NAMED%": of the calls, how many were served, and how many have a caller whose
                                        module is known
       judge.py host OUTPUT REPORTS     compares what systems.d/host.c printed with the JSON reports in the folder REPORTS
       judge.py --self-test
"""
import json
import pathlib
import sys


def calls_of(report):
    """Yields (calls, the frame that is the caller) for each site."""
    for site in report['sites']:
        yield site['calls'], site['frames'][max(0, site['exact_frames'] - 1)]


def share(report):
    total = sum(clock['calls'] for clock in report['clocks'].values())
    served = sum(clock['served'] for clock in report['clocks'].values())
    named = sum(calls for calls, frame in calls_of(report) if frame['module'] or frame['symbol'])
    return (100 * served / total, 100 * named / total) if total else (0.0, 0.0)


def faults_of(output, reports):
    """Yields what differs between a host's own count and its reports."""
    expected = {}
    for line in output.splitlines():
        name, _, number = line.partition(' ')
        if name == 'FAILED' or not number.isdigit():
            yield f'the host says: {line}'
        else:
            expected[name] = int(number)
    pid, child = expected.pop('pid', 0), expected.pop('child', 0)
    if not expected:
        yield 'the host has not come to its end'
    found, modules = {}, {}
    for report in reports:
        for calls, frame in calls_of(report):
            found[frame['symbol']] = found.get(frame['symbol'], 0) + calls
            modules[frame['symbol']] = pathlib.Path(frame['module'] or '?').name
    for name, calls in expected.items():
        if found.get(name, 0) != calls:
            yield f'{name}: {found.get(name, 0)} calls, not {calls}'
        module = f'{name.removesuffix("_reads")}.so' if name.startswith('plug') else 'host'
        if modules.get(name, module) != module:
            yield f'{name}: in {modules[name]}, not in {module}'
    by_pid = {report['pid']: report for report in reports}
    if set(by_pid) != {pid, child}:
        yield f'reports of processes {sorted(by_pid)}, not of {sorted({pid, child})}'
        return
    if by_pid[child]['forked_from'] != pid:
        yield f'the child was forked from {by_pid[child]["forked_from"]}, not from {pid}'
    if any(thread['tid'] == 0 for report in reports for thread in report['threads']):
        yield 'a thread has no number'


def self_test():
    def frame(symbol, module='/x/host'):
        return {'symbol': symbol, 'module': module}

    def report(pid, parent, sites, tid=7):
        return {'pid': pid, 'forked_from': parent, 'threads': [{'tid': tid}],
                'clocks': {'monotonic': {'calls': sum(c for c, _ in sites), 'served': 1}},
                'sites': [{'calls': c, 'exact_frames': 1, 'frames': [f]} for c, f in sites]}

    output = 'plug_a_reads 5\nmain_reads 10\npid 2\nchild 3\n'
    plug = frame('plug_a_reads', '/x/plug_a.so')
    good = [report(2, None, [(5, plug), (10, frame('main_reads'))]), report(3, 2, [])]
    cases = [
        (output, good, 0),
        ('FAILED x:1\n', good, 3),
        (output, good[:1], 1),
        (output, [good[0], report(3, 1, [])], 1),
        (output, [report(2, None, [(5, plug), (9, frame('main_reads'))]), good[1]], 1),
        (output, [report(2, None, [(5, frame('plug_a_reads', None)), (10, frame('main_reads'))]), good[1]], 1),
        (output, [report(2, None, [(5, frame(None, None)), (10, frame('main_reads'))]), good[1]], 1),
        (output, [report(2, None, [(5, plug), (10, frame('main_reads'))], tid=0), good[1]], 1),
    ]
    wrong = 0
    for text, reports, expected in cases:
        faults = list(faults_of(text, reports))
        if len(faults) != expected:
            wrong += 1
            print(f'self-test: {faults}, not {expected}')
    shares = share(report(1, None, [(1, frame('a')), (3, frame(None, None))]))
    if shares != (25.0, 25.0):
        wrong += 1
        print(f'self-test: {shares}')
    print(f'self-test: {len(cases) + 1 - wrong} of {len(cases) + 1} cases right')
    return wrong


def main():
    arguments = sys.argv[1:]
    if arguments == ['--self-test']:
        return 1 if self_test() else 0
    if len(arguments) == 2 and arguments[0] == 'share':
        served, named = share(json.loads(pathlib.Path(arguments[1]).read_text()))
        print(f'{served:.1f} {named:.1f}')
        return 0
    if len(arguments) == 3 and arguments[0] == 'host':
        reports = [json.loads(path.read_text()) for path in sorted(pathlib.Path(arguments[2]).glob('*.json'))]
        faults = list(faults_of(pathlib.Path(arguments[1]).read_text(), reports))
        for fault in faults:
            print(fault)
        return 1 if faults else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
