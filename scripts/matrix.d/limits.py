"""Rows: programs below limits, and with settings that can't be used."""
from cell import Failed
from hosts import own
from programs import PYTHON
from rows import row


def limited(name, limit, command, short="shimmed", user=None, silent=True, **how):
    """`limit`: a shell's words before the program is executed. Not silent: what stands on standard
    error is the report's."""
    @row(name, "limits", (), short=short, **how)
    def run(cell):
        words = command(cell) if callable(command) else command
        done = cell.run(["sh", "-c", f'{limit} && exec "$@"', "sh", *words], user=user)
        if not cell.shim and done.returncode != 0:
            raise Failed(f"exit status {done.returncode}: {done.err.strip()[:200]}")
        if "runs on with real time" in done.err:
            raise Failed(f"not served: {done.err.strip()[:200]}")
        return f"{done.out}{own(done.err) if silent else ''}status {done.returncode}"


def small_host(cell):
    return [cell.tools.cache / "host", "2", "200"]


FEW = [PYTHON, "-I", "-c", "import time\nfor _ in range(1000): time.time()\nprint('ok')"]
THREADS = [PYTHON, "-I", "-c", """
import threading, time
found = []
def ask(): found.append(sum(time.monotonic() > 0 for _ in range(100)))
threads = [threading.Thread(target=ask) for _ in range(10)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(found))"""]

limited("RLIMIT_FSIZE 0", "prlimit --pid $$ --fsize=0", small_host, tells=False)
limited("RLIMIT_FSIZE 100 KiB", "prlimit --pid $$ --fsize=102400", small_host,
        short="shimmed counted")
limited("RLIMIT_AS 24000 KiB", "ulimit -v 24000", FEW)
limited("RLIMIT_DATA 6000 KiB", "ulimit -d 6000", FEW)
limited("RLIMIT_NOFILE 4", "ulimit -n 4", small_host, short="shimmed counted")
limited("RLIMIT_NOFILE 16, Python", "ulimit -n 16", THREADS)
limited("RLIMIT_STACK 128 KiB", "ulimit -s 128", small_host)
limited("RLIMIT_NPROC 1", "prlimit --pid $$ --nproc=1", FEW, user="nobody", root=True)
limited("RLIMIT_MEMLOCK 8 MB, mlockall", "ulimit -l 8000",
        lambda cell: ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                      cell.tools.cache / "lock"])
limited("descriptors 0, 1 and 2 closed", "exec <&- >&- 2>&-", FEW)
limited("umask 0777", "umask 0777", FEW, user="nobody", root=True)
limited("settings that are set but empty", "true", FEW,
        env={name: "" for name in ("CLOCKSHIM_TOLERANCE", "CLOCKSHIM_ORDER", "CLOCKSHIM_CLOCKS",
                                   "CLOCKSHIM_PROFILE", "CLOCKSHIM_DEPTH", "CLOCKSHIM_LOG")})
limited("a report that can't be written", "true", FEW, tells=False,
        env={"CLOCKSHIM_REPORT": "/nonexistent/report.json"}, silent=False,
        skip={"counted": "its report goes to standard error, as text"})
