"""Shows that each kind of check can fail: a cell that is sound with the library must be red, by
that check, with a library that has one fault (broken.c)."""
import judge

# fault or setting, row, way, column that must fail
CASES = [
    ("ERROR", "host.c", "shimmed", "result"),
    ("BACK", "host.c", "shimmed", "result"),
    ("STATUS", "host.c", "shimmed", "exit status"),
    ("HANG", "host.c", "shimmed", "result"),
    ("DESCRIPTOR", "memcached", "shimmed", "descriptors"),
    ("UNTOLD", "host.c", "shimmed", "calls told"),
    ("CLOCKSHIM_TOLERANCE=10", "date, sleep, timeout, find", "shimmed", "calls told"),
    ("LOST", "host.c", "shimmed", "calls told"),
    ("UNTOLD", "setpriv", "shimmed", "calls told"),
    ("LOST", "Python", "counted", "all counted"),
    ("MEMORY", "PostgreSQL", "small", "64 MB shm"),
    ("SLOW", "host.c", "slow", "slow clock"),
]


def run(rows, tools, base):
    """(state, text) for each case."""
    by_name, sound = {row.name: row for row in rows}, {}
    for fault, name, way, column in CASES:
        row = by_name[name]
        before = row.limit
        if (name, way) not in sound:
            sound[name, way] = judge.judge_row(row, [way], tools, base)
        tools.break_by(fault)
        row.limit = min(before, 12) if fault == "HANG" else before
        try:
            broken = judge.judge_row(row, [way], tools, base)
        finally:
            tools.break_by(None)
            row.limit = before
        good, bad = sound[name, way][column], broken[column]
        text = f"{fault}: {name}, {column}: "
        if judge.SKIPPED in (good.state, bad.state):
            yield judge.SKIPPED, text + (good.why or bad.why)
            continue
        red = good.state == judge.OK and bad.state == judge.FAILED
        yield (judge.OK if red else judge.FAILED,
               f"{text}sound {good.state}, broken {bad.state}: {bad.why}")
