"""docs/compatibility.md out of the verdicts."""
import datetime
import functools
import platform
import subprocess

import judge

HEAD = """# Compatibility

Real programs, each run bare and under the library, with a small task whose result can be compared.
Written by `scripts/matrix`; don't edit.

"""

LEGEND = """
- *bare*: the program does its task here without the library.
- *result*, *exit status*: the same as bare.
- *descriptors*: a daemon has none, in any of its processes, that it has not bare.
- *calls told*: reports and live files have calls of it, it was served, and where the program counts
  its calls, it is those.
- *all counted*: another run, with a preload in front that counts the calls of all processes:
  reports and live files have each of them. What a thread calls after its process has begun to exit
  may be missing there.
- *64 MB shm*: another run, with a /dev/shm of 64 MB, as containers have; compared with bare. A
  daemon's processes take no more than a quarter of it.
- *slow clock*: another run, with a clock that costs 2 us a reading (`scripts/lab/slowclock.cpp`);
  compared with bare.
- CPython's own tests, which a busy machine can spoil, have two tries in each column.
- ✓: yes. **✗**: no, see below. –: not run, see below.

"""


@functools.cache
def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], check=False,
                          capture_output=True, text=True)
    return done.stdout if done.returncode == 0 and done.stdout else ""


def sign(verdict):
    return {judge.OK: "✓", judge.FAILED: "**✗**", judge.SKIPPED: "–"}[verdict.state]


def page(found, tools):
    """`found`: (row, verdicts) in their order."""
    out = [HEAD]
    count = {state: sum(v.state == state for _, verdicts in found for v in verdicts.values())
             for state in (judge.OK, judge.FAILED, judge.SKIPPED)}
    out.append(f"{datetime.date.today().isoformat()}, Linux {platform.release()}, "
               f"{tools.system()}, clocksource {tools.clocksource()}, clockshim "
               f"{tools.version()}: {len(found)} rows, {count[judge.OK]} cells passed, "
               f"{count[judge.FAILED]} failed, {count[judge.SKIPPED]} not run.\n")
    out.append(LEGEND)
    out.append("| program | version | " + " | ".join(judge.COLUMNS) + " |\n")
    out.append("|---|---|" + "---|" * len(judge.COLUMNS) + "\n")
    group = None
    for row, verdicts in found:
        if row.group != group:
            group = row.group
            out.append(f"| **{group}** |" + " |" * (1 + len(judge.COLUMNS)) + "\n")
        known = version(row.package) if row.package else ""
        out.append(f"| {row.name} | {known or '–'} | "
                   + " | ".join(sign(verdicts[c]) for c in judge.COLUMNS) + " |\n")
    failed = [(row.name, column, v.why) for row, verdicts in found
              for column, v in verdicts.items() if v.state == judge.FAILED]
    if failed:
        out.append("\n## What failed\n\n")
        out += [f"- {name}, {column}: {why.replace('|', '/')}\n" for name, column, why in failed]
    reasons = {}
    for row, verdicts in found:
        for column, v in verdicts.items():
            if v.state == judge.SKIPPED:
                reasons.setdefault((column, v.why), []).append(row.name)
    if reasons:
        out.append("\n## What was not run\n\n")
        out += [f"- {column}: {why}: {', '.join(names)}\n"
                for (column, why), names in reasons.items()]
    return "".join(out)
