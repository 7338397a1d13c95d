"""Rows: languages and their own tests, compilers and other commands."""
import os
import pathlib
import re

from cell import Failed
from rows import row

PYTHON = "/usr/bin/python3"
PYTHON_NAME = pathlib.Path(PYTHON).resolve().name  # of the package, too: python3.11


def ran(done):
    """What a program printed; a failure if it did not end well."""
    if done.returncode != 0:
        last = (done.err.strip() or done.out.strip()).splitlines()[-1:]
        raise Failed(f"exit status {done.returncode}{': ' + last[0][:200] if last else ''}")
    return done.out.strip()


# ---- languages -----------------------------------------------------------------------------------


@row("Erlang", "languages", "erl", "erlang-base", short="shimmed")
def erlang(cell):
    return ran(cell.run(["erl", "-noshell", "-eval", """
Self = self(),
Ask = fun() -> Back = lists:foldl(fun(_, {Last, N}) ->
    T = erlang:monotonic_time(), {T, case T < Last of true -> N + 1; false -> N end} end,
    {erlang:monotonic_time(), 0}, lists:seq(1, 2000)), Self ! element(2, Back) end,
[spawn(Ask) || _ <- lists:seq(1, 50)],
Back = lists:sum([receive N -> N end || _ <- lists:seq(1, 50)]),
[erlang:send_after(N, self(), {tick, N}) || N <- lists:seq(1, 20)],
Ticks = [receive {tick, N} -> N end || N <- lists:seq(1, 20)],
{Us, _} = timer:tc(fun() -> timer:sleep(5) end),
io:format("~p backward, ticks ~p, slept ~p, year ok ~p~n",
    [Back, length(Ticks), Us >= 5000, element(1, date()) > 2020]),
io:format("~s", [os:cmd("echo child")]), init:stop()."""]))


@row("Node", "languages", "node", "nodejs", short="shimmed counted")
def node(cell):
    return ran(cell.run(["node", "-e", """
const {Worker} = require('worker_threads'), {spawnSync} = require('child_process');
const fs = require('fs');
const source = `let back = 0, last = 0n;
for (let i = 0; i < 20000; ++i) {
  const t = process.hrtime.bigint();
  back += t < last; last = t; Date.now();
}
require('worker_threads').parentPort.postMessage(back);`;
let left = 3, back = 0, fired = 0;
const began = performance.now();
for (let i = 0; i < 3; ++i) new Worker(source, {eval: true}).on('message', n => {
  back += n;
  if (--left) return;
  const each = setInterval(() => {
    if (++fired < 5) return;
    clearInterval(each);
    const child = spawnSync('sh', ['-c', 'exit 3']);
    console.log(`backward ${back} early ${performance.now() - began < 5} child ${child.status}`);
    const kinds = fs.readdirSync('/proc/self/fd').length;
    console.log(`descriptors ${kinds}`);
  }, 1);
});
"""]))


