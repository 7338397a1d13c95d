"""One cell of the matrix: a program that runs in one way, in a folder of its own.

What the rows need to run it is here, and what the reports, the descriptors and the counter say
afterwards. What is compared with what is in judge.py.
"""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

# The ways. `counted`: with a preload before the shim that counts the calls, see counter.c.
WAYS = ("bare", "shimmed", "counted", "small", "slow")
SMALL_MB = 64
SLOW = "2us"
START_LIMIT, END_LIMIT = 30, 30
LOOKS, LOOK_EACH = 4, 0.1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GROUPS = {"nobody": "nogroup"}
SHM = pathlib.Path("/dev/shm")


class Failed(Exception):
    """The program did not do what the row asks of it."""


class Skipped(Exception):
    """The row can't be run here; says why."""


class OutOfTime(Exception):
    """The cell's time limit is over."""


def processes():
    """By process id: its parent's and its name."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:]
            if rest[0] != "Z":
                found[int(entry.name)] = (int(rest.split()[1]), name)
    return found


def below(pid):
    """The processes below pid, pid included, with their names; parents before their children."""
    table, found = processes(), [pid]
    for one in found:
        found += [child for child, (parent, _) in table.items() if parent == one]
    return [(one, table[one][1]) for one in found if one in table]


class Cell:
    """What a row gets to run its program with. `way`: one of WAYS, bare-small or bare-slow."""

    def __init__(self, tools, way, base, row):
        self.tools, self.way, self.row = tools, way, row
        self.shim = not way.startswith("bare")
        self.folder = base / "cell"
        self.reports = base / "reports"
        self.cache = base / "cache"  # what rows make once for all their cells
        self.count_file = base / "count"
        for folder in (self.folder, self.reports):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o777)
            folder.chmod(0o1777)
        self.cache.mkdir(exist_ok=True)
        self.count_file.write_bytes(bytes(4096))
        self.count_file.chmod(0o666)
        self.dir = None if tools.isolated else base / "live"
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.started, self.ports = [], set()
        self.statuses, self.descriptors = [], collections.Counter()
        self.known_calls, self.exact = None, True
        self.shm_used = 0

    # ---- how a program is started ----------------------------------------------------------------

    def environment(self, first=(), last=()):
        """The variables that make the way. `first` and `last`: preloads before and behind it."""
        found = {}
        preloads = list(first)
        if self.shim:
            if self.way == "counted":
                preloads.append(self.tools.counter)
                found["MATRIX_COUNT"] = self.count_file
            preloads += self.tools.libraries
            found["CLOCKSHIM_REPORT"] = self.reports / "%e.%p.json"
            if self.dir:
                found["CLOCKSHIM_DIR"] = self.dir
            found.update(self.tools.settings)
        preloads += last
        if preloads:
            found["LD_PRELOAD"] = ":".join(map(str, preloads))
        return {key: str(value) for key, value in found.items()}

    def command(self, words, user=None, first=(), last=(), env=None):
        """The whole command: slowclock, the change of user, the variables, and the words."""
        whole = []
        if self.way.endswith("slow"):
            whole += [self.tools.slowclock, "--by", "calls", "--cost", SLOW, "--"]
        if user:
            group = GROUPS.get(user, user)
            whole += ["setpriv", "--reuid", user, "--regid", group, "--init-groups"]
        variables = {**self.environment(first, last), **(env or {})}
        if self.row.env and self.shim:
            variables.update(self.row.env)
        if variables:
            whole += ["env", *(f"{key}={value}" for key, value in variables.items())]
        return [str(word) for word in [*whole, *words]]

    @property
    def outer(self):
        return {"PATH": PATH, "HOME": str(self.folder), "LANG": "C.UTF-8", "TZ": "UTC",
                "TMPDIR": str(self.folder), "SHELL": "/bin/sh"}

    def start(self, words, shim=True, stdout=None, cwd=None, **how):
        """Starts a program in the background, with its output in a log in the folder."""
        whole = self.command(words, **how) if shim else [str(word) for word in words]
        log = self.folder / f"log.{len(self.started)}"
        with open(log, "wb") as out:
            process = subprocess.Popen(whole, stdin=subprocess.DEVNULL, stdout=stdout or out,
                                       stderr=out, env=self.outer, cwd=cwd or self.folder,
                                       start_new_session=True)
        process.log = log
        self.started.append(process)
        return process

    def run(self, words, shim=True, stdin="", cwd=None, check=None, status=True, **how):
        """Runs a program to its end. Its exit status goes into the comparison where `status`.
        `check`: the exit status that is wanted; else what came of it is a failure."""
        whole = self.command(words, **how) if shim else [str(word) for word in words]
        process = subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace",
                                   env=self.outer, cwd=cwd or self.folder, start_new_session=True)
        self.started.append(process)
        process.out, process.err = process.communicate(stdin)
        if self.way.endswith("slow"):
            process.err = re.sub(r"^slowclock: clock_gettime.*\n", "", process.err, flags=re.M)
            if process.returncode > 128:  # which is how it tells that a signal ended the command
                process.returncode = 128 - process.returncode
        if shim and status:
            self.statuses.append(process.returncode)
        if check is not None and process.returncode != check:
            last = (process.err.strip() or process.out.strip()).splitlines()[-1:]
            raise Failed(f"{pathlib.Path(str(words[0])).name}: exit status {process.returncode}"
                         f"{': ' + last[0][:200] if last else ''}")
        return process

    def quietly(self, words, **how):
        """Runs what is not under test: no shim."""
        return self.run(words, shim=False, check=0, **how).out

    def port(self):
        """A free TCP port of loopback, that no other call has returned."""
        while True:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            if port not in self.ports:
                self.ports.add(port)
                return port

    def wait_for(self, good, server, what):
        """Polls until good() is true. OSError counts as not yet."""
        end = time.monotonic() + START_LIMIT
        while True:
            try:
                if good():
                    return
            except OSError:
                pass
            if server.poll() is not None:
                raise Failed(f"ended before {what}, status {server.returncode}: "
                             f"{self.last(server)}")
            if time.monotonic() > end:
                raise Failed(f"no {what} within {START_LIMIT} s: {self.last(server)}")
            time.sleep(0.02)

    def wait_for_port(self, port, server):
        def answers():
            with socket.create_connection(("127.0.0.1", port), 1):
                return True
        self.wait_for(answers, server, "its port answered")

    @staticmethod
    def last(process):
        text = process.log.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.strip().splitlines() if not line.startswith("slowclock:")]
        return lines[-1][:200] if lines else "(silent)"

    def stop(self, process, by=signal.SIGTERM):
        """Looks at a daemon's descriptors, and ends it as an operator would. Its exit status goes
        into the comparison."""
        self.look_at(process)
        self.send(process, by)
        try:
            process.wait(END_LIMIT)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"still there {END_LIMIT} s after {signal.Signals(by).name}") from e
        slow = self.way.endswith("slow") and process.returncode > 128
        self.statuses.append(128 - process.returncode if slow else process.returncode)

    def send(self, process, what):
        """A signal for the daemon itself: slowclock passes on some only."""
        if process.poll() is None:
            os.kill(self.tree(process)[0][0], what)

    # ---- what is looked at -----------------------------------------------------------------------

    def tree(self, process):
        """A daemon's processes, without what stands before it."""
        return [(pid, name) for pid, name in below(process.pid) if name not in ("slowclock",)]

    def look_at(self, process):
        """Notes the descriptors of a daemon and of its processes, by program and kind. What comes
        and goes meanwhile (a connection, a process that ends) is none that is left behind."""
        for look in range(LOOKS):
            seen = collections.Counter()
            for pid, name in self.tree(process):
                try:
                    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                        target = os.readlink(entry).replace(str(self.folder), "FOLDER")
                        seen[name, re.sub(r"[0-9]+", "N", target)] += 1
                except OSError:
                    continue  # has ended since
            self.descriptors = self.descriptors & seen if look else seen
            time.sleep(LOOK_EACH)
        self.look_at_memory()

    def look_at_memory(self):
        """Notes how much of /dev/shm is taken."""
        if SHM.exists():
            room = os.statvfs(SHM)
            used = (room.f_blocks - room.f_bfree) * room.f_frsize
            self.shm_used = max(self.shm_used, used)

    def expect_calls(self, number, exact=True):
        """The program itself has counted so many calls; not exact: others ran beside it."""
        self.exact = self.exact and exact
        self.known_calls = (self.known_calls or 0) + number

    def counted(self):
        """What counter.c counted: the calls that must be told, and those that may be."""
        counts = memoryview(self.count_file.read_bytes()).cast("L")
        return counts[0], counts[0] + counts[1]

    def told(self):
        """All reports and live files: calls, and the programs that were served nothing."""
        calls, passed = 0, set()
        for file in self.reports.iterdir():
            try:
                report = json.loads(file.read_text(encoding="utf-8", errors="replace"))
            except ValueError as e:
                raise Failed(f"report {file.name}: {e}") from e
            calls += sum(site["calls"] for site in report["sites"] if not site["sampled"])
            calls += report["dropped"]
            if report["mode"] == "passthrough":
                passed.add(report["program"])
        command = [self.tools.command, "list", "--json", *(["--dir", self.dir] if self.dir else [])]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"clockshim list: {done.stderr.strip()}")
        for entry in json.loads(done.stdout)["files"]:
            calls += entry["calls"]
            if entry["calls"] and entry["mode"] == "passthrough":
                passed.add(entry["program"])
        return calls, passed

    # ---- the end ---------------------------------------------------------------------------------

    def end(self):
        """Nothing that the cell started stays, nor anything in the shared memory."""
        mine = {pid for process in self.started for pid, _ in below(process.pid)}
        if self.tools.isolated:  # daemons that left us are here too, and nobody else is
            mine |= set(processes()) - self.tools.spared
        for pid in mine - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        for process in self.started:
            process.wait()
        try:
            while self.tools.isolated and os.waitpid(-1, os.WNOHANG)[0] > 0:
                pass  # we are their init
        except ChildProcessError:
            pass
        where = ["--dir", self.dir] if self.dir else []
        subprocess.run([self.tools.command, "gc", *where], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        if self.tools.isolated:
            for entry in SHM.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
