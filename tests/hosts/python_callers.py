# Asks for the time from functions of every kind, as often as it says at the end: "asked NUMBER LINE FILE NAME", by the interpreter's own
# word for each function. The first argument is what to do.
import collections
import os
import sys
import threading
import time

asked = collections.Counter()


def note():
    code = sys._getframe(1).f_code
    asked[(code.co_firstlineno, code.co_filename, code.co_qualname)] += 1


def plain(times):
    for _ in range(times):
        time.time()
        note()


def three_clocks():
    time.time()
    note()
    time.monotonic()
    note()
    time.perf_counter_ns()
    note()


def clock_by_number():
    time.clock_gettime(time.CLOCK_REALTIME)
    note()


class Nested:
    # A comprehension is a function of its own up to 3.11, and none from 3.12 on.
    def comprehension(self):
        return [(time.time(), note()) for _ in range(10)]

    def method(self):
        def inner():
            time.monotonic()
            note()

        inner()
        time.time()
        note()
        return (lambda: (time.time(), note()))()


def recursive(depth):
    time.time()
    note()
    if depth > 0:
        recursive(depth - 1)


def generator(times):
    for _ in range(times):
        time.time()
        note()
        yield


def outer_generator(times):
    yield from generator(times)
    time.time()
    note()


async def awaited():
    time.monotonic()
    note()


async def coroutine(times):
    for _ in range(times):
        await awaited()
    time.time()
    note()


# Strings of one, two and four bytes a character.
def größe():
    time.time()
    note()


def 時間():
    time.time()
    note()


def 時間_𐌰():
    time.time()
    note()


class Finalized:
    def __del__(self):
        time.time()
        note()


# Code that C code calls.
class Compared:
    def __lt__(self, other):
        time.time()
        note()
        return id(self) < id(other)


def functions():
    plain(3000)
    for _ in range(500):
        three_clocks()
        clock_by_number()
        Nested().method()
    Nested().comprehension()
    recursive(50)
    for _ in outer_generator(700):
        pass
    running = coroutine(300)
    try:
        running.send(None)
    except StopIteration:
        pass
    for _ in range(40):
        größe()
        時間()
        時間_𐌰()
        Finalized()
    sorted([Compared() for _ in range(20)])
    list(map(lambda _: (time.time(), note()), range(60)))


def module_level():
    source = "for _ in range(90):\n    time.time()\n    note()\n"
    for file in "/no/such/module.py", "größe.py", "時間_𐌰.py":
        exec(compile(source, file, "exec"), {"time": time, "note": note})


# Each is gone before the next is made, which then stands in its place, with its names where the last one's were.
def short_lived():
    for i in range(1500):
        name, file = f"short_{i % 100}", f"<made {i % 3}>"
        source = f"def {name}():\n    time.time()\n    note()\n{name}()\n"
        exec(compile(source, file, "exec"), {"time": time, "note": note})


# More functions than there is room for. CLOCK_BOOTTIME, because nobody else here asks for it.
def too_many():
    for i in range(3000):
        source = f"def many_{i}():\n    time.clock_gettime(time.CLOCK_BOOTTIME)\nmany_{i}()\n"
        exec(source, {"time": time})


def in_threads():
    def work(times):
        for _ in range(times):
            time.monotonic()

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked[(work.__code__.co_firstlineno, work.__code__.co_filename, work.__qualname__)] += 10000


# A thread that waits for the interpreter's lock asks for the time without it.
def time_outs():
    def hold(stop):
        while not stop.is_set():
            sum(range(1000))

    stop = threading.Event()
    other = threading.Thread(target=hold, args=(stop,))
    other.start()
    lock = threading.Lock()
    lock.acquire()
    for _ in range(200):
        lock.acquire(timeout=0.0001)
        plain(10)
    stop.set()
    other.join()


# The interpreter goes away below threads that are in the middle of asking.
def daemons():
    def spin():
        lock = threading.Lock()
        lock.acquire()
        while True:
            lock.acquire(timeout=0.00001)
            time.time()

    sys.setswitchinterval(1e-5)
    for _ in range(8):
        threading.Thread(target=spin, daemon=True).start()
    plain(2000)
    asked.clear()


# The child has all the room there is, whatever the parent has used of its own.
def forked():
    plain(300)
    too_many()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        asked.clear()
        plain(70)
        recursive(2)
    else:
        os.waitpid(child, 0)


def in_signal_handler():
    import signal

    def handler(number, frame):
        time.time()
        note()

    signal.signal(signal.SIGUSR1, handler)
    for _ in range(300):
        time.monotonic()
        note()
        os.kill(os.getpid(), signal.SIGUSR1)


def sub_interpreter():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    other = interpreters.create()
    interpreters.run_string(other, "import time\ndef other():\n    time.clock_gettime(time.CLOCK_BOOTTIME)\nfor _ in range(80): other()\n")
    interpreters.destroy(other)
    plain(20)


def killed():
    plain(500)
    os.kill(os.getpid(), 9)


globals()[sys.argv[1]]()
for (line, file, name), times in asked.items():
    sys.stdout.buffer.write(f"asked {os.getpid()} {times} {line} {file}|{name}\n".encode())
sys.stdout.flush()
