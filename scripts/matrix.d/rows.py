"""The list of rows: each is a function that runs a real program in a cell and returns its result as
text, the same at each run where nothing is wrong."""
import dataclasses
import os
import shutil
import typing

from cell import PATH

ROWS = []


@dataclasses.dataclass
class Row:
    name: str
    group: str
    run: typing.Callable
    needs: tuple  # programs, or files
    package: str  # whose version the table has
    short: tuple  # the ways of the short form beside bare; empty: not in it
    limit: int  # seconds a cell
    skip: dict  # by way, why it is not run
    env: dict  # settings of the shim
    root: bool  # whether it needs to be root
    tries: int  # of a cell; more than one only for tests that a busy machine spoils, bare too
    tells: bool  # whether the program asks for the time at all, where a report can be found
    served: bool  # whether its time is to be served

    def missing(self):
        return [need for need in self.needs
                if not (os.path.exists(need) if "/" in need else shutil.which(need, path=PATH))]


def row(name, group, needs=(), package="", short=(), limit=60, skip=None, env=None, root=False,
        tries=1, tells=True, served=True):
    def add(run):
        ROWS.append(Row(name, group, run, (needs,) if isinstance(needs, str) else tuple(needs),
                        package, tuple(short.split()) if isinstance(short, str) else short, limit,
                        skip or {}, env or {}, root or group == "servers", tries,
                        tells, served))
        return run
    return add
