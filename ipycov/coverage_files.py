"""Which files coverage.py measures and why, and what it calls them.

Like the other modules `coverage_*`, it holds what ipycov uses of coverage.py and coverage.py does
not document, each with its reason. A test per function fails when coverage.py changes what it
relies on. Parsing, in `ipycov.analysis`, and the reporters, in `ipycov.report`, are the other two
places.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import coverage

#: The options of `[run]` that name what to measure.
_SOURCES = ("run:source", "run:source_pkgs", "run:source_dirs")

_PACKAGE = os.path.join(os.path.realpath(os.path.dirname(__file__)), "")


def always_measure(cov: coverage.Coverage, is_cell: Callable[[str], bool]) -> None:
    """Measure the files that `is_cell` knows whatever `source`, `include` and `omit` say.

    Those options choose among modules. ipycov's own, which run around each cell, are never
    measured. A file tracer could do the same, but it makes the C tracer
    call Python for every line and is not supported by sys.monitoring at all.
    """
    inorout: Any = cov._inorout
    decide = inorout.check_include_omit_etc

    def check(filename: str, frame: FrameType | None) -> str | None:
        if is_cell(filename):
            return None
        if is_ipycovs(filename):
            return "is part of ipycov"
        return decide(filename, frame)  # type: ignore[no-any-return]

    inorout.check_include_omit_etc = check


def is_ipycovs(filename: str) -> bool:
    """Whether a file is ipycov's own."""
    return filename.startswith(_PACKAGE)


def refusal(cov: coverage.Coverage, filename: str, module: str | None) -> str | None:
    """Why a `cov` that was started does not measure a file, in coverage.py's words.

    `module` is the name that it is imported by, which packages in `source` are compared with. None
    says that nothing is against it.
    """
    inorout: Any = cov._inorout
    frame: Any = SimpleNamespace(f_globals={"__name__": module, "__file__": filename})
    unmatched = list(inorout.source_pkgs_unmatched)
    try:
        disposition = inorout.should_trace(filename, frame if module is not None else None)
    finally:
        inorout.source_pkgs_unmatched = unmatched  # that it was asked about is no import
    return None if disposition.trace else str(disposition.reason)


def omitting(cov: coverage.Coverage, filename: str) -> str | None:
    """The pattern of `omit` that leaves a file out, as the configuration has it."""
    from coverage.files import GlobMatcher, prep_patterns

    patterns = _listed(cov, "run:omit")
    return next((p for p in patterns if GlobMatcher(prep_patterns([p])).match(filename)), None)


def looked_for(cov: coverage.Coverage) -> list[str]:
    """The configuration files that `cov` looked for, in turn, to the one that it read."""
    return list(cov.config.config_files_attempted)


def measures_notebook(cov: coverage.Coverage, path: str) -> bool:
    """Whether `source`, `include` and `omit` of `cov` have the notebook at `path` in.

    They are taken from where the configuration file is: a kernel runs where its notebook is, and
    coverage.py, which takes them from there, would find other directories.
    """
    from coverage.files import GlobMatcher, prep_patterns

    path = os.path.realpath(path)
    base = os.path.dirname(os.path.abspath(config_file(cov) or "."))

    def matches(option: str) -> bool:
        given = _listed(cov, option)
        patterns = [p if p.startswith(("*", "?")) else os.path.join(base, p) for p in given]
        return GlobMatcher(prep_patterns(patterns)).match(path)

    if any(_listed(cov, option) for option in _SOURCES):
        tops = map(os.path.realpath, source_directories(cov))
        inside = any(path.startswith(os.path.join(top, "")) for top in tops)
    else:
        inside = not _listed(cov, "run:include") or matches("run:include")
    return inside and not (_listed(cov, "run:omit") and matches("run:omit"))


def relative_directory() -> str:
    """The directory that coverage.py was started in last, to which its names are relative."""
    from coverage.files import relative_directory

    return relative_directory()


def source_directories(cov: coverage.Coverage) -> list[str]:
    """The directories that `source` of `cov` names.

    They are looked for from where coverage.py was started, as it does, and then from where the
    configuration file is, for a kernel is started in another directory. Those of packages are among
    them, wherever they are imported from; `source` takes what is no directory for a package, as
    coverage.py does.
    """
    bases = relative_directory(), os.path.dirname(os.path.abspath(config_file(cov) or "."))
    directories: list[str] = []
    for option in _SOURCES:
        for name in _listed(cov, option):
            paths = [os.path.join(base, name) for base in bases]
            if found := next(filter(os.path.isdir, paths), None):
                directories.append(found)
            elif option != "run:source_dirs":
                directories += _package_directories(name)
    return directories


def _package_directories(name: str) -> list[str]:
    """The directories of a package, found without importing anything."""
    top, *below = name.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    places = (found and found.submodule_search_locations) or ()
    paths = [os.path.join(place, *below) for place in places]
    return [path for path in paths if os.path.isdir(path)]


def _listed(cov: coverage.Coverage, option: str) -> list[str]:
    value = cov.get_option(option)
    return value if isinstance(value, list) else []


def relative_filename(filename: str) -> str:
    """What coverage.py's reports call a file."""
    from coverage.files import relative_filename as relative

    return relative(filename)


def filename_in_data(cov: coverage.Coverage, path: str) -> str:
    """What the data of `cov` calls a file: by `relative_files`, from where `cov` began."""
    return cov._file_mapper(path)


def renaming(cov: coverage.Coverage) -> Callable[[str], str]:
    """What `[paths]` calls a file of the data: its name here where it has another, else its own."""
    aliases = cov._make_aliases()
    return functools.cache(lambda path: aliases.map(path))


def page_of_module(name: str) -> str:
    """The page that coverage.py's HTML report writes for a file that it calls `name`.

    Its report says so nowhere but in its own index.
    """
    from coverage.files import flat_rootname

    return f"{flat_rootname(name)}.html"


def would_measure(cov: coverage.Coverage, filename: str) -> bool:
    """Whether a `cov` that was started measures a file."""
    return bool(cov._should_trace(filename, None).trace)  # type: ignore[arg-type]


def unexecuted_files(cov: coverage.Coverage) -> list[str]:
    """The files under `source` that a report lists though nothing of them ran.

    coverage.py adds them when it saves, with a search of all directories that a cell can't wait
    for.
    """
    if cov._inorout is None:
        return []
    return [path for path, plugin in cov._inorout.find_possibly_unexecuted_files() if not plugin]


def config_file(cov: coverage.Coverage) -> str | None:
    """The path of the configuration file that `cov` has read, if it has read one."""
    return cov.config.config_file


def unimported_source(cov: coverage.Coverage) -> list[str]:
    """The packages named as `source` that were never measured."""
    return list(cov._inorout.source_pkgs_unmatched) if cov._inorout else []
