"""Programs side by side, of which one is awake at a time, for half a second each, in turns; the others are stopped (SIGSTOP).

What disturbs a shared machine comes and goes within seconds, and then takes a third of its speed and more. Runs one after the other each
meet another machine. In slices, all meet the same one.
"""
import os
import signal
import time

SLICE = 0.5  # long against what waking a program costs, short against what disturbs


def send(group, number):
    for pid in group:
        os.kill(pid, number)


def take(groups, seconds):
    """`groups`: by name, the process ids of each, all of them stopped; so they are at the end. Each is awake for so many seconds, in
    slices. Returns for how long each really was."""
    awake = dict.fromkeys(groups, 0.0)
    order = list(groups)
    for _ in range(max(1, round(seconds / SLICE))):
        for name in order:
            start = time.monotonic()
            send(groups[name], signal.SIGCONT)
            time.sleep(max(0.0, start + SLICE - time.monotonic()))
            send(groups[name], signal.SIGSTOP)
            awake[name] += time.monotonic() - start
    return awake
