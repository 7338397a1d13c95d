"""What the lab's scripts share: options, the builds, the ways to run a program. What they find is in results.py.

A *way* is a clock and what stands before it: the machine's own clock or one made dear by slowclock; and no shim (bare), the shim in
strict or in relaxed order as `clockshim run` starts it, or with CLOCKSHIM_COUNTERS set as well ("strict:disagree"), or by LD_PRELOAD
alone: "strict:saved" with the counters file of `clockshim doctor --save`, "strict:alone" without one. `guard` is the machine's own clock
below slowclock: what the lab itself costs.
"""
import argparse
import glob
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LAB = ROOT / "scripts/lab"
CLOCKSOURCE = pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
ORDERS = ("strict", "relaxed")


def fail(message, status=1):
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(status)


def say(message):
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr, flush=True)


def bad(option, value, wanted):
    fail(f"{option} '{value}': must be {wanted}", 2)


@dataclass(frozen=True)
class Way:
    clock: str  # "own", "guard", or a cost as slowclock takes it
    shim: str  # "bare", "strict" or "relaxed", and ":saved", ":alone", ":agree" or ":disagree"

    @property
    def name(self):
        return f"{self.clock}-{self.shim.replace(':', '-')}"


# ---- options -------------------------------------------------------------------------------------------------------------


def parser(description, seconds=None, json_file=True):
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=str(ROOT / "build"), metavar="DIR", help="meson's build directory (default: build)")
    p.add_argument("--built", action="store_true", help="build and install nothing: what is needed is in DIR")
    if json_file:
        p.add_argument("--json", metavar="FILE", help="write the results there")
    if seconds:
        p.add_argument("--runs", default="8", metavar="N", help="runs of each way, in turns (default 8)")
        p.add_argument("--seconds", default=str(seconds), metavar="S", help=f"length of a run (default {seconds})")
        p.add_argument("--costs", default="0.7us,2us,5us", metavar="D,D", help="of the dear clocks, or none (default %(default)s)")
        p.add_argument("--by", default="calls", metavar="WAY", help="how they are made dear: filter or calls, see slow_clock.h (default %(default)s)")
        p.add_argument("--ways", metavar="W,W", help="only these, by their names in the lines that tell of each run: 2us-strict")
    return p


