"""The pages of results: docs/results/DAY.md, a page a day of measuring, each table between marks. performance.md has the method."""
import datetime
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs/results"
INDEX = "README.md"

# By the name in its marks, the title of each section. A new page has them in this order.
SECTIONS = {
    "bench": "What a reading costs",
    "image-cost": "What a call costs in programs that take no preload",
    "lab:agreement": "clockshim bench beside other programs",
    "lab:clocks": "What a call costs, by clock",
    "lab:freediameter": "freeDiameter",
    "lab:goals": "freeDiameter, each daemon on a CPU of its own",
    "lab:freediameter-acpi_pm": "freeDiameter in a guest on acpi_pm",
    "lab:redis": "redis-server",
    "lab:postgres": "PostgreSQL",
    "lab:promises": "The promises, where counters disagree",
    "lab:start": "What it costs to start and to end",
    "lab:watched": "What it costs to be watched",
    "lab:go": "A Go daemon that is attached to",
    "lab:go-tests": "Go's own tests, served",
    "lab:attach": "Attached to and detached from under load",
    "lab:musl-root": "The promises in a root of musl",
}


def marks(name):
    return f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"


def write(tables, folder=RESULTS, day=None):
    """Puts each table (by name) between its marks on the page of the day, with a new section where the page has none; and the page into
    the index. What stands around the marks stays."""
    day = day or datetime.date.today().isoformat()
    page = folder / f"{day}.md"
    text = page.read_text(encoding="utf-8") if page.exists() else f"# Results of {day}\n\nThe method is in [performance](../performance.md).\n"
    for name in [*(name for name in SECTIONS if name in tables), *(name for name in tables if name not in SECTIONS)]:
        begin, end = marks(name)
        if begin not in text:
            text += f"\n## {SECTIONS[name]}\n\n{begin}{end}\n"
        before, _, rest = text.partition(begin)
        text = before + begin + tables[name] + end + rest.partition(end)[2]
    folder.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    write_index(folder)
    return page


def write_index(folder=RESULTS):
    """Which table was measured when, from the marks on the pages: newest first."""
    days = {name: [] for name in SECTIONS}
    for page in sorted(folder.glob("????-??-??.md"), reverse=True):
        for name in re.findall(r"<!-- (\S+):begin -->", page.read_text(encoding="utf-8")):
            days.setdefault(name, []).append(page.stem)
    lines = ["| table | measured on |", "|---|---|"]
    lines += [f"| {SECTIONS[name]} | {', '.join(f'[{day}]({day}.md)' for day in found)} |" for name, found in days.items() if found]
    index = folder / INDEX
    begin, end = marks("index")
    text = index.read_text(encoding="utf-8") if index.exists() else f"# Results\n\n{begin}{end}\n"
    before, _, rest = text.partition(begin)
    index.write_text(before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2], encoding="utf-8")


def quotient(over, under, form=".2f"):
    """A ratio as a reader finds it who divides the figures that stand in the table: of what is shown, not of what was measured."""
    return format(float(over.replace(",", "")) / float(under.replace(",", "")), form)


def times(over, under):
    """The same in two digits, where the figures have no more: 2.4, 34, 240."""
    ratio = float(over.replace(",", "")) / float(under.replace(",", ""))
    return f"{ratio:.1f}" if ratio < 9.95 else f"{float(f'{ratio:.2g}'):.0f}"
