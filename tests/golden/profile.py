#!/usr/bin/env python3
"""The instruction profile of the exported functions' fast paths, compared with the one checked in.

usage: profile.py LIBRARY GOLDEN [--update]
       profile.py --self-test COMPILE_COMMANDS

The path goes from each function's first instruction to its first ret, and takes no branch, because
that is how the fast path is laid out. Counted are instructions, loads, stores, conditional branches,
calls, divisions and locked instructions. A change of the fast path shows here as a number and
belongs into the commit message; `--update` writes the new figures. They are those of one compiler
at one optimisation level, which the golden file names; with another one the comparison is skipped
(exit status 77). Besides, the place of the thread's memory, which the fast path takes for granted,
is compared with the library's.

The self-test compiles interpose.cpp as meson does, once as it is and then with one forbidden
instruction planted into answer(). Each must show in its own figure.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

FUNCTIONS = ("clock_gettime", "gettimeofday", "timespec_get")
FIGURES = ("instructions", "loads", "stores", "branches", "calls", "divisions", "locked")
BRANCH = re.compile(r"^j(?!mp)\w+$")
DIVISION = re.compile(r"^(i|v|f|fi)?div")
PREFIX = re.compile(r"^(lock|repn?[ez]?|repnz|notrack|bnd|data16|[c-gs]s)$")


def disassembled(library, function):
    """The instructions of a function, as (address, mnemonic, operands)."""
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", library],
        check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\t(\S+)([^\n]*)$", text, re.M)
    return {int(address, 16): (mnemonic, rest.strip()) for address, mnemonic, rest in lines}


def counts(library, function):
    code = disassembled(library, function)
    addresses = sorted(code)
    out = dict.fromkeys(FIGURES, 0)
    at = addresses[0]
    for _ in range(1000):
        mnemonic, operands = code[at]
        out["instructions"] += 1
        operands = re.sub(r"\s*[#<].*", "", operands)
        prefixes = set()
        while PREFIX.match(mnemonic) and operands:
            prefixes.add(mnemonic)
            mnemonic, _, operands = operands.partition(" ")
            operands = operands.strip()
        parts = re.split(r",(?![^(]*\))", operands)
        in_memory = [("(" in p or p.startswith("%fs:")) for p in parts]
        if mnemonic.startswith(("lea", "nop", "prefetch")):
            pass
        elif mnemonic.startswith("push"):
            out["stores"] += 1
        elif mnemonic.startswith("pop"):
            out["loads"] += 1
        elif any(in_memory):
            reads_only = mnemonic.startswith(("cmp", "test"))
            if len(parts) == 1:  # incq (mem): both
                out["loads"] += 1
                out["stores"] += 1
            elif in_memory[-1] and not reads_only:
                out["stores"] += 1
                out["loads"] += 0 if mnemonic.startswith("mov") else 1
            else:
                out["loads"] += 1
        if BRANCH.match(mnemonic):
            out["branches"] += 1
        if DIVISION.match(mnemonic):
            out["divisions"] += 1
        # xchg with memory locks without a prefix.
        if "lock" in prefixes or (mnemonic.startswith("xchg") and any(in_memory)):
            out["locked"] += 1
        if mnemonic.startswith("call"):
            out["calls"] += 1
        if mnemonic.startswith("ret"):
            return out
        if mnemonic == "jmp":
            at = int(operands.split()[0], 16)
            continue
        at = addresses[addresses.index(at) + 1]
    raise SystemExit(f"{function}: no ret in 1000 instructions")


def misplaced(library):
    """One line if the fast path looks for a thread's table elsewhere than where the library's
    thread-local memory begins if it is the first below the thread pointer. Such a library works, by
    a load more in each call (ThreadCounts::is_near())."""
    looked = {(1 << 64) - int(place, 16)
              for function in FUNCTIONS for _, operands in disassembled(library, function).values()
              for place in re.findall(r"%fs:0x(f{8}[0-9a-f]{8})", operands)}
    headers = subprocess.run(["readelf", "-lW", library],
                             check=True, capture_output=True, text=True).stdout
    size, alignment = (int(word, 16) for word in re.search(
        r"^ +TLS +(?:\S+ +){4}(\S+) +R +(\S+)", headers, re.M).groups())
    place = -(-size // alignment) * alignment
    return [] if looked == {place} else [
        f"the fast path looks for the table {', '.join(map(hex, looked))} below the thread "
        f"pointer, and it is {place:#x} below: ThreadCounts::kNear"]


def compiler(library):
    comment = subprocess.run(["readelf", "-p", ".comment", library],
                             check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"GCC: \([^)]*\) (\d+)\.", comment)))


def differences(now, wanted):
    """One line for each figure that is not as wanted."""
    return [f"{function}: {what} {now[function][what]}, golden {wanted[function].get(what)}"
            for function in FUNCTIONS for what in FIGURES
            if now[function][what] != wanted[function].get(what)]


# Promise 5 forbids these in the fast path. Each line of C++ makes one such instruction, which must
# show in the figure beside it.
PLANTED = (
    ("divisions", 'asm volatile("" ::"r"(ticks.raw() / (std::uint64_t{mode} + 3)));'),
    ("locked", "g_planted.fetch_add(1, std::memory_order_relaxed);"),
    ("locked", "g_planted.exchange(1, std::memory_order_relaxed);"),
)
PLACE = "  const Ticks ticks = Arch::unordered();\n"


def self_test(compile_commands):
    with open(compile_commands, encoding="utf-8") as file:
        entry = next(e for e in json.load(file) if e["file"].endswith("preload/interpose.cpp"))
    command = shlex.split(entry["command"])
    path = pathlib.Path(entry["directory"], entry["file"])
    source = path.read_text(encoding="utf-8")
    if source.count(PLACE) != 1:
        raise SystemExit(f"{path}: not once there: {PLACE.strip()}")

    def profile(folder, name, line):
        file = pathlib.Path(folder, name)
        planted = source.replace(
            "namespace {\n", "namespace {\nstd::atomic<std::uint64_t> g_planted;\n", 1)
        file.with_suffix(".cpp").write_text(planted.replace(PLACE, PLACE + line), encoding="utf-8")
        built = [file.with_suffix(".cpp") if a == entry["file"] else a for a in command]
        built[built.index("-o") + 1] = built[built.index("-MQ") + 1] = file.with_suffix(".o")
        built[built.index("-MF") + 1] = file.with_suffix(".d")
        subprocess.run([*built, "-g0", "-Wno-unused-variable"], check=True, cwd=entry["directory"])
        return {f: counts(file.with_suffix(".o"), f) for f in FUNCTIONS}

    with tempfile.TemporaryDirectory() as folder:
        plain = profile(folder, "plain", "")
        missed = [f"{f}: {plain[f][what]} {what} where nothing is planted" for f in FUNCTIONS
                  for what in ("divisions", "locked") if plain[f][what] != 0]
        for number, (what, line) in enumerate(PLANTED):
            found = differences(profile(folder, f"planted_{number}", line), plain)
            missed += [f"{f}: not found: {line}" for f in FUNCTIONS
                       if f"{f}: {what} 1, golden 0" not in found]
    print(*missed, f"self-test: {len(PLANTED)} planted, {len(missed)} wrong", sep="\n")
    return 1 if missed else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2])
    library, golden = sys.argv[1:3]
    now = {"compiler": "GCC " + "+".join(compiler(library)),
           "functions": {f: counts(library, f) for f in FUNCTIONS}}
    if "--update" in sys.argv:
        with open(golden, "w", encoding="utf-8") as file:
            json.dump(now, file, indent=2)
            file.write("\n")
        return 0
    with open(golden, encoding="utf-8") as file:
        wanted = json.load(file)
    if wanted["compiler"] != now["compiler"]:
        print(f"skipped: built with {now['compiler']}, the figures are of {wanted['compiler']}")
        return 77
    found = differences(now["functions"], wanted["functions"]) + misplaced(library)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


sys.exit(main())
