# Asks as Python programs do: as often as the arguments say for time.time() and time.monotonic(), and in a lock's time-out.
import sys
import threading
import time


def asks_the_day(times):
    for _ in range(times):
        time.time()


def asks_monotonic(times):
    for _ in range(times):
        time.monotonic()


asks_the_day(int(sys.argv[1]))
asks_monotonic(int(sys.argv[2]))
lock = threading.Lock()
lock.acquire()
for _ in range(20):
    lock.acquire(timeout=0.00001)
