"""The HTML site: an index, a page for each notebook, one for the cells of sessions, and modules.

coverage.py's own reporter writes the pages of modules, so that they are as everyone knows them and
stay so. They link to `index.html` beside them, which is ours.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import coverage
from coverage.plugin import FileReporter
from coverage.results import Analysis, Numbers

from ipycov import __version__, coverage_files
from ipycov.folding import NotebookReporter
from ipycov.pages import Page, Section, cell_section, notebook_page
from ipycov.reporters import CellReporter, state_of
from ipycov.view import visible

#: What is said where Jinja2 is missing.
WITHOUT_JINJA = (
    "this is coverage.py's own site: for pages of notebooks, cell by cell, install the extra from "
    "ipycov's checkout: pip install -e '.[html]'"
)


@dataclass(frozen=True)
class Entry:
    """A row of the index. `part` tells that it is a part of the notebook above it.

    `state` says what is to be known of it beyond its figures.
    """

    name: str
    kind: str
    href: str
    numbers: Numbers
    part: bool = False
    state: str = ""

    @property
    def steps(self) -> list[str]:
        """The name in pieces that may stand in lines of their own."""
        return re.findall(r"[^/\\]*[/\\]+|[^/\\]+", self.name)


def has_jinja() -> bool:
    """Whether the package that the site is written with is installed."""
    try:
        import jinja2  # noqa: F401
    except ImportError:
        return False
    return True


def write(
    cov: coverage.Coverage, analysed: Sequence[tuple[FileReporter, Analysis]], directory: Path
) -> float:
    """Write the site of `analysed` to `directory` and return the total percentage.

    `cov` is what coverage.py's reporter writes modules from, and has the options. All files are
    made in a folder of their own first: when that fails, `directory` is as it was.
    """
    total = _sum(cov, (analysis for _, analysis in analysed))
    shown = [each for each in analysed if not is_skipped(cov, each[1].numbers)]
    with _put_in_place(directory) as made:
        modules = [_file(r, a) for r, a in analysed if not _is_ours(r)]
        if modules:
            cov.html_report(morfs=modules, directory=str(made))
        taken = {name.casefold() for name in os.listdir(made)} | {"index.html"}
        regions = [noun for noun in ("function", "class") if f"{noun}_index.html" in taken]
        pages = list(_pages(cov, shown, taken))
        site = _Templates(cov, made)
        for page in pages:
            site.write(page.href, "source.html", page=page)
        site.write(
            "index.html",
            "index.html",
            entries=list(_entries(shown, pages)),
            total=total,
            left_out=len(analysed) - len(shown),
            regions=regions,
        )
    return total.pc_covered if total.n_statements else 0.0


def is_skipped(cov: coverage.Coverage, numbers: Numbers) -> bool:
    """Whether the options leave a file's page out, as coverage.py decides it."""

    def option(name: str) -> bool:
        value = cov.get_option(f"html:{name}")
        return bool(cov.get_option(f"report:{name}") if value is None else value)

    covered = not numbers.n_missing and not numbers.n_partial_branches
    return (covered and option("skip_covered")) or (
        not numbers.n_statements and option("skip_empty")
    )


def _sum(cov: coverage.Coverage, analyses: Iterable[Analysis]) -> Numbers:
    precision = cov.get_option("report:precision")
    total = Numbers(precision=precision if isinstance(precision, int) else 0)
    for analysis in analyses:
        total += analysis.numbers
    return total


def _is_ours(reporter: FileReporter) -> bool:
    return isinstance(reporter, (NotebookReporter, CellReporter))


def _file(reporter: FileReporter, analysis: Analysis) -> str:
    return analysis.filename if reporter.filename is None else reporter.filename


def _pages(
    cov: coverage.Coverage, shown: Sequence[tuple[FileReporter, Analysis]], taken: set[str]
) -> Iterator[Page]:
    """The pages of notebooks, and one for all cells that are in none, of each directory."""
    with_contexts = cov.get_option("html:show_contexts")
    data = cov.get_data()
    sections: dict[str, list[Section]] = defaultdict(list)
    cells: dict[str, list[Analysis]] = defaultdict(list)
    for reporter, analysis in shown:
        contexts = data.contexts_by_lineno(analysis.filename) if with_contexts else {}
        if isinstance(reporter, NotebookReporter):
            href = file_name(reporter.relative_filename(), taken)
            yield notebook_page(reporter, analysis, contexts, href)
        elif isinstance(reporter, CellReporter):
            place = os.path.dirname(reporter.relative_filename())
            sections[place].append(cell_section(reporter, analysis, contexts))
            cells[place].append(analysis)
    for place in sections:
        title = f"Cells of {place}" if place else "Cells"
        href = file_name(os.path.join(place, "In"), taken)
        yield Page(title, "cells", _sum(cov, cells[place]), sections[place], href=href)


