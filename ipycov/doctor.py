"""What `ipycov doctor` tells of a directory: what would be measured there, how, and what is wrong.

Nothing is run and nothing is written.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import coverage
from coverage.exceptions import ConfigError, CoverageException

from ipycov import (
    __version__,
    coverage_collector,
    coverage_files,
    coverage_tracers,
    finding,
    notebooks,
    store,
)
from ipycov.errors import BadNotebook
from ipycov.finding import python_files
from ipycov.options import chosen_core
from ipycov.why import Facts, explain, sentence

#: How many names a list shows before it only counts them.
_SHOWN = 8


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong, and what to change."""

    what: str
    change: str


@dataclass
class Diagnosis:
    """What is so, as names and values in the order to show them, and what is wrong."""

    found: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def text(self) -> str:
        """All of it, a line for each."""
        width = max(len(name) for name, _ in self.found)
        lines = [f"{name:{width}}  {value}".rstrip() for name, value in self.found]
        if not self.troubles:
            return "\n".join([*lines, "", "No problems were found."])
        lines += [
            "",
            "1 problem:" if len(self.troubles) == 1 else f"{len(self.troubles)} problems:",
        ]
        for number, trouble in enumerate(self.troubles, 1):
            lines += [f"{number}. {trouble.what}.", f"   {sentence(trouble.change)}"]
        return "\n".join(lines)


def configured(config_file: str | bool = True) -> coverage.Coverage:
    """A `Coverage` with the configuration of this directory, that decides and measures nothing.

    Raises `ConfigError` or `CoverageException` where coverage.py refuses the configuration.
    """
    cov = coverage.Coverage(data_file=None, config_file=config_file)
    # This process is no kernel, and is not to patch what it starts.
    for option in ("patch", "plugins", "core"):
        cov.set_option(f"run:{option}", [] if option != "core" else None)
    coverage_collector.prepare(cov)
    return cov


def examine() -> Diagnosis:
    """Examine the current directory."""
    diagnosis = Diagnosis()
    say = diagnosis.found.append
    say(("Python", f"{sys.version.split()[0]}, {sys.executable}"))
    say(("ipycov", __version__))
    tracer = "" if coverage_tracers.has_c_tracer() else ", without its trace function in C"
    say(("coverage.py", coverage.__version__ + tracer))
    say(("IPython", _version("IPython")))
    say(("kernels", f"ipykernel {_version('ipykernel')}"))
    say(("directory", os.getcwd()))
    try:
        asked = coverage.Coverage(data_file=None)
        cov = configured()
    except (ConfigError, CoverageException) as error:
        say(("configuration", "coverage.py refuses it"))
        diagnosis.troubles.append(
            Trouble(str(error), "Put it right: nothing can be measured with it")
        )
        return diagnosis
    diagnosis.found += _configuration(asked)
    diagnosis.found += _cores(asked)
    diagnosis.found += _plugin(asked)
    diagnosis.found += _modules(cov, diagnosis.troubles)
    diagnosis.found += _notebooks(diagnosis.troubles)
    diagnosis.found += _stored(diagnosis.troubles)
    diagnosis.troubles += [*_wrong_files(asked), *_wrong_options(asked)]
    diagnosis.troubles += [*_wrong_core(asked), *_wrong_plugins(asked)]
    return diagnosis


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


# ---------------------------------------------------------------- what is so


def _configuration(cov: coverage.Coverage) -> Iterator[tuple[str, str]]:
    looked = [os.path.basename(path) for path in coverage_files.looked_for(cov)]
    path = coverage_files.config_file(cov)
    yield "configuration", path or f"none; looked for {', '.join(looked)}"
    for option in ("source", "include", "omit"):
        values = _listed(cov, option)
        if option == "source":
            values += _listed(cov, "source_pkgs")
        if values:
            yield f"  {option}", ", ".join(values)
    yield "  branch", "yes" if cov.get_option("run:branch") else "no"


def _cores(cov: coverage.Coverage) -> Iterator[tuple[str, str]]:
    def option(name: str, branch: bool) -> Any:
        return branch if name == "branch" else cov.get_option(f"run:{name}")

    for what, branch in (("lines", False), ("branches", True)):
        core, monitors = chosen_core(lambda name, branch=branch: option(name, branch))  # type: ignore[misc]
        yield f"core for {what}", _core_in_words(core, monitors, cov)


def _core_in_words(core: str | None, monitors: bool, cov: coverage.Coverage) -> str:
    if monitors:
        return "sysmon: Python's sys.monitoring, the fastest"
    if core == "pytrace" or not coverage_tracers.has_c_tracer():
        return "pytrace: the trace function in Python, slow"
    return "ctrace: coverage.py's trace function in C"


def _plugin(cov: coverage.Coverage) -> Iterator[tuple[str, str]]:
    plugins = "ipycov" in _listed(cov, "plugins")
    patch = "subprocess" in _listed(cov, "patch")
    if plugins and patch:
        said = (
            "measured when coverage.py runs them: plugins = ipycov and patch = subprocess are set"
        )
    elif plugins:
        said = "not measured: plugins = ipycov is set, and for them it takes patch = subprocess too"
    elif patch:
        said = "not reported: patch = subprocess is set, plugins = ipycov is not"
    else:
        said = "not measured: neither plugins = ipycov nor patch = subprocess is set"
    yield "other runners", said


