"""Compares a cell with its row's bare run: one verdict for each column of the table."""
import dataclasses
import re
import signal
import sys
import time
import traceback

import cell as cells

# What a bare and a shimmed run are compared by. The last three are runs of their own.
COLUMNS = ("bare", "result", "exit status", "descriptors", "calls told", "all counted", "64 MB shm",
           "slow clock")
OF_WAY = {"counted": "all counted", "small": "64 MB shm", "slow": "slow clock"}
SLOWER = 10
OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"


@dataclasses.dataclass
class Verdict:
    state: str
    why: str = ""

    def __post_init__(self):
        self.why = re.sub(r"[^ '\"]*/matrix\.\w+", "FOLDER", " ".join(self.why.split()))[:240]


@dataclasses.dataclass
class Seen:
    """What one run of a program showed."""
    result: str = ""
    statuses: list = dataclasses.field(default_factory=list)
    descriptors: object = None
    calls: int = 0
    passed: set = dataclasses.field(default_factory=set)
    least: int = 0
    most: int = 0
    known: int | None = None
    exact: bool = True
    shm_used: int = 0
    seconds: float = 0
    error: str = ""
    skipped: str = ""


def run(row, way, tools, base, bare_seconds=0):
    """Runs one cell, once more where the row allows it or bare failed; what came of the last."""
    for _ in range(max(row.tries, 2 if way == "bare" else 1)):
        seen = run_once(row, way, tools, base, bare_seconds)
        if not seen.error:
            break
    return seen


def run_once(row, way, tools, base, bare_seconds):
    """Runs one cell, whatever comes. On a busy machine it may take so many times what bare took."""
    seen, limit = Seen(), max(row.limit, int(SLOWER * bare_seconds))
    limit *= 2 if way.endswith("slow") else 1
    began = time.monotonic()
    cell = cells.Cell(tools, way, base, row)

    def over(*_):
        raise cells.OutOfTime()
    signal.signal(signal.SIGALRM, over)
    tools.shm_size(cells.SMALL_MB if way.endswith("small") else None)
    try:
        signal.alarm(limit)
        seen.result = row.run(cell)
        if cell.shim:
            seen.calls, seen.passed = cell.told()
    except cells.Skipped as e:
        seen.skipped = str(e)
    except cells.OutOfTime:
        seen.error = f"not done in {limit} s"
    except (cells.Failed, OSError) as e:
        seen.error = str(e) or type(e).__name__
    except Exception as e:  # a row that has an error of its own must not end the others
        traceback.print_exc(file=sys.stderr)
        seen.error = f"{type(e).__name__}: {e}"
    finally:
        signal.alarm(0)
        seen.seconds = time.monotonic() - began
        cell.end()
        tools.shm_size(None)
    seen.statuses, seen.descriptors = cell.statuses, cell.descriptors
    seen.known, seen.exact, seen.shm_used = cell.known_calls, cell.exact, cell.shm_used
    seen.least, seen.most = cell.counted()
    return seen


def difference(bare, other):
    """Where two results part."""
    for a, b in zip((bare + "\n\n").split("\n"), (other + "\n\n").split("\n")):
        if a != b:
            return f"'{b[:120]}' instead of '{a[:120]}'"
    return "one is longer"


def results(bare, seen):
    if seen.error:
        return Verdict(FAILED, seen.error)
    if seen.result != bare.result:
        return Verdict(FAILED, difference(bare.result, seen.result))
    return Verdict(OK)


def statuses(bare, seen):
    if seen.error and len(seen.statuses) < len(bare.statuses):
        return Verdict(FAILED, "did not get so far")
    if seen.statuses != bare.statuses:
        return Verdict(FAILED, f"{seen.statuses} instead of {bare.statuses}")
    return Verdict(OK)


