# Asks as Python programs do: as often as the arguments say for time.time() and time.monotonic(), and in a lock's time-out.
import sys
import threading
import time

for _ in range(int(sys.argv[1])):
    time.time()
for _ in range(int(sys.argv[2])):
    time.monotonic()
lock = threading.Lock()
lock.acquire()
for _ in range(20):
    lock.acquire(timeout=0.00001)
