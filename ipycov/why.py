"""Why a module, a file or a cell is measured or not, in plain words, and what to change."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from types import ModuleType

import coverage

from ipycov import coverage_files
from ipycov.cells import Cell, CellBook, label_of
from ipycov.options import Options

_CELL = re.compile(r"(?:In\s*)?\[(?P<bracketed>\d+)\](?:\.(?P<nested>\d+))?|(?P<number>\d+)")
_EARLY = "it ran before ipycov was loaded; its functions are measured when cells call them"
_LOOKS_LIKE_A_PATH = (".py", ".pyc", ".pyw", ".ipynb", ".ipy", ".so", ".pyd")


@dataclass(frozen=True)
class Answer:
    """Whether `name` is measured, `why` in a sentence, and what to `change` where one can."""

    name: str
    measured: bool
    why: str
    change: str = ""

    def __str__(self) -> str:
        verdict = "is measured" if self.measured else "is not measured"
        return f"{self.name} {verdict}: {self.why}. {sentence(self.change)}".rstrip()


@dataclass
class Facts:
    """What is known of a session, or of a directory where none has run.

    `cov` is a `Coverage` that can decide on files. `ran` has the number of lines that ran, by
    filename, None where nothing can have run. `unmeasured` says by filename why a cell that ran
    was not measured, and `changed` what has become of a module since. `before` are the modules that
    were imported before measuring began.
    """

    cov: coverage.Coverage
    options: Options = field(default_factory=Options)
    book: CellBook = field(default_factory=CellBook)
    ran: Mapping[str, int] | None = None
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    before: Collection[str] = ()
    modules: Mapping[str, ModuleType] = field(default_factory=lambda: sys.modules)
    measuring: bool = True


def sentence(text: str) -> str:
    """`text` with the sign that ends it."""
    return text + ("" if not text or text.endswith("?") else ".")


def explain(name: str, facts: Facts) -> Answer:
    """Why the cell, the file or the module `name` is measured or not."""
    name = name.strip()
    cell = _CELL.fullmatch(name)
    if cell is not None and facts.ran is not None:
        return _cell(int(cell["bracketed"] or cell["number"]), int(cell["nested"] or 0), facts)
    if os.path.isfile(name) or os.sep in name or name.endswith(_LOOKS_LIKE_A_PATH):
        return _file(name, name, None, facts)
    return _module(name, facts)


# ---------------------------------------------------------------- cells


def _cell(count: int, nested: int, facts: Facts) -> Answer:
    label = label_of(count, nested)
    cell = facts.book.at_count(count, nested)
    if cell is None:
        return Answer(
            label,
            False,
            "no cell with this number was run since ipycov was loaded",
            "Load it in the first cell, then run the cell again",
        )
    if cell.replaced:
        newer = facts.book.now(cell).label
        return Answer(
            label,
            False,
            f"the cell has a newer text, {newer}, which reports show in its place",
            "What it ran in other cells and modules still counts",
        )
    if cell.count != count:
        return Answer(label, True, f"the cell was run again, and reports call it {cell.label} now")
    if cell.error is not None:
        return Answer(label, False, cell.error, "Put the text right and run it again")
    if not cell.translation.python.strip():
        return Answer(label, False, "it holds nothing to run")
    if cell.is_ours:
        return Answer(
            label, False, "it holds ipycov's own magics only, which are no part of a program"
        )
    lines = (facts.ran or {}).get(cell.filename, 0)
    if not lines:
        unmeasured = "nothing of it has run yet" if cell.measured else _EARLY
        why = facts.unmeasured.get(cell.filename, unmeasured)
        return Answer(label, False, why, "Run it again once that has changed")
    return Answer(label, True, _ran(lines) + _foreign(cell))


def _foreign(cell: Cell) -> str:
    """What to say of a body that is not Python."""
    headers = cell.translation.compiled_headers
    if not headers or cell.translation.python.count("run_cell_magic") == 0:
        return ""
    return f". What stands below %%{headers[-1].name} is not followed: the magic is one statement"


def _ran(lines: int) -> str:
    return "1 line of it has run" if lines == 1 else f"{lines} lines of it have run"


# ---------------------------------------------------------------- modules and files


def _module(name: str, facts: Facts) -> Answer:
    module = facts.modules.get(name)
    path = getattr(module, "__file__", None) if module is not None else None
    if module is not None and path is None:
        if getattr(module, "__path__", None) is not None:
            return Answer(name, False, "it is a folder of modules and has no code of its own")
        if name in sys.builtin_module_names or hasattr(module, "__spec__"):
            return Answer(
                name, False, "it has no file of Python source: it was made by code or in C"
            )
    if path is None:
        try:
            found, path = _find(name)
        except (ImportError, ValueError, AttributeError, TypeError):
            found, path = False, None
        if found and path is None:
            return Answer(
                name, False, "it has no file of Python source: it is built in or a folder"
            )
        if not found:
            return Answer(
                name,
                False,
                "no module, file or cell of this name was found",
                "Is it spelled right, and is its folder on sys.path?",
            )
    return _file(name, str(path), name, facts)


def _find(name: str) -> tuple[bool, str | None]:
    """Whether there is a module `name`, and its file; nothing is imported to find it."""
    if name in sys.builtin_module_names:
        return True, None
    path: list[str] | None = None
    origin: str | None = None
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), path)
        if spec is None:
            return False, None
        origin, path = spec.origin, list(spec.submodule_search_locations or [])
    return True, origin


def _file(name: str, path: str, module: str | None, facts: Facts) -> Answer:
    filename = os.path.realpath(path)
    if not os.path.exists(filename):
        return Answer(name, False, f"there is no file {filename}", "Is the path right?")
    if os.path.isdir(filename):
        return Answer(name, False, "it is a directory", "Name a file in it")
    of_run = [cell for cell in facts.book if cell.file == filename]
    if any((facts.ran or {}).get(cell.filename) for cell in of_run):
        return Answer(name, True, "a cell has run it with %run")
    if filename.endswith(".ipynb"):
        return Answer(
            name,
            False,
            "a kernel does not know which notebook its cells come from, and reports name them "
            "In[n]",
            "Name a cell, or measure the whole notebook with 'ipycov run'",
        )
    if not filename.endswith((".py", ".pyw", ".ipy")):
        return Answer(name, False, "it is no file of Python source, so it has no lines to measure")
    if module is None:
        module = _imported_as(filename, facts)
    refusal = coverage_files.refusal(facts.cov, filename, module)
    if refusal is not None:
        return Answer(name, False, *_in_words(refusal, filename, facts))
    if facts.ran is None:
        return Answer(name, True, "its lines count from its import on, in code that is measured")
    early = (
        "its top level ran before measuring began, so the lines that only the import runs are "
        "missed",
        "Load ipycov first and restart the kernel, or import it again with importlib.reload",
    )
    lines = facts.ran.get(filename, 0)
    if lines:
        changed = facts.changed.get(filename)
        ran = _ran(lines) + (f" (it was {changed})" if changed else "")
        if module in facts.before:
            return Answer(name, True, f"{ran}, but {early[0]}", early[1])
        return Answer(name, True, ran)
    if module in facts.before:
        why = f"it was imported before measuring began and nothing of it has run since: {early[0]}"
        return Answer(name, False, why, early[1])
    if module is not None and module in facts.modules:
        return Answer(
            name,
            False,
            "it was imported, but by code that was not measured: while measuring was off, between "
            "cells, in a thread that was started before measuring, or before %coverage_erase",
            "Import it again in a cell with importlib.reload",
        )
    off = "" if facts.measuring else ", and measuring is off: %coverage_start"
    return Answer(
        name,
        False,
        f"nothing has imported it in this process{off}",
        "What a process runs that a cell starts is counted when it has ended; kernels that others "
        "start are measured with 'patch = subprocess' and 'plugins = ipycov'",
    )


def _imported_as(filename: str, facts: Facts) -> str | None:
    """The name of the module that was imported from a file."""
    for name, module in list(facts.modules.items()):
        own = getattr(module, "__file__", None)
        if name == "__main__" or not isinstance(own, str):
            continue
        if os.path.basename(own) == os.path.basename(filename) and (
            os.path.realpath(own) == filename
        ):
            return name
    return None


def _in_words(refusal: str, filename: str, facts: Facts) -> tuple[str, str]:
    """coverage.py's reason for leaving a file out as a sentence, and what to change."""

    def given(option: str) -> str:
        value = facts.cov.get_option(f"run:{option}") or []
        names = [*value] if isinstance(value, list) else [str(value)]
        if option == "source":
            packages = facts.cov.get_option("run:source_pkgs")
            names += packages if isinstance(packages, list) else []
        return ", ".join(map(str, names))

    package = os.path.basename(os.path.dirname(filename))
    if "falls outside the --source" in refusal:
        return (
            f"it is outside of 'source', which is {given('source')}",
            f"Add its directory or package to 'source' {place('source', facts)}",
        )
    if "inside --source" in refusal:
        return (
            "it is inside of 'source', but in a folder of installed packages",
            f"Name its package itself in 'source' {place('source', facts)}",
        )
    if "falls outside the --include" in refusal:
        return (
            f"no pattern of 'include' fits, which is {given('include')}",
            f"Add a pattern to 'include' {place('include', facts)}",
        )
    if "--omit" in refusal:
        pattern = coverage_files.omitting(facts.cov, filename) or given("omit")
        return (
            f"it is left out by the pattern {pattern} of 'omit'",
            f"Change 'omit' {place('omit', facts)}",
        )
    if "third-party" in refusal:
        return (
            "it is in a folder of installed packages, which are left out",
            f"Name its package in 'source', such as IPyCov.source = [{package!r}]",
        )
    if "stdlib" in refusal:
        return (
            "it is part of Python's standard library, which is left out",
            "Set 'cover_pylib' to measure it",
        )
    if "part of ipycov" in refusal or "part of coverage" in refusal:
        return f"it {refusal}, which measures and is never measured itself", ""
    return f"coverage.py says that it {refusal}", ""


def place(option: str, facts: Facts) -> str:
    """Where an option that holds was set, for the user to change it there."""
    if getattr(facts.options, option) is not None:
        return f"with %config IPyCov.{option}"
    path = coverage_files.config_file(facts.cov)
    return f"in the [run] settings of {path}" if path else f"with %config IPyCov.{option}"