def descriptors(bare, seen):
    if not bare.descriptors:
        return Verdict(SKIPPED, "no daemon")
    if seen.error and not seen.descriptors:
        return Verdict(FAILED, "did not get so far")
    more = seen.descriptors - bare.descriptors
    if more:
        return Verdict(FAILED, ", ".join(f"{n} x {name}: {target}"
                                         for (name, target), n in sorted(more.items())))
    return Verdict(OK)


def told(row, seen):
    if not row.tells:
        return Verdict(SKIPPED, "nothing that it could tell, or be told in")
    if seen.calls == 0:
        return Verdict(FAILED, "no call in any report or live file")
    if row.served and seen.passed:
        return Verdict(FAILED, f"not served: {', '.join(sorted(seen.passed))}")
    if seen.known is not None and not (seen.calls == seen.known
                                       or not seen.exact and seen.calls > seen.known):
        return Verdict(FAILED, f"{seen.calls} told, and {seen.known} made")
    return Verdict(OK, f"{seen.calls}")


def counted(seen):
    if seen.most == 0:
        return Verdict(FAILED, "the counter saw no call")
    if not seen.least <= seen.calls <= seen.most:
        made = f"{seen.least}" + (f" to {seen.most}" if seen.most != seen.least else "")
        return Verdict(FAILED, f"{seen.calls} told, and {made} made")
    return Verdict(OK, f"{seen.calls}")


def memory(bare, seen):
    """Of a small /dev/shm, a quarter may be ours."""
    taken, most = seen.shm_used - bare.shm_used, cells.SMALL_MB * 2**20 // 4
    if taken > most:
        return Verdict(FAILED, f"takes {taken >> 20} MB of {cells.SMALL_MB}, more than a quarter")
    return Verdict(OK)


def judge_row(row, ways, tools, base):
    """By column, what came of a row. `ways`: those to run, beside bare."""
    verdicts = {}

    def skip(why, columns=COLUMNS):
        verdicts.update({column: Verdict(SKIPPED, why) for column in columns})
        return verdicts

    missing = row.missing()
    if missing:
        return skip(f"not installed: {', '.join(missing)}")
    if row.root and not tools.root:
        return skip("needs root")
    bare = run(row, "bare", tools, base)
    if bare.skipped:
        return skip(bare.skipped)
    if bare.error:
        skip("bare fails")
        verdicts["bare"] = Verdict(FAILED, bare.error)
        return verdicts
    verdicts["bare"] = Verdict(OK)
    skip("not in this form", COLUMNS[1:])
    for way in ways:
        if way in row.skip:
            skip(row.skip[way], [OF_WAY[way]])
            continue
        if way == "small" and not tools.isolated:
            skip("needs root", [OF_WAY[way]])
            continue
        seen = run(row, way, tools, base, bare.seconds)
        if seen.skipped:
            skip(seen.skipped, [OF_WAY[way]] if way in OF_WAY else COLUMNS[1:5])
        elif way == "shimmed":
            if descriptors(bare, seen).state == FAILED:  # a leak is there each time
                again = run(row, "bare", tools, base, bare.seconds)
                bare.descriptors |= again.descriptors
                again = run(row, way, tools, base, bare.seconds)
                seen.descriptors = seen.descriptors & again.descriptors
            verdicts.update({"result": results(bare, seen), "exit status": statuses(bare, seen),
                             "descriptors": descriptors(bare, seen), "calls told": told(row, seen)})
        else:
            checks = [memory(bare, seen)] if way == "small" else []
            checks += [results(bare, seen), statuses(bare, seen)]
            checks.append(counted(seen) if way == "counted" else told(row, seen))
            failed = next((one for one in checks if one.state == FAILED), None)
            if failed and way != "counted":
                again = run(row, f"bare-{way}", tools, base, bare.seconds)
                if again.error or again.result != bare.result or again.statuses != bare.statuses:
                    failed = Verdict(SKIPPED, "bare fails there too")
            sound = checks[-1] if checks[-1].state == OK else Verdict(OK)
            verdicts[OF_WAY[way]] = failed or sound
    return verdicts