@row("Java", "languages", ("java", "javac"), "openjdk-17-jre-headless", short="shimmed")
def java(cell):
    folder = cell.tools.cache / "java"
    return ran(cell.run(["java", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", folder, "Work"]))


@row("Python", "languages", PYTHON, PYTHON_NAME, short="shimmed counted small slow")
def python(cell):
    done = cell.run([PYTHON, "-I", "-c", """
import os, sys, threading, time, subprocess, asyncio, datetime
back = [0]
def ask():
    last = 0
    for _ in range(20000):
        now = time.monotonic_ns(); back[0] += now < last; last = now
        if time.time() < 1.6e9: back[0] += 1
threads = [threading.Thread(target=ask) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
start = time.monotonic(); time.sleep(0.003); print('slept', time.monotonic() - start >= 0.003)
asyncio.run(asyncio.wait_for(asyncio.sleep(0.002), 5))
print('zone', datetime.datetime.now().astimezone().utcoffset(), 'backward', back[0])
pid = os.fork()
if not pid: [time.time() for _ in range(100)]; os._exit(9)
print('child', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print('program', subprocess.run(['sh', '-c', 'exit 4']).returncode)
try: time.clock_gettime(999)
except OSError as e: print('error', e.errno)
print('descriptors', sorted(os.listdir('/proc/self/fd')))
"""])
    return ran(done)


# ---- CPython's own tests -------------------------------------------------------------------------


def cpython(module, limit=120, short=(), skip=None):
    @row(f"CPython's {module}", "CPython's own tests",
         (PYTHON, f"/usr/lib/{PYTHON_NAME}/test/{module}.py"), f"lib{PYTHON_NAME}-testsuite", limit=limit,
         short=short, skip=skip, tries=2)
    def run(cell):
        done = cell.run([PYTHON, "-m", "test", "-v", "--timeout", str(limit - 10), module])
        found = re.findall(r"^Ran (\d+ tests?)|^(OK.*|FAILED.*)$", done.out + done.err, re.M)
        if done.returncode != 0:
            bad = re.findall(r"^(?:FAIL|ERROR): (\S+)", done.out + done.err, re.M)
            raise Failed(f"exit status {done.returncode}: {', '.join(sorted(set(bad)))[:200]}")
        return " ".join(part for pair in found for part in pair if part)
    return run


cpython("test_time", short="shimmed")
cpython("test_datetime")
cpython("test_selectors", short="shimmed")
cpython("test_threading", limit=180)
cpython("test_signal", limit=180)
cpython("test_subprocess", limit=240)


# ---- commands ------------------------------------------------------------------------------------


@row("git", "commands", "git", "git", short="shimmed")
def git(cell):
    repository = cell.folder / "repo"
    repository.mkdir()
    date = "2001-02-03T04:05:06Z"
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_NOSYSTEM": "1"}

    def call(*words):
        return ran(cell.run(["git", "-c", "user.name=n", "-c", "user.email=e@localhost", "-c",
                             "init.defaultBranch=main", "-c", "gc.auto=0", *words], env=dates,
                            cwd=repository))
    call("init", "-q")
    for number in range(5):
        (repository / f"f{number % 3}").write_text(f"{number}\n" * 50, encoding="utf-8")
        call("add", ".")
        call("commit", "-q", "-m", f"c{number}")
    found = [call("rev-parse", "HEAD"), call("status", "--short"), call("gc", "-q"),
             call("fsck", "--full")]
    call("clone", "-q", repository, cell.folder / "clone")
    aged = cell.run(["git", "log", "-1", "--format=%cr"], env=dates, cwd=cell.folder / "clone")
    return " ".join(found) + " " + re.sub(r"\d+", "N", ran(aged))


@row("make", "commands", ("make", "cc"), "make", short="shimmed")
def make(cell):
    # It compares files' times, which are the kernel's, with its own clock: "Clock skew detected".
    lines = ["all: $(addprefix t,1 2 3 4 5 6 7 8 9)", "t%: s%", "\tcp $< $@; date > $@.date"]
    lines += [f"s{n}:\n\techo {n} > $@" for n in range(1, 10)]
    (cell.folder / "Makefile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first = cell.run(["make", "-s", "-j3"])
    second = cell.run(["make", "-j3"])
    return ran(first) + first.err + ran(second) + second.err


@row("gcc", "commands", "gcc", "gcc-12", short="shimmed")
def gcc(cell):
    source = cell.tools.sources / "host.c"
    for number in range(2):
        ran(cell.run(["gcc", "-O1", "-ftime-report", "-c", source, "-o",
                      cell.folder / f"{number}.o"]))
    ran(cell.run(["gcc", cell.folder / "0.o", "-o", cell.folder / "host"]))
    same = (cell.folder / "0.o").read_bytes() == (cell.folder / "1.o").read_bytes()
    return f"{same} " + ran(cell.run([cell.folder / "host", "2", "100"]))


@row("ffmpeg", "commands", "ffmpeg", "ffmpeg", short="shimmed")
def ffmpeg(cell):
    source = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=2"]
    return ran(cell.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "2", *source, "-c:v",
                         "mpeg4", "-bitexact", "-f", "framemd5", "-"]))


@row("date, sleep, timeout, find", "commands", ("date", "timeout", "find"), "coreutils",
     short="shimmed counted slow")
def coreutils(cell):
    found = [ran(cell.run(["date", "-d", "@0", "+%F %T"]))]
    now = int(ran(cell.run(["date", "+%s"])))
    found.append(str(abs(now - os.stat("/proc/self").st_mtime) < 5))
    done = cell.run(["timeout", "0.05", "sleep", "20"])
    found.append(str(done.returncode))
    (cell.folder / "new").touch()
    found.append(ran(cell.run(["find", cell.folder, "-name", "new", "-newermt", "1 minute ago",
                               "-printf", "%f"])))
    return " ".join(found)


# ---- what stands between a program and its user or kernel ----------------------------------------


@row("fakeroot", "wrappers", ("fakeroot", "setpriv"), "fakeroot", short="shimmed")
def fakeroot(cell):
    return ran(cell.run(["fakeroot", "sh", "-c", "touch f; chown 0:0 f; stat -c '%u %g' f; id -u; "
                         "date +%s >t; ls -ln t | cut -d' ' -f3"],
                        user="nobody" if cell.tools.root else None))


@row("bwrap", "wrappers", "bwrap", "bubblewrap", short="shimmed")
def bwrap(cell):
    return ran(cell.run(["bwrap", "--ro-bind", "/", "/", "--bind", cell.reports, cell.reports,
                         "--bind", cell.count_file, cell.count_file, "--dev", "/dev",
                         "--proc", "/proc", "--unshare-all", "--die-with-parent", "sh", "-c",
                         "date +%s >/dev/null; ls /proc/self/fd; echo $$; exit 0"]))


@row("unshare", "wrappers", "unshare", "util-linux", short="shimmed")
def unshare(cell):
    done = cell.run(["unshare", "-U", "-r", "-m", "-p", "-u", "-i", "-f", "--mount-proc", "sh",
                     "-c", "id -u; echo $$; date +%s >/dev/null; exit 6"])
    return f"{done.out.split()} {done.returncode}"


@row("setpriv", "wrappers", "setpriv", "util-linux", short="shimmed counted")
def setpriv(cell):
    return ran(cell.run(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                         "--no-new-privs", "--bounding-set=-all", "sh", "-c",
                         "id -u; date +%s >/dev/null; sleep 0.01; exit 0"]))


@row("sudo", "wrappers", "sudo", "sudo", short="shimmed")
def sudo(cell):
    variables = [f"{key}={value}" for key, value in cell.environment().items()]
    return ran(cell.run(["sudo", "-n", "-u", "nobody", *variables, "sh", "-c",
                         "id -u; date +%s >/dev/null; echo ok"]))


@row("xargs, many short children", "wrappers", ("xargs", "dash"), "findutils", short="shimmed")
def many(cell):
    words = "\n".join(map(str, range(40)))
    return ran(cell.run(["xargs", "-n1", "-P4", "dash", "-c", "date -d @0 +%s >/dev/null; exit 0"],
                        stdin=words)) + "done"
