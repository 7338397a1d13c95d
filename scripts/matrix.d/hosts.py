"""Rows: what runs a program in an unusual way: debuggers, sanitizers, allocators, other preloads.
The program is host.c, which knows what it may not see, and how often it has asked."""
import pathlib
import re

from cell import Failed, Skipped
from programs import PYTHON, ran
from rows import row

LIB = pathlib.Path("/usr/lib/x86_64-linux-gnu")
TRACED = {"slow": "slowclock traces the program itself"}


def own(text):
    """What the program itself has said on standard error, and does each time."""
    return "".join(line + "\n" for line in text.splitlines()
                   if not line.startswith(("calls ", "==", "clockshim: ")))


def host(cell, *words, build="host", prefix=(), exact=True, **how):
    """Runs host.c; it counts its own calls. `exact`: nothing else in its process has any."""
    program = cell.tools.cache / build
    if not program.exists():
        raise Skipped(f"no {build}: its compiler is not here")
    done = cell.run([*prefix, program, *words], **how)
    found = re.search(r"^calls (\d+)", done.err, re.M)
    if not found:
        last = done.err.strip().splitlines()[-1:]
        raise Failed(f"exit status {done.returncode}: {last[0][:200] if last else '(silent)'}")
    cell.expect_calls(int(found[1]), exact=exact and not prefix)
    return f"{done.out}{own(done.err)}status {done.returncode}"


@row("host.c", "debuggers and sanitizers", (), short="shimmed counted small slow")
def plain(cell):
    return host(cell, "4", "20000")


@row("host.c, gettimeofday with a timezone", "debuggers and sanitizers", (), short="shimmed slow")
def timezone(cell):
    return host(cell, "4", "20000", "zone")


@row("gdb", "debuggers and sanitizers", "gdb", "gdb", short="shimmed", limit=60, skip=TRACED)
def gdb(cell):
    commands = ["set debuginfod enabled off", "set confirm off", "break ask", "run 1 50 still",
                "stepi 400", "backtrace 1", "delete", "break child", "set detach-on-fork off",
                "next 3", "delete", "set detach-on-fork on", "continue"]
    words = [word for one in commands for word in ("-ex", one)]
    done = cell.run(["gdb", "-q", "-nx", "-batch", *words, cell.tools.cache / "host"])
    wanted = re.findall(r"exited normally|backward.*|bad clock.*|child: .*|received signal.*",
                        done.out)
    return "; ".join(wanted) + f" status {done.returncode}"


@row("gdb, a call stepped through", "debuggers and sanitizers", "gdb", "gdb", limit=60, skip=TRACED)
def gdb_steps(cell):
    commands = ["set debuginfod enabled off", "set confirm off", "break now", "run 1 20 still",
                "finish", "continue", "stepi 3000", "delete", "continue"]
    words = [word for one in commands for word in ("-ex", one)]
    done = cell.run(["gdb", "-q", "-nx", "-batch", *words, cell.tools.cache / "host"])
    return "; ".join(re.findall(r"exited normally|backward.*|received signal.*", done.out))


@row("strace -f", "debuggers and sanitizers", "strace", "strace", short="shimmed counted",
     skip=TRACED)
def strace(cell):
    return host(cell, "2", "500", prefix=["strace", "-f", "-qq", "-o", cell.folder / "trace"])


@row("valgrind", "debuggers and sanitizers", "valgrind", "valgrind", short="shimmed", limit=120,
     served=False)
def valgrind(cell):
    return host(cell, "2", "200", prefix=["valgrind", "-q", "--error-exitcode=9"])


def sanitizer(name, build, short=(), **how):
    package = "clang-14" if "clang" in build else "gcc-12"

    @row(name, "debuggers and sanitizers", (), package, short=short, **how)
    def run(cell):
        # The sanitizers' search for leaks can't run below a tracer, as slowclock is one.
        env = {"ASAN_OPTIONS": "detect_leaks=0"} if cell.way.endswith("slow") else None
        return host(cell, "3", "2000", build=build, exact=False, env=env)
    return run


sanitizer("ASan (gcc)", "host-asan", short="shimmed counted")
sanitizer("ASan (clang)", "host-clang-asan")
sanitizer("TSan (gcc)", "host-tsan", short="shimmed counted")
sanitizer("TSan (clang)", "host-clang-tsan")
sanitizer("UBSan (gcc)", "host-ubsan", short="shimmed")
sanitizer("MSan (clang)", "host-clang-msan", short="shimmed counted")


def allocator(name, file, package, short=()):
    for order in ("behind", "before"):
        @row(f"{name} {order} the shim", "allocators and other preloads", str(LIB / file), package,
             short=short)
        def run(cell, order=order):
            how = {"last" if order == "behind" else "first": [LIB / file]}
            return host(cell, "4", "5000", exact=False, **how)


allocator("jemalloc", "libjemalloc.so.2", "libjemalloc2", short="shimmed counted")
allocator("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", short="shimmed")
allocator("mimalloc", "libmimalloc.so.2", "libmimalloc2.0", short="shimmed")


def faketime(name, order):
    file = LIB / "faketime/libfaketimeMT.so.1"

    # Bare has it too: what is compared is the year that it gives, and that a sleep ends.
    @row(name, "allocators and other preloads", (str(file), PYTHON), "libfaketime", short="shimmed",
         tells=False, served=False,
         skip={"counted": "who stands aside for another library may count nothing"})
    def run(cell):
        how = {order: [file], "env": {"FAKETIME": "@2001-02-03 04:05:06"}}
        found = [ran(cell.run(["date", "+%Y"], **how))]
        found.append(ran(cell.run([PYTHON, "-I", "-c", "import time; time.sleep(0.01); "
                                   "print(time.gmtime().tm_year)"], **how)))
        return " ".join(found)


faketime("libfaketime behind the shim", "last")
faketime("libfaketime before the shim", "first")
