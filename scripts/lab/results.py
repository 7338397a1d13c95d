"""Runs that take turns, and what they found: as JSON, and as tables in Markdown."""
import json
import pathlib
import random
import statistics

import lab
import pages


def take_turns(all_ways, runs, one):
    """one(way, number) for each way, `runs` times: by way, the results. Each round starts with another way, so that neither a
    slow minute of the machine nor what a run leaves behind always meets the same one."""
    found = {way.name: [] for way in all_ways}
    for number in range(runs):
        shift = number * len(all_ways) // runs
        for way in all_ways[shift:] + all_ways[:shift]:
            result = one(way, number)
            found[way.name].append(result)
            lab.say(f"run {number + 1} of {runs}, {way.name}: {result['rate']:,.0f} a second")
    return found


def run_together(all_ways, runs, together):
    """together(ways, number), `runs` times, which returns a result for each way: by way, the results."""
    found = {way.name: [] for way in all_ways}
    for number in range(runs):
        # Another order each time, the same in each lab: none is always the first, nor always behind the same one.
        shuffled = random.Random(number).sample(all_ways, len(all_ways))
        for name, result in together(shuffled, number).items():
            found[name].append(result)
        lab.say(f"run {number + 1} of {runs}: " + ", ".join(f"{way.name} {found[way.name][-1]['rate']:,.0f}" for way in all_ways) + " a second")
    return found


def told_in(reports, units):
    """What the shim's reports (files of JSON) tell for each of so many units: clock calls of all clocks that are dear, and the CPU time that
    serving them has saved."""
    dear = ("realtime", "monotonic", "monotonic_raw", "boottime", "tai")
    told = [json.loads(file.read_text(encoding="utf-8")) for file in reports]
    return {"calls": sum(report["clocks"][name]["calls"] for report in told for name in dear if name in report["clocks"]) / units,
            "saved_us": sum(report["cpu_saved_ns"] or 0 for report in told) / 1000 / units}


def accuracy_in(reports):
    """Of the samples that the shim took in these runs: how many, and how many of them were beyond the tolerance."""
    told = [json.loads(file.read_text(encoding="utf-8"))["accuracy"] for file in reports]
    return {key: sum(accuracy[key] for accuracy in told) for key in ("samples", "over_tolerance")}


def write(options, result):
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def program_result(name, unit, clock, tools, options, one=None, together=None):
    """Runs a program in all ways: one after the other, or all of them side by side in slices. `one` and `together` return a dictionary (the
    latter by way): rate (units a second), cpu_us (CPU time a unit), told_in() (with the shim) of a run. `clock` is
    the one that the program asks most."""
    before = lab.machine()
    all_ways = [way for way in lab.ways(options.costs) if not options.ways or way.name in options.ways]
    costs = {way.name: tools.cost_of_calls(way)["ns"][clock]["least"] for way in all_ways}
    runs = take_turns(all_ways, options.runs, one) if one else run_together(all_ways, options.runs, together)
    rows = [{"clock": way.clock, "shim": way.shim, "ns": costs[way.name], "runs": runs[way.name]} for way in all_ways]
    return {"lab": name, "unit": unit, "clock": clock, "machine": before, "seconds": options.seconds, "in_slices": one is None,
            "by": options.by, "pinned": getattr(options, "pin", False), "rows": rows}


def values(row, key):
    return [run[key] for run in row["runs"] if run.get(key) is not None]


def run_by_run(row, base):
    """The ratios of the rates of each run by itself. Of runs in slices: there both of a run met the same minutes of the machine. Empty where
    there are no runs to compare."""
    return [a / b for a, b in zip(values(row, "rate"), values(base, "rate"))] if row and base else []


def ratio(row, base):
    """The median of these, 0 where there are none: what goals are judged by."""
    return statistics.median(run_by_run(row, base) or [0])


def quotient(row, base):
    """The ratio of the rates as a table shows them, the medians."""
    return pages.quotient(*(f"{statistics.median(values(each, 'rate')):.0f}" for each in (row, base)))


def spread(found, form):
    """The median, and the least and the most in brackets."""
    middle = format(statistics.median(found), form)
    return middle if len(found) == 1 else f"{middle} ({min(found):{form}} to {max(found):{form}})"


