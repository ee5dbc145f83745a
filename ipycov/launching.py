"""Processes that a measured cell starts anew: each is told to measure itself.

Nothing that is installed changes, and nothing that the cell sees: not `os.environ`, and no frame
of a traceback. A process of `multiprocessing` is told in the data that prepares it. Any other is
told in its environment, which has two more variables for the moment of starting, and a Python
takes them out again (`ipycov/startup`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import wraps
from typing import Any

from ipycov import coverage_files
from ipycov.measure import Measurement
from ipycov.options import Options

#: Where a Python that is started looks first, and the variable that tells it what to do.
_STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "startup")
_VARIABLE = "IPYCOV_PROCESS"

#: Runs where what prepares a process of multiprocessing is unpickled, which must not fail.
_BEGIN = """
try:
    from ipycov.launched import begin
    begin(told)
except Exception:
    pass
"""


def order(measurement: Measurement, directory: str) -> str:
    """What a process is told: how to measure, in which context, and where to keep the data."""
    return json.dumps(
        {
            "directory": directory,
            "context": measurement.context,
            "options": asdict(_anywhere(measurement)),
        }
    )


def ordered(order: str) -> tuple[Options, str, str]:
    """The options, the context and the directory that a process is told."""
    told = json.loads(order)
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["options"].items()
    }
    return Options(**options), told["context"], told["directory"]


def _anywhere(measurement: Measurement) -> Options:
    """The options of a measurement as they are for a process that starts in another directory."""
    cov = measurement.coverage
    config_file = coverage_files.config_file(cov)

    def absolute(option: str, relative: Callable[[str], bool]) -> tuple[str, ...] | None:
        given = cov.get_option(f"run:{option}")
        if not isinstance(given, list):
            return None
        return tuple(os.path.abspath(each) if relative(each) else each for each in given)

    def pattern(each: str) -> bool:
        return not each.startswith(("*", "?"))

    return replace(
        measurement.options,
        branch=measurement.branch,
        source=absolute("source", os.path.isdir),
        include=absolute("include", pattern),
        omit=absolute("omit", pattern),
        config_file=os.path.abspath(config_file) if config_file else False,
    )


class Launching:
    """Tells what is started what `order` says at that moment; None is nothing.

    `order` must not fail.
    """

    def __init__(self, order: Callable[[], str | None]) -> None:
        self._order = order
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Tell processes from now on."""
        if sys.platform in ("emscripten", "wasi"):
            return  # nothing can be started there
        from multiprocessing import spawn

        self._replace(spawn, "get_preparation_data", self._preparing)
        self._replace(os, "system", self._system)
        if sys.platform != "win32":
            # It is C code, and what can't be started is told after it: no traceback shows this.
            self._replace(subprocess, "_fork_exec", self._fork_exec)
            # Python documents that this may be set; the other way of starting has no such place.
            self._replace(subprocess, "_USE_POSIX_SPAWN", lambda original: False)

    def uninstall(self) -> None:
        """Leave everything as it was."""
        while self._undo:
            self._undo.pop()()

    def put(self) -> bool:
        """Put what is told into the environment that processes inherit, beside `os.environ`.

        Tell whether there was anything to put.
        """
        order = self._order()
        if order is None:
            return False
        for name, value in _variables(order, os.environ.get("PYTHONPATH")).items():
            os.putenv(name, value)
        return True

    def take_back(self) -> None:
        """Make the environment that processes inherit what `os.environ` says."""
        for name in _variables("", None):
            value = os.environ.get(name)
            if value is None:
                os.unsetenv(name)
            else:
                os.putenv(name, value)

    @contextmanager
    def _inherited(self) -> Iterator[None]:
        there = self.put()
        try:
            yield
        finally:
            if there:
                self.take_back()

    def _replace(self, holder: Any, name: str, by: Callable[[Any], Any]) -> None:
        original = getattr(holder, name)
        mine = by(original)
        setattr(holder, name, mine)

        def undo() -> None:
            if getattr(holder, name) is mine:  # else another has taken its place, and calls it
                setattr(holder, name, original)

        self._undo.append(undo)

    def _preparing(self, original: Any) -> Any:
        @wraps(original)
        def get_preparation_data(name: str) -> dict[str, Any]:
            data: dict[str, Any] = original(name)
            order = self._order()
            if order is not None:
                data["ipycov"] = _Begin(order)
            return data

        return get_preparation_data

    def _system(self, original: Any) -> Any:
        @wraps(original)
        def system(command: Any) -> Any:
            with self._inherited():
                return original(command)

        system.__module__ = "os"  # it is pickled by its name, and `posix` has the original
        return system

    def _fork_exec(self, original: Any) -> Any:
        @wraps(original)
        def fork_exec(args: Any, programs: Any, *more: Any) -> Any:
            close_fds, pass_fds, cwd, environment, *rest = more
            if environment is None:
                with self._inherited():
                    return original(args, programs, *more)
            order = self._order() if _may_run_python(programs) else None
            if order is not None:
                environment = _told(environment, order)
            return original(args, programs, close_fds, pass_fds, cwd, environment, *rest)

        return fork_exec


class _Begin:
    """Unpickled, it begins to measure; it is nothing then, and needs nothing to be imported."""

    def __init__(self, order: str) -> None:
        self._order = order

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (_BEGIN, {"told": self._order})


def _variables(order: str, path: str | None) -> Mapping[str, str]:
    """What the environment of a process has, in which PYTHONPATH is else `path`."""
    return {_VARIABLE: order, "PYTHONPATH": f"{_STARTUP}{os.pathsep}{path}" if path else _STARTUP}


def _told(environment: list[bytes], order: str) -> list[bytes]:
    """An environment that a cell gives a program, with what the program is told."""
    entries = dict(each.partition(b"=")[::2] for each in environment)
    path = os.fsdecode(entries.get(b"PYTHONPATH", b""))
    for name, value in _variables(order, path).items():
        entries[os.fsencode(name)] = os.fsencode(value)
    return [name + b"=" + value for name, value in entries.items()]


def _may_run_python(programs: tuple[bytes, ...]) -> bool:
    """Whether a program that is given an environment of its own is Python, or may run it.

    Any other is left exactly what the cell gives it.
    """
    for program in programs:
        name = os.path.basename(os.fsdecode(program))
        if name.startswith(("python", "pypy")) or name in ("sh", "bash", "dash", "zsh"):
            return True
        with suppress(OSError), open(program, "rb") as text:
            head = text.read(256)
            return head.startswith(b"#!") and b"python" in head.partition(b"\n")[0]
    return False
