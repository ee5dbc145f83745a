"""Which files coverage.py measures and why, and what it calls them.

Like the other modules `coverage_*`, it holds what ipycov uses of coverage.py and coverage.py does
not document, each with its reason. A test per function fails when coverage.py changes what it
relies on. Parsing, in `ipycov.analysis`, and the reporters, in `ipycov.report`, are the other two
places.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import coverage

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
        if filename.startswith(_PACKAGE):
            return "is part of ipycov"
        return decide(filename, frame)  # type: ignore[no-any-return]

    inorout.check_include_omit_etc = check


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

    if source := _listed(cov, "run:source") + _listed(cov, "run:source_pkgs"):
        tops = [os.path.realpath(os.path.join(base, each)) for each in source]
        inside = any(path.startswith(os.path.join(top, "")) for top in tops if os.path.isdir(top))
    else:
        inside = not _listed(cov, "run:include") or matches("run:include")
    return inside and not (_listed(cov, "run:omit") and matches("run:omit"))


def source_directories(cov: coverage.Coverage) -> list[str]:
    """The directories that `source` of `cov` names, from where the configuration file is."""
    base = os.path.dirname(os.path.abspath(config_file(cov) or "."))
    named = [os.path.join(base, each) for each in _listed(cov, "run:source")]
    return [directory for directory in named if os.path.isdir(directory)]


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