def _modules(cov: coverage.Coverage, troubles: list[Trouble]) -> Iterator[tuple[str, str]]:
    files = [os.path.relpath(path) for path in python_files(os.curdir)]
    facts = Facts(cov)
    answers = [explain(path, facts) for path in files]
    left_out = [answer for answer in answers if not answer.measured]
    yield (
        "modules",
        f"{_count(len(files), 'Python file')} here, {len(files) - len(left_out)} measured",
    )
    for why, number in Counter(answer.why for answer in left_out).most_common(_SHOWN):
        names = [answer.name for answer in left_out if answer.why == why]
        more = f" and {number - _SHOWN} more" if number > _SHOWN else ""
        yield "  left out", f"{', '.join(names[:_SHOWN])}{more}: {why}"
    if files and len(left_out) == len(files):
        troubles.append(
            Trouble(
                "None of the Python files here would be measured", left_out[0].change or "See above"
            )
        )


def _notebooks(troubles: list[Trouble]) -> Iterator[tuple[str, str]]:
    paths = [os.path.relpath(path) for path in finding.notebook_files([os.curdir])]
    for path in paths:
        try:
            notebook = notebooks.read(path)
        except BadNotebook as error:
            troubles.append(Trouble(str(error), "Open it in a front end, or leave it out"))
            continue
        if not notebook.is_python:
            continue
        if not notebook.keeps_lines:
            troubles.append(
                Trouble(
                    f"{path} does not keep each source line on a line of its own, so reports can't "
                    "number the lines of the file",
                    "Save it in a front end",
                )
            )
    yield "notebooks", _names(paths)


def _stored(troubles: list[Trouble]) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(store.DIRECTORY):
        yield "stored", f"nothing: there is no {store.DIRECTORY}"
        if not os.access(os.curdir, os.W_OK):
            troubles.append(
                Trouble(
                    "This directory can't be written to, so live sessions keep what they "
                    "measure in memory only",
                    "Name another one with c.IPyCov.store in IPython's configuration",
                )
            )
        return
    sessions = 0
    for session in store.read(store.DIRECTORY):
        sessions += 1
        if isinstance(session, store.UnreadableStore):
            troubles.append(
                Trouble(str(session), "Remove it with 'ipycov erase', if no one needs it")
            )
    yield "stored", f"{_count(sessions, 'session')} in {store.DIRECTORY}"
    if not os.access(store.DIRECTORY, os.W_OK):
        troubles.append(
            Trouble(f"{store.DIRECTORY} can't be written to", "Change its permissions or owner")
        )


# ---------------------------------------------------------------- what is wrong


def _wrong_files(cov: coverage.Coverage) -> Iterator[Trouble]:
    """Files with settings for coverage.py that it does not come to read."""
    read = coverage_files.config_file(cov)
    if read is None or os.environ.get("COVERAGE_RCFILE"):
        return
    for name, section in (
        (".coveragerc", ""),
        ("setup.cfg", "[coverage:"),
        ("tox.ini", "[coverage:"),
        ("pyproject.toml", "[tool.coverage."),
    ):
        if os.path.abspath(name) == os.path.abspath(read) or not os.path.isfile(name):
            continue
        with open(name, encoding="utf-8", errors="replace") as file:
            if section in file.read():
                yield Trouble(
                    f"{name} has settings for coverage.py that are not read: "
                    f"{os.path.basename(read)} comes first",
                    "Keep them all in one file",
                )


def _wrong_options(cov: coverage.Coverage) -> Iterator[Trouble]:
    plugins, patch = _listed(cov, "plugins"), _listed(cov, "patch")
    where = f"in {coverage_files.config_file(cov)}"
    if "subprocess" in patch and "ipycov" not in plugins:
        yield Trouble(
            "coverage.py measures kernels, but can't tell which notebooks their cells are from",
            f"Add 'plugins = ipycov' to the [run] settings {where}",
        )
    source = _listed(cov, "source")
    if (source or _listed(cov, "source_pkgs")) and _listed(cov, "include"):
        yield Trouble("'include' is ignored, because 'source' is set", "Take one of them out")
    for name in source:
        if not os.path.isdir(name) and not _importable(name):
            yield Trouble(
                f"'source' names {name}, which is no directory here and no module on sys.path",
                "Is it spelled right, and is its directory on sys.path where the kernel starts?",
            )


def _wrong_core(cov: coverage.Coverage) -> Iterator[Trouble]:
    asked = cov.get_option("run:core") or os.environ.get("COVERAGE_CORE")
    if asked is None:
        return
    core, monitors = chosen_core(lambda name: cov.get_option(f"run:{name}"))
    if asked == "sysmon" and not monitors:
        needed = "3.14" if sys.version_info >= (3, 12) else "3.12"
        why = f"it needs Python {needed} for this"
        if cov.get_option("run:timid"):
            why = "'timid' is set"
        elif sys.version_info >= (3, 14):
            why = "it can't follow the libraries that 'concurrency' names"
        yield Trouble(f"The core sysmon is asked for and can't be used: {why}", "Ask for no core")
    elif core not in ("ctrace", "pytrace", "sysmon"):
        yield Trouble(f"There is no core {core}", "Choose ctrace, pytrace or sysmon")


def _wrong_plugins(cov: coverage.Coverage) -> Iterator[Trouble]:
    for name in _listed(cov, "plugins"):
        try:
            found = find_spec(name) is not None
        except ImportError:
            found = False
        if not found:
            yield Trouble(
                f"There is no plugin {name} here: nothing can be measured with this configuration",
                "Install it, or take it out of 'plugins'",
            )


def _importable(name: str) -> bool:
    answer = explain(name, Facts(configured(False)))
    return "was found" not in answer.why


def _listed(cov: coverage.Coverage, option: str) -> list[str]:
    value = cov.get_option(f"run:{option}")
    return [str(each) for each in value] if isinstance(value, list) else []


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) + more) if names else "none"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