def _entries(
    shown: Sequence[tuple[FileReporter, Analysis]], pages: Sequence[Page]
) -> Iterator[Entry]:
    """The rows of the index, in the order of the report."""
    notebooks = {page.name: page for page in pages if page.kind == "notebook"}
    cells = {s.title: (page, s) for page in pages if page.kind == "cells" for s in page.sections}
    for reporter, analysis in shown:
        name = reporter.relative_filename()
        if isinstance(reporter, NotebookReporter):
            page = notebooks[name]
            yield Entry(name, "notebook", quote(page.href), analysis.numbers)
            for section in page.sections:
                href = f"{quote(page.href)}#{section.anchor}"
                yield Entry(f"{name} {section.title}", "cell", href, section.numbers, part=True)
        elif isinstance(reporter, CellReporter):
            page, section = cells[name]
            href = f"{quote(page.href)}#{section.anchor}"
            yield Entry(name, "cell", href, analysis.numbers, state=state_of(reporter))
        else:
            href = quote(coverage_files.page_of_module(name))
            yield Entry(name, "module", href, analysis.numbers, state=state_of(reporter))


def file_name(name: str, taken: set[str]) -> str:
    """The name of the page for what is called `name`: one part of a path, and no other's.

    `taken` are the names that others have, in lower case; the new one is added.
    """
    parts = [part for part in re.split(r"[/\\]+", name) if part not in ("", ".")]
    stem = re.sub(r"[^\w.\-]", "_", "_".join(parts)).lstrip("._") or "page"
    if len(stem) > 60:
        digest = hashlib.sha1(name.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        stem = f"{digest[:12]}_{stem[-40:]}"
    candidate, number = f"{stem}.html", 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}_{number}.html"
    taken.add(candidate.casefold())
    return candidate


@contextmanager
def _put_in_place(directory: Path) -> Iterator[Path]:
    """A folder to write to, whose files are moved into `directory` when all went well.

    Others that are there stay. A directory that was made for nothing is taken away again.
    """
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    was_empty = not os.listdir(directory)
    done = False
    try:
        with tempfile.TemporaryDirectory(prefix=".ipycov-", dir=directory) as made:
            yield Path(made)
            ignore = Path(made, ".gitignore")
            ignore.unlink(missing_ok=True)  # coverage.py found the folder empty
            if was_empty:
                ignore.write_text("# Created by ipycov\n*\n")
            for name in sorted(os.listdir(made), key=lambda name: name == "index.html"):
                os.replace(os.path.join(made, name), directory / name)
        done = True
    finally:
        if not done and was_empty:
            for path in new:
                if not os.listdir(path):
                    path.rmdir()


class _Templates:
    """Writes files of a site from the templates, with all that is inserted escaped."""

    def __init__(self, cov: coverage.Coverage, directory: Path) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup

        self._directory = directory
        environment = Environment(
            loader=PackageLoader("ipycov"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        script = environment.get_template("site.js").render()
        css = cov.get_option("html:extra_css")
        extra = Path(str(css)).read_text(encoding="utf-8") if css else ""
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        environment.globals |= {
            "title": str(cov.get_option("html:title") or "Coverage report"),
            "has_branches": cov.get_data().has_arcs(),
            "script": Markup(script),  # noqa: S704 - our own file
            "script_digest": digest,
            "extra_css": Markup(extra.replace("</", "<\\/")),  # noqa: S704 - the user's own file
            "version": __version__,
            "coverage_version": coverage.__version__,
            "time": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
        }
        self._environment = environment

    def write(self, name: str, template: str, **values: Any) -> None:
        """Write the file `name` from a template."""
        made = self._environment.get_template(template).render(**values)
        (self._directory / name).write_text(made, encoding="utf-8", newline="\n")


def _shown(value: Any) -> Any:
    """A value as a page shows it: a text without characters that can't be seen."""
    if type(value) is not str or value.isprintable():
        return value
    return visible(value)
