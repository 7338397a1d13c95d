#!/usr/bin/env python3
"""Each machine format is read by a parser that shares no code with what wrote it, and its sums are compared with the JSON report's.

usage: parse_formats.py RENDER_REPORT REPORT...     REPORT: a file, or one of render_report's own
"""
import gzip
import collections
import html.parser
import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

EMPTY_TAGS = {'meta', 'input', 'br', 'link', 'img', 'wbr'}
OUTSIDE = re.compile(r'(?:src|href|url)\s*[=(]|@import', re.I)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def weights(report):
    """What the stacks add up to: the exact counts, whether samples split them or not."""
    return sum(site['calls'] for site in report['sites'])


MARKS = ' [sampled]', ' [first seen]'


def exact_part(frames):
    """The frames of a stack, innermost first, up to the first one that is marked."""
    return tuple(itertools.takewhile(lambda name: not name.endswith(MARKS), frames))


def thread_sums(report):
    """Calls of each thread, the most first; with what no thread is told for. [] where they are not drawn apart."""
    if 'apart' not in report:
        return []
    sums = [thread['calls'] for thread in report['threads']]
    sums.append(sum(site['calls'] for site in report['sites']) - sum(sums))
    return sorted((n for n in sums if n), reverse=True)


def folded(text, report):
    total, threads, exact = 0, {}, collections.Counter()
    for line in text.decode('utf-8').splitlines():
        match = re.fullmatch(r'(.*\S.*) (\d+)', line)
        expect(match, f'folded: no count: {line[:80]!r}')
        expect(len(match[1].split(';')) >= 3, f'folded: at least program, caller and question: {line[:80]!r}')
        total += int(match[2])
        exact[exact_part(match[1].split(';')[:0:-1])] += int(match[2])
        if 'apart' in report:
            name = match[1].split(';')[1]
            threads[name] = threads.get(name, 0) + int(match[2])
    expect(total == weights(report), f'folded: {total} calls')
    expect(sorted(threads.values(), reverse=True) == thread_sums(report), f'folded: threads {threads}')
    return exact


def speedscope(text, report):
    parsed = json.loads(text.decode('utf-8'))
    expect(parsed['$schema'] == 'https://www.speedscope.app/file-format-schema.json', 'speedscope: schema')
    frames = parsed['shared']['frames']
    expect(all(isinstance(f['name'], str) and set(f) <= {'name', 'file', 'line', 'col'} for f in frames), 'speedscope: frames')
    sums, exact = [], collections.Counter()
    for profile in parsed['profiles']:
        expect(set(profile) == {'type', 'name', 'unit', 'startValue', 'endValue', 'samples', 'weights'}, 'speedscope: keys')
        expect(profile['type'] == 'sampled' and profile['unit'] == 'none', 'speedscope: type')
        expect(len(profile['samples']) == len(profile['weights']), 'speedscope: a weight a sample')
        expect(all(0 <= i < len(frames) for stack in profile['samples'] for i in stack), 'speedscope: frame numbers')
        expect(sum(profile['weights']) == profile['endValue'] - profile['startValue'], 'speedscope: end')
        for stack, weight in zip(profile['samples'], profile['weights']):
            exact[exact_part([frames[i]['name'] for i in reversed(stack)])] += weight
        sums.append(profile['endValue'])
    expect(sum(sums) == weights(report), 'speedscope: sum')
    expect('apart' not in report or sorted(filter(None, sums), reverse=True) == thread_sums(report), f'speedscope: threads {sums}')
    return exact


