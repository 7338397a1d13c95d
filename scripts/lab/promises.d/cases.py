"""The guests, and what runs in each of them."""
import dataclasses
import time

REALTIME, MONOTONIC, BOOTTIME, TAI = (str(getattr(time, "CLOCK_" + name)) for name in ("REALTIME", "MONOTONIC", "BOOTTIME", "TAI"))
MONOTONIC_COARSE = "6"  # Python has no name for it


WAYS = ("run", "preload", "saved")


@dataclasses.dataclass
class Case:
    name: str
    clocksource: str
    counters: list  # options of scripts/lab/guest
    cpus: int = 2
    # The programs are started by `clockshim run`; or by LD_PRELOAD alone ("preload"), and so, too, behind one `clockshim doctor --save`,
    # whose counters file they find ("saved").
    way: str = "run"
    # What the last CPU's counter does while they run, as in-guest takes it: it jumps by so many ticks, ahead and back in turn, or drifts.
    change: list = dataclasses.field(default_factory=list)
    # A counter that jumps is a disturbance: what promise 3 says of a quiet machine is shown, and not asked for.
    quiet: bool = True
    # The kernel trusts counters that it should not, and so its own clock goes back: the served one may not do worse.
    trusted: bool = False

    def mode(self):
        """The mode that each program starts in, where it is certain: once the counters' comparison was saved."""
        if self.way != "saved" or self.clocksource == "tsc":
            return None
        if "--tsc-drift" in self.counters:
            return "percpu"
        return "aligned" if any(int(ticks) for ticks in ",".join(self.counters[1:]).split(",") if ticks) else "coherent"


JUMPS = ["jump", "1000000"]


def offsets(*ticks):
    return ["--tsc-offset", ",".join(str(t) for t in ticks)]


def _cases():
    for clocksource in ("acpi_pm", "hpet"):
        yield Case(f"{clocksource}-agree", clocksource, offsets(0, 0))
        for ticks in (1_000, 100_000, -100_000, 5_000_000_000):
            yield Case(f"{clocksource}-offset{ticks}", clocksource, offsets(0, ticks))
        yield Case(f"{clocksource}-jump", clocksource, offsets(0, 0), change=JUMPS, quiet=False)
        for ppm in (100, 1000):
            yield Case(f"{clocksource}-drift{ppm}", clocksource, ["--tsc-drift", str(ppm)])
    yield Case("acpi_pm-4cpus", "acpi_pm", offsets(0, 1_000, 100_000, -100_000), cpus=4)
    yield Case("tsc-offset100000", "tsc", offsets(0, 100_000), trusted=True)


def _saved_cases(cases):
    for name in ("acpi_pm-agree", "acpi_pm-offset1000", "acpi_pm-offset5000000000", "hpet-offset-100000", "acpi_pm-4cpus", "hpet-jump",
                 "acpi_pm-drift100"):
        yield dataclasses.replace(cases[name], name=f"{name}-saved", way="saved")
    for name, change in (("jump", JUMPS), ("drift", ["drift", "100"])):
        yield Case(f"acpi_pm-offset-{name}-saved", "acpi_pm", offsets(0, 100_000), way="saved", change=change, quiet=False)
    yield Case("acpi_pm-4cpus-jump-saved", "acpi_pm", offsets(0, 1_000, 100_000, -100_000), cpus=4, way="saved", change=JUMPS, quiet=False)


CASES = {case.name: case for case in _cases()}
CASES |= {case.name: case for case in _saved_cases(CASES)}
# As Debian's QEMU has it, for which nothing is to be built. Its CPUs promise no invariant counter, as many virtual ones don't.
STOCK = Case("acpi_pm-stock", "acpi_pm", [])
QUICK = ["acpi_pm-agree", "acpi_pm-offset5000000000-saved", "hpet-drift1000", "acpi_pm-jump"]


@dataclasses.dataclass
class Probe:
    """A host of tests/preload and its arguments; TOLERANCE among them becomes that of the run, in ns."""

    name: str
    host: str
    arguments: list
    limit: int = 60  # seconds
    quick: bool = False
    bare: bool = False  # without the shim

    def arguments_for(self, tolerance_ns):
        return [str(tolerance_ns) if word == "TOLERANCE" else word for word in self.arguments]


def _probe(host, *arguments, quick=False):
    return Probe("-".join([host, *(a for a in arguments if a != "TOLERANCE")]), host, list(arguments), quick=quick)


# Counts that an emulated CPU gets through in a second or two each. Exchanges end after a hundred times as many readings where the
# guest's scheduler keeps the threads together; those that hop between CPUs meet for certain. A storm of forks lasts until all have come.
PROBES = [
    _probe("ordering", "atomic", "2", REALTIME, "10000"),
    _probe("ordering", "atomic", "2", MONOTONIC, "10000", quick=True),
    _probe("ordering", "atomic", "4", MONOTONIC, "5000"),
    _probe("ordering", "mutex", "2", MONOTONIC, "2000"),
    _probe("ordering", "pipe", "2", REALTIME, "500"),
    _probe("migration", "2", MONOTONIC, "2000", quick=True),
    _probe("migration", "5", REALTIME, "2000"),
    _probe("storms", "signals", "2", MONOTONIC, "20000", quick=True),
    _probe("storms", "forks", "2", REALTIME, "20000", "5"),
    _probe("accuracy", "bracket", REALTIME, "TOLERANCE", "5000", quick=True),
    _probe("accuracy", "bracket", MONOTONIC, "TOLERANCE", "5000"),
    _probe("waits", "cond_timedwait", REALTIME, "200", quick=True),
    _probe("waits", "sem_clockwait", MONOTONIC, "200"),
    _probe("waits", "timerfd_read", MONOTONIC, "200"),
    _probe("relations", "between", BOOTTIME, "3000"),
    _probe("relations", "gettimeofday", "3000"),
    _probe("relations", "pair", MONOTONIC, BOOTTIME, "2000", quick=True),
    _probe("relations", "pair", REALTIME, TAI, "2000"),
    _probe("relations", "coarse", MONOTONIC, MONOTONIC_COARSE, "50"),
    _probe("relations", "mtime", "500"),
]
# The kernel's own clock, as it looks to a program without the shim.
BARE = [dataclasses.replace(probe, name="bare-" + probe.name, bare=True) for probe in PROBES
        if probe.host in ("migration", "storms") or "pipe" in probe.arguments]
