"""What the runs of a case said and what their reports tell, held against the promises."""
import collections
import json
import math
import re

SEGMENT_NS = 4_000_000  # the longest: nothing is served past its end
SLOWEST_GHZ = 1  # of the counters of machines that run these guests: what a jump of so many ticks takes at most
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def duration_ns(text):
    """None where it is no duration."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s)", text)
    return round(float(match[1]) * UNITS[match[2]]) if match else None


# Less proves nothing. Threads that are not made to move meet by chance only, where a busy machine seldom runs two emulated CPUs at
# the same instant: their handoffs are shown and not asked for.
LEAST = {"migration": {"handoffs": 1000, "moves": 1000}, "storms": {"during": 3}}


COLUMNS = ("case", "mode", "handoffs", "backward", "worst ns", "p50 ns", "p99 ns", "max ns", "over %", "outside", "early", "broken")


class Unreachable(Exception):
    def __init__(self, best):
        super().__init__(best)
        self.best = best


class Run:
    """One probe: its numbers, and the reports of its processes, the one that was started first."""

    def __init__(self, probe, folder):
        self.probe = probe
        status = folder / (probe.name + ".status")
        self.status = status.read_text(encoding="utf-8").strip() if status.exists() else "not run"
        self.output = "".join(path.read_text(encoding="utf-8", errors="replace")
                              for path in (folder / (probe.name + ".out"), folder / (probe.name + ".err")) if path.exists())
        said = re.findall(r"^(\w+) \d+ (-?\d+)$", self.output, re.M)
        self.said = {word: int(number) for word, number in said}
        paths = sorted(folder.glob(probe.name + ".*.json"), key=lambda path: int(path.name.split(".")[-2]))
        self.reports = [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def best_tolerances(self):
        for report in self.reports:
            for note in report["notes"]:
                if match := re.search(r"CLOCKSHIM_TOLERANCE=(\S+) could be kept", note):
                    yield match[1]

    def backward(self, word="backward"):
        return self.said.get(word, 0) + self.said.get("children_" + word, 0)

    def worst(self):
        return max(self.said.get("worst", 0), self.said.get("children_worst", 0))

    def one_timeline(self):
        """Whether a process of it had one timeline for all CPUs, at least until it found the counters to be apart."""
        return any(report["mode"] in ("coherent", "aligned") or report["mode_reason"].startswith("a CPU's counter") for report in self.reports)

    def went_back(self):
        return f"{self.backward()} of {self.backward('readings')} readings went back, the worst by {self.worst()} ns"

    def ended_early(self):
        return f"{self.said['early']} of {self.said['turns']} waits ended early, the worst by {-self.said['nearest']} ns"

    def limited(self, jump):
        """What docs/limits.md says of one timeline and a counter that jumps by less than a tick of the kernel, or drifts, where it came to
        pass. `jump`: by how many ns it is apart then, or the length of a segment, if that is less; 0: it does neither."""
        if not jump or not self.one_timeline():
            return
        if 0 < self.worst() <= jump and self.backward():
            yield self.went_back()
        if self.said.get("turns") is not None and self.said["early"] and -self.said["nearest"] <= jump:
            yield self.ended_early()

    def broken(self, tolerance, quiet, allowed_back, jump):
        """Each broken promise in a few words. `allowed_back`: by how much the kernel's own clock goes back, in ns."""
        said = self.said
        limited = list(self.limited(jump))
        if self.status != "0" or not self.reports:
            yield f"ended with status {self.status}, {len(self.reports)} reports: {self.output.strip()[-200:]}"
            return
        served = [clock for clock in self.reports[0]["clocks"].values() if clock["served"] > 0]
        if not served:
            yield f"nothing was served: mode {self.reports[0]['mode']}, {self.reports[0]['mode_reason']}"
        if self.backward() and self.worst() > allowed_back and self.went_back() not in limited:
            yield self.went_back()
        for word, least in LEAST.get(self.probe.host, {}).items():
            if said[word] < least:
                yield f"proves nothing: {word} {said[word]}, wanted are {least}"
        if said.get("turns") is not None and said["early"] and self.ended_early() not in limited:
            yield self.ended_early()
        if not quiet:
            return
        if said.get("outside"):
            yield f"{said['outside']} readings farther from the kernel's than the tolerance, the worst by {said['worst']} ns more"
        for word, allowed in (("early", tolerance), ("late", tolerance), ("too_far", 2 * tolerance), ("too_near", 2 * tolerance)):
            if "turns" not in said and said.get(word, 0) > allowed:
                yield f"{word} {said[word]} ns, allowed are {allowed}"
        if "ahead" in said and said["ahead"] > max(0, said["kernel_ahead"]):
            yield f"what was seen before is {said['ahead']} ns ahead of the served clock; of the kernel's {said['kernel_ahead']}"