def protobuf(data):
    """(field, value) pairs of a message: numbers, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            expect(tag & 7 == 2, f'protobuf: wire type {tag & 7}')
            size = varint()
            expect(at + size <= len(data), 'protobuf: cut short')
            yield tag >> 3, data[at:at + size]
            at += size


def packed(data):
    # As fields of nothing but numbers: each number is put behind a tag of its own.
    out, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(value)
            value = shift = 0
    return out


def pprof(data, report):
    fields = list(protobuf(gzip.decompress(data)))
    strings = [value.decode('utf-8') for field, value in fields if field == 6]
    expect(strings[0] == '', 'pprof: the first string is the empty one')
    functions = {}
    for message in (dict(protobuf(v)) for f, v in fields if f == 5):
        functions[message[1]] = strings[message.get(2, 0)]
    mappings = {dict(protobuf(v))[1] for f, v in fields if f == 3}
    locations = {}
    for message in (list(protobuf(v)) for f, v in fields if f == 4):
        one = dict(message)
        expect(one.get(2, 0) == 0 or one[2] in mappings, 'pprof: mapping')
        lines = [dict(protobuf(v)) for f, v in message if f == 4]
        expect(lines and all(line[1] in functions for line in lines), 'pprof: functions of a location')
        locations[one[1]] = [functions[line[1]] for line in lines]
    total, threads, exact = 0, {}, collections.Counter()
    for message in (list(protobuf(v)) for f, v in fields if f == 2):
        one = dict(message)
        expect(all(i in locations for i in packed(one[1])), 'pprof: locations of a sample')
        total += packed(one[2])[0]
        frames = [name for i in packed(one[1]) for name in locations[i]]
        exact[exact_part(frames)] += packed(one[2])[0]
        labels = {strings[dict(protobuf(v))[1]]: strings[dict(protobuf(v)).get(2, 0)] for f, v in message if f == 3}
        expect(('thread' in labels) == ('apart' in report), 'pprof: says which thread, where it was asked to')
        if 'thread' in labels:
            threads[labels['thread']] = threads.get(labels['thread'], 0) + packed(one[2])[0]
        expect(labels['count'] in ('exact', 'sampled'), 'pprof: says whether it is sampled')
        expect(labels['count'] == 'sampled' or not any(name.endswith(' [sampled]') for name in frames), 'pprof: a sampled frame')
    expect(total == weights(report), f'pprof: {total} calls')
    expect(sorted(filter(None, threads.values()), reverse=True) == thread_sums(report), f'pprof: threads {threads}')
    kinds = [dict(protobuf(v)) for f, v in fields if f == 1]
    expect([strings[k[1]] for k in kinds] == ['calls'], 'pprof: sample type')
    return exact


def callgrind(text, report):
    lines = text.decode('utf-8').splitlines()
    expect(lines[0] == '# callgrind format', 'callgrind: first line')
    names, self_cost, inclusive, function, calls = {}, {}, {}, None, None
    summary = None
    for line in lines[1:]:
        match = re.fullmatch(r'(c?)(fn|fl|fi|fe|ob)=\((\d+)\)(?: (.*))?', line.replace('cfi=', 'cfl='))
        if match:
            kind = 'fn' if match[2] == 'fn' else 'ob' if match[2] == 'ob' else 'fl'
            if match[4] is not None:
                expect((kind, match[3]) not in names, 'callgrind: named twice')
                expect(match[4].strip(), 'callgrind: a blank name')
                names[kind, match[3]] = match[4]
            expect((kind, match[3]) in names, f'callgrind: no name: {line}')
            if line.startswith('fn='):
                function = match[3]
        elif line.startswith('calls='):
            calls = int(line[6:].split()[0])
        elif re.fullmatch(r'\d+ \d+', line):
            cost = int(line.split()[1])
            if calls is None:
                self_cost[function] = self_cost.get(function, 0) + cost
            else:
                expect(calls == cost, 'callgrind: inclusive cost of a call')
            inclusive[function] = inclusive.get(function, 0) + cost
            calls = None
        elif line.startswith('summary: '):
            summary = int(line[9:])
        else:
            expect(line == '' or re.match(r'(version|creator|pid|cmd|desc|positions|events|totals): ?', line), f'callgrind: {line[:80]!r}')
    expect(summary == sum(self_cost.values()) == weights(report), f'callgrind: {summary} calls')
    expect(all(cost <= summary for cost in inclusive.values()), 'callgrind: nothing costs more than all')
    if 'apart' in report:
        roots = [inclusive[number] for (kind, number), name in names.items()
                 if kind == 'fn' and re.match(r'thread |threads not told|shared table', name)]
        expect(sorted(roots, reverse=True) == thread_sums(report), f'callgrind: threads {roots}')
    return {names['fn', number]: cost for number, cost in inclusive.items() if not names['fn', number].endswith(MARKS)}


def flamegraph(text, report):
    root = xml.etree.ElementTree.fromstring(text)
    expect(root.tag.endswith('}svg'), 'svg: root')
    expect(not OUTSIDE.search(text.decode('utf-8')), 'svg: nothing from outside')
    scripts = [e for e in root.iter() if e.tag.endswith('}script')]
    expect(len(scripts) == 1, 'svg: one script, ours')
    boxes = [e for e in root.iter() if e.tag.endswith('}g') and e.get('class', '').startswith('f')]
    expect(boxes and all(b.find('{*}title').text for b in boxes), 'svg: each box has a title')
    if weights(report):
        asked = sum(float(b.get('data-w')) for b in boxes if b.find('{*}rect').get('y') == '19')
        expect(0.98 < asked < 1.0001, f'svg: what is asked is all of it: {asked}')
    return collections.Counter((b.get('data-n'), b.get('data-w')) for b in boxes if b.get('class') in ('f', 'f q'))


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.scripts, self.rows, self.cells, self.table, self.lines = [], 0, {}, None, None, []
        self.boxes = collections.Counter()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        expect(not any(name.startswith('on') for name in attrs), f'html: a handler in <{tag}>')
        if tag not in EMPTY_TAGS:
            self.open.append(tag)
        self.scripts += tag == 'script'
        if tag == 'g' and attrs.get('class') in ('f', 'f q'):
            self.boxes[attrs['data-n'], attrs['data-w']] += 1
        if tag == 'table':
            self.table = attrs['id']
        if tag == 'tr':
            self.cells = []
        if tag == 'td':
            self.cells.append(attrs.get('data-v'))

    def handle_startendtag(self, tag, attrs):
        if tag == 'path':
            self.lines.append(dict(attrs)['d'])

    def handle_endtag(self, tag):
        expect(self.open and self.open[-1] == tag, f'html: </{tag}> in {self.open}')
        self.open.pop()
        if tag == 'tr' and self.cells:
            self.rows.setdefault(self.table, []).append(self.cells)


def page(text, report):
    parsed = Page()
    parsed.feed(text.decode('utf-8'))
    parsed.close()
    expect(parsed.open == [], f'html: not closed: {parsed.open}')
    expect(parsed.scripts == 1, 'html: one script, ours')
    expect(not OUTSIDE.search(text.decode('utf-8')), 'html: nothing from outside')
    sites = sum(int(row[0]) for row in parsed.rows.get('callers', []))
    expect(sites == sum(site['calls'] for site in report['sites']), f'html: {sites} calls')
    rates = report['rates'] or {'clocks': {}, 'callers': []}
    expect(len(parsed.lines) == min(8, len(rates['clocks'])) + min(8, len(rates['callers'])), f'html: {len(parsed.lines)} lines of rates')
    for line in parsed.lines:
        points = [float(n) for n in re.findall(r'[-0-9.]+', line)]
        expect(re.fullmatch(r'M[0-9.]+ [0-9.]+(?:V[0-9.]+H[0-9.]+)+', line) and max(points) <= 1200, f'html: {line[:80]}')
        expect(line.count('H') == len(rates['times']), 'html: a step an interval')
    if len(report['threads']) > 1:
        threads = sum(int(row[0]) for row in parsed.rows.get('threads', []))
        expect(threads == sites, f'html: {threads} calls by thread')
    clocks = sum(int(row[1]) for row in parsed.rows.get('clocks', []))
    expect(clocks == sum(clock['calls'] for clock in report['clocks'].values()), f'html: {clocks} calls by clock')
    return parsed.boxes


def metrics(text, report, read):
    series, calls, threads = set(), 0, {}
    for family in read(text.decode('utf-8')):
        expect(family.documentation and family.type in ('counter', 'gauge'), f'metrics: {family.name}: {family.type}')
        for sample in family.samples:
            labels = sample.labels
            expect(sample.name == family.name + {'counter': '_total', 'gauge': ''}[family.type], f'metrics: {sample.name} in {family.name}')
            series_name = (sample.name, *sorted(labels.items()))
            expect(series_name not in series, f'metrics: twice: {series_name}')
            series.add(series_name)
            if sample.name == 'clockshim_calls_total':
                calls += int(sample.value)
                expect(('thread' in labels) == ('apart' in report), f'metrics: {labels}')
                if 'thread' in labels:
                    threads[labels['thread']] = threads.get(labels['thread'], 0) + int(sample.value)
    expect(sorted(filter(None, threads.values()), reverse=True) == thread_sums(report), f'metrics: threads {threads}')
    expect(calls == sum(site['calls'] for site in report['sites']), f'metrics: {calls} calls')
    expect(len(series) < 300, 'metrics: bounded')


def openmetrics(text, report):
    metrics(text, report, openmetrics_families)  # which refuses what has no "# EOF", and wrong units


def prometheus(text, report):
    # Its reader takes OpenMetrics, too, and counters without type for gauges.
    expect(not re.search(rb'^# (EOF|UNIT)', text, re.M), 'prometheus: a line of the newer format')
    metrics(text, report, prometheus_families)


PARSERS = {'folded': folded, 'speedscope': speedscope, 'pprof': pprof, 'callgrind': callgrind, 'flamegraph': flamegraph, 'html': page,
           'openmetrics': openmetrics, 'prometheus': prometheus}


def main():
    program, reports = sys.argv[1], sys.argv[2:]
    failed = 0
    for name in reports:
        def render(format_name, how):
            return subprocess.run([program, format_name, name] + how, stdout=subprocess.PIPE, check=True).stdout
        whole = json.loads(render('json', []).decode('utf-8'))
        apart = {**whole, 'stacks': [], 'apart': True}  # samples know no threads
        for format_name, parse in PARSERS.items():
            exact = None
            for report, how in (whole, []), ({**whole, 'stacks': []}, ['exact']), (apart, ['threads']):
                what = ' '.join([name.rsplit('/', 1)[-1] + ':', format_name] + how)
                try:
                    parts = parse(render(format_name, how), report)
                    if how == ['exact']:
                        expect(parts == exact, f'not the same as its own exact part: {parts} {exact}'[:500])
                    elif not how:
                        exact = parts
                    print(f'{what}: fine')
                except Exception as error:  # one bad format does not hide the others
                    failed += 1
                    print(f'{what}: FAILED: {type(error).__name__}: {error}')
    return 1 if failed or not reports else 0


if __name__ == '__main__':
    sys.exit(main())
