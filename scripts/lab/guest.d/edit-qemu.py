#!/usr/bin/env python3
"""edit-qemu.py SOURCE: makes QEMU's x86 emulation call counters.c where it reads the counter and the model specific registers.

Each edit names the one place that it expects. Where QEMU has changed and the place is not there, or is there more than
once, nothing is guessed: exit 1, and a line that says which edit of which file no longer fits.
"""
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent

WRITE = "if (lab_write_register(env, (uint32_t)env->regs[R_ECX], val)) { return; }\n    "
READ = """if (lab_read_register(env, (uint32_t)env->regs[R_ECX], &val)) {
        env->regs[R_EAX] = (uint32_t)val;
        env->regs[R_EDX] = (uint32_t)(val >> 32);
        return;
    }
    """
DECLARATIONS = """uint64_t lab_counter(CPUX86State *env);
bool lab_read_register(CPUX86State *env, uint32_t number, uint64_t *value);
bool lab_write_register(CPUX86State *env, uint32_t number, uint64_t value);
"""
SWITCH = r"(?=switch \(\(uint32_t\)env->regs\[R_ECX\]\) \{)"

# (file below target/i386, the function to look in, a place, how it goes on there). An empty function is the whole file.
EDITS = [
    ("cpu.h", "", r"(?<=uint64_t cpu_get_tsc\(CPUX86State \*env\);\n)", DECLARATIONS),
    # An emulated CPU promises no invariant counter; the machines that the lab stands for do.
    ("cpu.c", "", r"(?<=#define TCG_APM_FEATURES )0(?=\n)", "CPUID_APM_INVTSC"),
    ("tcg/misc_helper.c", "helper_rdtsc", r"cpu_get_tsc\(env\) \+ env->tsc_offset", "lab_counter(env)"),
    ("tcg/sysemu/misc_helper.c", "helper_wrmsr", SWITCH, WRITE),
    ("tcg/sysemu/misc_helper.c", "helper_rdmsr", SWITCH, READ),
    ("tcg/sysemu/meson.build", "", r"(?<=  'misc_helper.c',\n)", "  'counters.c',\n"),
]


def function(text, name):
    """Where the function's definition begins and ends; all of the text for an empty name."""
    if not name:
        return 0, len(text)
    found = re.search(rf"^void {name}\([^;{{]*\)\n\{{.*?^\}}", text, re.M | re.S)
    return found.span() if found else (0, 0)


def edit(root, file, name, place, new):
    path = root / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    begin, end = function(text, name)
    edited, count = re.subn(place, lambda _: new, text[begin:end])
    if count != 1:
        where = f"{name}() of {path}" if name else path
        sys.exit(f"edit-qemu: this QEMU is not the one expected: {place} stands {count} times, not once, in {where}")
    path.write_text(text[:begin] + edited + text[end:], encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: edit-qemu.py SOURCE")
    root = pathlib.Path(sys.argv[1]) / "target/i386"
    for one in EDITS:
        edit(root, *one)
    shutil.copy(HERE / "counters.c", root / "tcg/sysemu/counters.c")


main()
