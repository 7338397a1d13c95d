#!/usr/bin/env python3
"""The instruction profile of the exported functions' hot paths, compared with the one checked in.

usage: profile.py LIBRARY GOLDEN [--update]

From each function's first instruction, branches not taken (that is how the hot path is laid out), to its first ret.
Counted: instructions, loads, stores, conditional branches, calls. A change of the hot path shows here as a number and
belongs into the commit message; `--update` writes the new figures. The figures are those of one compiler at one
optimisation level, named in the golden file; with another the comparison is skipped (exit status 77).
"""
import json
import re
import subprocess
import sys

FUNCTIONS = ("clock_gettime", "gettimeofday", "timespec_get")
BRANCH = re.compile(r"^j(?!mp)\w+$")


def disassembled(library, function):
    """The instructions of a function, as (address, mnemonic, operands)."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", library],
                          check=True, capture_output=True, text=True).stdout
    return {int(a, 16): (m, o.strip()) for a, m, o in re.findall(r"^\s*([0-9a-f]+):\t(\S+)([^\n]*)$", text, re.M)}


def counts(library, function):
    code = disassembled(library, function)
    addresses = sorted(code)
    out = dict.fromkeys(("instructions", "loads", "stores", "branches", "calls"), 0)
    at = addresses[0]
    for _ in range(1000):
        mnemonic, operands = code[at]
        out["instructions"] += 1
        operands = re.sub(r"\s*[#<].*", "", operands)
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
        if mnemonic.startswith("call"):
            out["calls"] += 1
        if mnemonic.startswith("ret"):
            return out
        if mnemonic == "jmp":
            at = int(operands.split()[0], 16)
            continue
        at = addresses[addresses.index(at) + 1]
    raise SystemExit(f"{function}: no ret in 1000 instructions")


def compiler(library):
    comment = subprocess.run(["readelf", "-p", ".comment", library], check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"GCC: \([^)]*\) (\d+)\.", comment)))


def main():
    library, golden = sys.argv[1:3]
    now = {"compiler": "GCC " + "+".join(compiler(library)), "functions": {f: counts(library, f) for f in FUNCTIONS}}
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
    different = 0
    for function in FUNCTIONS:
        for what, figure in wanted["functions"][function].items():
            if now["functions"][function][what] != figure:
                print(f"{function}: {what} {now['functions'][function][what]}, golden {figure}")
                different = 1
    return different


sys.exit(main())