def row_of(result, clock, shim):
    return next((row for row in result["rows"] if (row["clock"], row["shim"]) == (clock, shim)), None)


def share_in_clock(result, row):
    """The part of a row's CPU time that its clock calls take, in percent: calls a unit, as counted by the shim, by what a call costs. Bare
    on a dear clock, nobody counted, and a server that comes round less often asks less often: there it is what goes with the dear clock."""
    counted = row_of(result, "own" if row["clock"] == "guard" else row["clock"], "strict")
    if counted is None:
        return ""
    cpu_us = statistics.median(values(row, "cpu_us"))
    dear = row["shim"] == "bare" and row["clock"] not in ("own", "guard")
    in_calls = statistics.median(values(counted, "calls")) * (counted if dear else row)["ns"] / 1000
    gone = cpu_us - statistics.median(values(counted, "cpu_us")) if dear else 0
    return f"{100 * (gone + in_calls) / cpu_us:.0f} %"


def saved(bare, row):
    """The CPU time a unit that the shim's own report says it saved, and what it was found to be: the difference to the bare runs."""
    told = values(row, "saved_us")
    if not told or bare is None:
        return ""
    less = statistics.median(values(bare, "cpu_us")) - statistics.median(values(row, "cpu_us"))
    return f"{number(statistics.median(told))}, {number(less)}"


def title(result, clock):
    own = result["machine"]["clocksource"]
    guard = "filter" if result["by"] == "filter" else "tracer"
    return {"own": own, "guard": f"{own}, below the lab's {guard}"}.get(clock, clock)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def shim_title(shim):
    names = {":disagree": ", counters disagree", ":agree": ", counters agree", ":alone": ", by LD_PRELOAD alone",
             ":saved": ", by LD_PRELOAD and counters file"}
    return next((shim.removesuffix(end) + name for end, name in names.items() if shim.endswith(end)), shim)


def machine_title(m):
    return f"{m['cpu']}, {m['cpus']} CPUs, Linux {m['kernel']}, clocksource {m['clocksource']}"


def where(result):
    runs = len(result["rows"][0]["runs"])
    turns = "side by side in slices of half a second" if result["in_slices"] else "in turns"
    if result["pinned"]:
        turns += ", each daemon on a CPU of its own"
    many = f"one run of {result['seconds']} s of each way, {turns}" if runs == 1 else \
        f"{runs} runs of {result['seconds']} s of each way, {turns}; medians, the least and the most in brackets"
    if any(row["clock"] != "own" for row in result["rows"]):
        many += f". Made expensive by {'a filter' if result['by'] == 'filter' else 'calls'}"
    return f"{machine_title(result['machine'])}; {many}. Load of the machine before: {result['machine']['load']:.1f}."


def table(result):
    """The result of a program as Markdown."""
    unit, own = result["unit"], title(result, "own")
    paired = [f"x {against}, run by run" for against in ("bare", f"{own} bare")] if result["in_slices"] else []
    columns = ["clock", "shim", f"{unit}s/s", "x bare", f"x {own} bare", *paired, f"CPU us a {unit}", f"clock calls a {unit}", "ns a call",
               "CPU in the clock", "CPU us saved: told, found"]
    lines = [where(result), "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    native = row_of(result, "own", "bare")
    for row in result["rows"]:
        calls = values(row, "calls")
        bare = row_of(result, row["clock"], "bare")
        bases = [None if row is bare else bare, None if row is native else native]
        lines.append("| " + " | ".join([
            title(result, row["clock"]), shim_title(row["shim"]),
            spread(values(row, "rate"), ",.0f"),
            *(quotient(row, base) if base else "" for base in bases),
            *(spread(run_by_run(row, base), ".2f") if base else "" for base in (bases if paired else [])),
            number(statistics.median(values(row, "cpu_us"))),
            f"{statistics.median(calls):.2f}" if calls else "",
            f"{row['ns']:.0f}",
            share_in_clock(result, row),
            saved(bare, row)]) + " |")
    return "\n".join(lines) + "\n"


def finish(options, result, render=table):
    write(options, result)
    print(render(result), end="")
