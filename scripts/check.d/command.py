"""What the checks of the tree have in common: their command line."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(document, violations, self_test):
    """`NAME ROOT` prints each violation and returns 1 if there is any; `NAME --self-test` returns 1 if self_test() has errors."""
    if sys.argv[1:] == ['--self-test']:
        return 1 if self_test() else 0
    if len(sys.argv) != 2:
        print(document, file=sys.stderr)
        return 2
    found = list(violations(pathlib.Path(sys.argv[1])))
    print(*found, sep='\n', end='\n' if found else '')
    return 1 if found else 0
