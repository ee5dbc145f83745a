"""Notebooks that a cell runs with %run, whose cells IPython compiles with compilers of their own.

It fires no hooks for such cells, so the method that runs them is wrapped while ipycov is loaded,
and the class of the compilers that it makes is replaced by one whose instances are watched.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from ipycov.compiler import CellCompiler


class NotebookRuns:
    """Has `watcher` watch the compilers of what `shell` runs from files with IPython's syntax."""

    def __init__(self, shell: Any, watcher: CellCompiler) -> None:
        self._shell = shell
        self._watcher = watcher
        self._run: Any = None

    def install(self) -> None:
        """Begin to watch."""
        original = self._shell.safe_execfile_ipy

        @functools.wraps(original)
        def run(fname: Any, *args: Any, **kwargs: Any) -> Any:
            path = os.path.realpath(os.path.expanduser(fname))
            compilers = self._shell.compiler_class
            before, self._watcher.running_file = self._watcher.running_file, path
            self._shell.compiler_class = self._watcher.watched_class(compilers)
            try:
                return original(fname, *args, **kwargs)
            finally:
                self._watcher.running_file = before
                self._shell.compiler_class = compilers

        self._run = run
        self._shell.safe_execfile_ipy = run

    def uninstall(self) -> None:
        """Leave the shell as it was."""
        if self._run is not None and self._shell.__dict__.get("safe_execfile_ipy") is self._run:
            del self._shell.safe_execfile_ipy