class JudgedCase:
    def __init__(self, case, probes, folder, tolerance):
        self.case = case
        self.tolerance = tolerance
        self.runs = [Run(probe, folder) for probe in probes if not probe.bare]
        self.bare = [Run(probe, folder) for probe in probes if probe.bare]
        best = [text for run in self.runs for text in run.best_tolerances()]
        if best:
            raise Unreachable(max(best, key=duration_ns))
        limit = duration_ns(tolerance)
        failed = [f"{run.probe.name}: ended with status {run.status}" for run in self.bare if run.status != "0"]
        allowed_back = max((run.worst() for run in self.bare), default=0)
        allowed_back += limit if allowed_back else 0
        jump = min(SEGMENT_NS, round(int(case.change[1]) / SLOWEST_GHZ) if case.change[0] == "jump" else SEGMENT_NS) if case.change else 0
        self.broken = [f"{run.probe.name}: {why}" for run in self.runs for why in run.broken(limit, case.quiet, allowed_back, jump)]
        self.limited = [f"{run.probe.name}: {why}" for run in self.runs for why in run.limited(jump)]
        self.broken += failed
        self.reports = [report for run in self.runs for report in run.reports]
        # p99 of all processes together is within the tolerance where no more than one sample in a hundred is beyond it: as far as so many
        # samples can tell, by three standard deviations. Of some hundred, two that an emulated CPU was preempted in prove nothing.
        samples, over = self.sum_of("samples"), self.sum_of("over_tolerance")
        self.over = 100 * over / samples if samples else 0
        if case.quiet and over > samples / 100 + 3 * math.sqrt(samples / 100):
            self.broken.append(f"{self.over:.1f} % of {samples} samples beyond the tolerance {tolerance}, the worst by the bracket's end "
                               f"{self.worst_of('max_ns')} ns")
        jumps = folder / "jumps"
        self.jumps = len(jumps.read_text(encoding="utf-8").split()) if jumps.exists() else 0
        if "jump" in case.change and self.jumps < 3:
            self.broken.append(f"proves nothing: the counter jumped {self.jumps} times")
        # What `clockshim doctor --save` said, before the first probe and after the last.
        self.saved = [path.read_text(encoding="utf-8").strip() for path in (folder / "saved", folder / "saved-again") if path.exists()]
        if case.mode():
            self.broken += list(self.wrong_modes())
        self.seconds = 0

    def wrong_modes(self):
        """A mode other than what was planted, and then saved. Where a counter jumps or drifts afterwards, it has to end: a drift ends it in
        each process whose threads go from CPU to CPU. Counters that jump to and fro may be right again before a process sees it."""
        if any("nothing is proved" in text for text in self.saved[:1]):
            yield f"proves nothing: {self.saved[0]}"
            return
        ended = [report for report in self.reports if report["mode"] == "percpu" and report["mode_reason"].startswith("a CPU's counter")]
        wrong = [report for report in self.reports if report["mode"] != self.case.mode() and report not in (ended if self.case.change else [])]
        if wrong:
            yield f"mode {wrong[0]['mode']} ({wrong[0]['mode_reason']}) in {len(wrong)} processes, and not {self.case.mode()}"
        hopped = [report for run in self.runs if run.probe.host == "migration" for report in run.reports]
        if self.case.change and not ended or "drift" in self.case.change and any(report not in ended for report in hopped):
            yield f"{len(ended)} processes have ended the mode {self.case.mode()}, and so should more, since a counter has gone elsewhere"

    def sum_of(self, word):
        return sum(report["accuracy"][word] for report in self.reports)

    def worst_of(self, word):
        return max((report["accuracy"][word] for report in self.reports), default=0)

    def exchanges(self):
        return [run for run in self.runs if run.probe.host in ("ordering", "migration", "storms")]

    def told(self, host, word):
        return sum(run.said.get(word, 0) for run in self.runs if run.probe.host == host)

    def modes(self):
        return collections.Counter(report["mode"] for report in self.reports)

    def row(self):
        return [self.case.name, "+".join(sorted(self.modes())), sum(run.said.get("handoffs", 0) for run in self.exchanges()),
                sum(run.backward() for run in self.exchanges()), max(run.worst() for run in self.exchanges()),
                self.worst_of("p50_ns"), self.worst_of("p99_ns"), self.worst_of("max_ns"), f"{self.over:.1f}",
                self.told("accuracy", "outside"), self.told("waits", "early"), len(self.broken)]

    def remarks(self):
        reasons = collections.Counter(r["mode"] + ": " + re.sub("[0-9]+ ticks", "N ticks", r["mode_reason"]) for r in self.reports)
        lines = [f"{when}: {text.splitlines()[-1]}" for when, text in zip(("saved before", "and after"), self.saved)]
        lines += [f"{text} ({count} of {len(self.reports)} processes)" for text, count in reasons.items()]
        if self.jumps:
            noticed = sum(report["disturbances"] for report in self.reports)
            lines.append(f"the counter jumped {self.jumps} times; {noticed} disturbances noticed")
        lines += [f"within the limits of one timeline: {what}" for what in self.limited]
        if self.bare:
            backward, readings = (sum(run.backward(word) for run in self.bare) for word in ("backward", "readings"))
            worst = max(run.worst() for run in self.bare)
            lines.append(f"without the shim {backward} of {readings} readings went back, the worst by {worst} ns")
        return lines

    def as_json(self):
        runs = [{"name": run.probe.name, "status": run.status, "said": run.said,
                 "reports": [{key: report[key] for key in ("mode", "mode_reason", "clocks", "accuracy", "disturbances", "notes")}
                             for report in run.reports]} for run in self.runs + self.bare]
        return {"case": self.case.name, "clocksource": self.case.clocksource, "cpus": self.case.cpus, "counters": self.case.counters,
                "way": self.case.way, "change": self.case.change, "saved": self.saved,
                "tolerance": self.tolerance, "seconds": self.seconds, "jumps": self.jumps, "over_percent": self.over,
                "row": dict(zip(COLUMNS, self.row())),
                "broken": self.broken, "limited": self.limited, "runs": runs}
