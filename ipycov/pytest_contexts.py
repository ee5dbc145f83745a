"""Which test runs: pytest, run in a measured cell, tells it for the context of what is measured."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ipycov.imports import after_import


class PytestContexts:
    """A pytest plugin that each `pytest.main` gets while a cell is measured.

    `begin` is called with the name of each test that begins, `end` when it has ended. pytest has
    no other public way in from outside but to be installed in every run of it on the machine.
    """

    def __init__(
        self, active: Callable[[], bool], begin: Callable[[str], None], end: Callable[[], None]
    ) -> None:
        self._active = active
        self._begin = begin
        self._end = end
        self._stop_waiting: Callable[[], None] | None = None
        self._main: Any = None

    def install(self) -> None:
        """Be a plugin of `pytest.main`, which need not be imported yet."""
        if "pytest" in sys.modules:
            self._wrap(sys.modules["pytest"])
        else:
            self._stop_waiting = after_import("pytest", self._wrap)

    def uninstall(self) -> None:
        """Leave `pytest.main` as it was."""
        if self._stop_waiting is not None:
            self._stop_waiting()
        pytest: Any = sys.modules.get("pytest")
        if self._main is not None and pytest is not None and pytest.main is self._main:
            pytest.main = self._main.__wrapped__
        self._active = lambda: False

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins, its fixtures included."""
        self._begin(_name(nodeid))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended, its fixtures included."""
        self._end()

    def _wrap(self, pytest: ModuleType) -> None:
        original = pytest.main

        @functools.wraps(original)
        def main(args: Any = None, plugins: Any = None) -> Any:
            if self._active():
                plugins = [*(plugins or ()), self]
            return original(args, plugins)

        self._main = pytest.main = main  # type: ignore[attr-defined]


def _name(nodeid: str) -> str:
    """A test by its node id; one of the notebook's own needs no name of a file."""
    path, _, name = nodeid.partition("::")
    stem = os.path.splitext(os.path.basename(path))[0]
    own = name and stem in sys.modules and sys.modules[stem] is sys.modules["__main__"]
    return name if own else nodeid
