#!/usr/bin/env python3
"""Checks that the library can be loaded by old C libraries: it names no version of glibc's above 2.17, and no other library.

usage: versions.py LIBRARY
       versions.py --self-test    builds libraries that break the rule with the C compiler, and sees that each is found
With an older glibc, a name that is too new keeps the host from starting, whether or not it is ever used.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MOST = (2, 17)
LIBRARIES = {'libc.so.6', 'ld-linux-x86-64.so.2'}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={'LC_ALL': 'C', 'PATH': '/usr/bin:/bin'}).stdout


def faults_of(library):
    """Yields what is wrong with it, one sentence each."""
    symbols = output_of('objdump', '--dynamic-syms', library)
    for version, name in re.findall(r'\*UND\*\s.*\((\w[\w.]*)\)\s+(\S+)$', symbols, re.MULTILINE):
        numbers = re.fullmatch(r'GLIBC_(\d+(?:\.\d+)*)', version)
        if not numbers:
            yield f'{name} is wanted in version {version}, which is none of glibc\'s public ones'
        elif tuple(int(n) for n in numbers[1].split('.')) > MOST:
            yield f'{name} is wanted in version {version}: above {".".join(map(str, MOST))}'
    dynamic = output_of('objdump', '--private-headers', library)
    for name in re.findall(r'^\s+NEEDED\s+(\S+)$', dynamic, re.MULTILINE):
        if name not in LIBRARIES:
            yield f'{name} would be loaded into each host'
    # glibc 2.36 and later know these relocations; older ones leave them undone.
    if re.search(r'^\s+RELR\s', dynamic, re.MULTILINE):
        yield 'its relocations are packed (DT_RELR)'


def self_test():
    compiler = shutil.which('cc')
    if not compiler:
        sys.exit('no C compiler: scripts/setup build')
    # What is built, with which options, and how many faults it has.
    cases = [
        ('char* getenv(const char*); char* f(void) { return getenv("A"); }', [], 0),
        ('void* dlsym(void*, const char*); void* f(void) { return dlsym(0, "a"); }', [], 1),
        ('void* dlsym(void*, const char*) __attribute__((weak)); void* f(void) { return dlsym ? dlsym(0, "a") : 0; }', ['-Wl,--no-as-needed'], 1),
        ('extern char __libc_single_threaded; int f(void) { return __libc_single_threaded; }', [], 1),
        ('extern char __libc_single_threaded; int f(void) { return __libc_single_threaded; } '
         '__attribute__((visibility("hidden"))) char __libc_single_threaded;', [], 0),
        ('int f(void) { return 1; }', ['-Wl,--no-as-needed', '-lm'], 1),
        ('void* dlsym(void*, const char*); int pthread_key_delete(unsigned); '
         'void* f(void) { pthread_key_delete(1); return dlsym(0, "a"); }', [], 2),
        ('int* f(void) { static int x; static int* p[] = {&x, &x}; return p[0]; }', ['-Wl,-z,pack-relative-relocs'], 1),
    ]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (text, options, expected) in enumerate(cases):
            source = pathlib.Path(folder) / f'{number}.c'
            library = source.with_suffix('.so')
            source.write_text(text)
            built = subprocess.run([compiler, '-shared', '-fPIC', '-w', '-o', library, source, *options], capture_output=True, text=True)
            if built.returncode or 'pack-relative' in built.stderr:
                print(f'self-test: not built here: {text} {options}')
                continue
            faults = list(faults_of(library))
            if len(faults) != expected:
                wrong += 1
                print(f'self-test: {text} {options}: {faults}, not {expected}')
    print(f'self-test: {len(cases) - wrong} of {len(cases)} cases right')
    return wrong


def main():
    if sys.argv[1:] == ['--self-test']:
        return 1 if self_test() else 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    faults = list(faults_of(sys.argv[1]))
    for fault in faults:
        print(f'{sys.argv[1]}: {fault}')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