def check(options):
    """The options, as the scripts use them. From here on SIGTERM ends a script as Ctrl-C does: nothing that it started stays."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup leaves it
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    for name in ("runs", "seconds"):
        if name in options:
            value = getattr(options, name)
            if not re.fullmatch(r"[1-9]\d{0,3}", value):
                bad(f"--{name}", value, "a number from 1 to 9999")
            setattr(options, name, int(value))
    if "costs" in options:
        costs = [] if options.costs == "none" else options.costs.split(",")
        for cost in costs:
            if not re.fullmatch(r"\d+(\.\d+)?(ns|us|ms)", cost):
                bad("--costs", cost, "durations with commas, such as 700ns,2us, or none")
        options.costs = costs
    if getattr(options, "by", "filter") not in ("filter", "calls"):
        bad("--by", options.by, "filter or calls")
    if getattr(options, "ways", None):
        known = {way.name for way in ways(options.costs)}
        options.ways = options.ways.split(",")
        for way in options.ways:
            if way not in known:
                bad("--ways", way, f"some of {', '.join(sorted(known))}, with commas")
    if getattr(options, "json", None) and not os.access(pathlib.Path(options.json).resolve().parent, os.W_OK):
        bad("--json", options.json, "a file in a folder that can be written to")
    return options


def ways(costs):
    """All ways that a program is run in, in the order of the tables. slowclock leaves the kernel's clocksource as it is, so that the
    shim takes the counters' agreement from it. On a machine that is slow by itself, and has several CPUs, it starts out in the mode
    for counters that disagree: the last way of each cost."""
    found = [Way("own", shim) for shim in ("bare", *ORDERS)]
    if costs:
        found.insert(1, Way("guard", "bare"))
    return found + [Way(cost, shim) for cost in costs for shim in ("bare", *ORDERS, "strict:disagree")]


# ---- what is needed ------------------------------------------------------------------------------------------------------


def postgres_folder():
    """The folder with the programs of the newest PostgreSQL, or None. Debian keeps them out of PATH."""
    found = [shutil.which("initdb")] if shutil.which("initdb") else sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return pathlib.Path(found[-1]).resolve().parent if found else None


def server_groups():
    """The group of packages (scripts/setup) with the servers, where one of them is missing."""
    return [] if shutil.which("redis-server") and shutil.which("redis-benchmark") and postgres_folder() else ["lab"]


class Tools:
    """The build directory, and what is in it once it is built."""

    def __init__(self, options, groups=()):
        self.build = pathlib.Path(options.build).resolve()
        self.cache = self.build / "lab"
        self.library = self.build / "src/libclockshim.so"
        self.command = self.build / "src/cli/clockshim"
        self._handed_over = None
        self._saved = False
        self.by = getattr(options, "by", "filter")
        self.slowclock = self.build / "scripts/lab/slowclock"
        self.clocks = self.build / "scripts/lab/clocks"
        if not options.built:
            self._make(groups)
        for file in (self.library, self.command, self.slowclock, self.clocks):
            if not file.exists():
                fail(f"{file} is not there: run without --built")

    def _make(self, groups):
        subprocess.run([ROOT / "scripts/setup", "build", *groups], check=True, stdout=subprocess.DEVNULL)
        self.cache.mkdir(parents=True, exist_ok=True)
        if not (self.build / "build.ninja").exists():
            self.quietly(["meson", "setup", self.build, ROOT, "--buildtype=release", "-Dtests=false"])
        self.quietly(["meson", "compile", "-C", self.build, "clockshim:shared_library", "clockshim:executable", "slowclock", "clocks"])

    @staticmethod
    def quietly(command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            sys.stderr.write("\n".join(done.stdout.splitlines()[-30:]) + "\n")
            fail(f"failed: {' '.join(map(str, command))}")

    def handed_over(self):
        """What `clockshim run` tells the library of this machine's counters. On a busy machine it can't tell: asked up to five times."""
        for _ in range(1 if machine()["clocksource"] == "tsc" else 5):
            if self._handed_over not in (None, "auto"):
                break
            told = subprocess.run([self.command, "run", "--report", "none", "--", "sh", "-c", "echo ${CLOCKSHIM_COUNTERS-auto}"], check=True,
                                  capture_output=True, text=True)
            self._handed_over = told.stdout.strip()
        return self._handed_over

    def counters_for(self, how):
        """CLOCKSHIM_COUNTERS for a way. What is not there is no counters file, whatever `clockshim run` has saved before."""
        if how == "alone":
            return "/dev/null"
        if how != "saved":
            return how or self.handed_over()
        for _ in range(5):
            self._saved = self._saved or subprocess.run([self.command, "doctor", "--save"], check=False, capture_output=True).returncode == 0
        return "auto"

    def prefix(self, way, report="none"):
        """The command that a program is run under. `clockshim run` is asked once, not for each run: where a program is started by a
        script that looks for its process, there is none between the two."""
        command = []
        if way.clock == "guard":
            command = [self.slowclock, "--by", self.by, "--vdso", "--cost", "2us", "--"]
        elif way.clock != "own":
            command = [self.slowclock, "--by", self.by, "--cost", way.clock, "--"]
        if way.shim != "bare":
            order, _, counters = way.shim.partition(":")
            command += ["env", f"LD_PRELOAD={self.library}", f"CLOCKSHIM_ORDER={order}", f"CLOCKSHIM_COUNTERS={self.counters_for(counters)}",
                        f"CLOCKSHIM_REPORT={report}"]
        return [str(word) for word in command]

    def ways_of_calls(self, way):
        """By reading, "vdso" or "system call", in a process two execs below what it is run under. Where slowclock does not do what it
        promises there, no figure of the lab would mean what it says."""
        command = [*self.prefix(way), "sh", "-c", '"$1" --ways; true', "sh", self.clocks]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(told.stdout)
        if way.clock not in ("own", "guard"):
            coarse = {"vdso", "system call"} if "hidden" in told.stderr else {"vdso"}
            if any(kind not in (coarse if "coarse" in name else {"system call"}) for name, kind in found.items()):
                fail(f"below slowclock, these are not read as on a slow machine: {found}; it said: {told.stderr.strip()}")
        return found

    def cost_of_calls(self, way):
        """By reading, what a call costs this way, in ns; with the shim's own word on its mode and its error."""
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            # Where the counters are not trusted, the kernel counts CPU time by them only roughly.
            by = "cpu" if machine()["clocksource"] == "tsc" else "elapsed"
            done = subprocess.run([*self.prefix(way, report), self.clocks, "--time", by], check=False, capture_output=True, text=True)
            if done.returncode != 0:
                fail(f"clocks, {way.name}: exit status {done.returncode}: {done.stderr.strip()}")
            found = {"ns": json.loads(done.stdout)}
            if way.shim == "bare":
                found["ways"] = self.ways_of_calls(way)
            if report.exists():
                told = json.loads(report.read_text(encoding="utf-8"))
                found.update({key: told[key] for key in ("mode", "mode_reason", "tolerance_ns", "accuracy", "notes", "clocks")})
            return found


def in_guest(clocksource, script, tools, words, limit, counters=()):
    """What a script of the lab writes as JSON when it is run in a guest on this clocksource, by the name of its file. `counters`: more
    options of scripts/lab/guest."""
    with tempfile.TemporaryDirectory(prefix="clockshim-lab.") as folder:
        file = pathlib.Path(folder) / "result.json"
        command = [LAB / "guest", "--clocksource", clocksource, *counters, "--timeout", str(limit), "--exchange", folder, "--", sys.executable,
                   pathlib.Path(script).resolve(), "--built", "--build", tools.build, "--costs", "none", "--json", file, *words]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 or not file.exists():
            sys.stderr.write(done.stdout[-3000:])
            fail(f"the guest on {clocksource} ended with exit status {done.returncode}; above, its last words")
        say(f"guest on {clocksource}: done")
        return json.loads(file.read_text(encoding="utf-8"))


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {"cpu": cpu.group(1) if cpu else "unknown", "cpus": os.cpu_count(), "kernel": platform.release(),
            "clocksource": CLOCKSOURCE.read_text(encoding="utf-8").strip() if CLOCKSOURCE.exists() else "unknown",
            "load": os.getloadavg()[0]}
