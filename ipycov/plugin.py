"""coverage.py's way in: with `plugins = ipycov`, notebooks are source files like any other.

coverage.py imports this module before it measures, in each process, so it imports little itself.
The plugin is a configurer and no file tracer: a file tracer would make each measured line slower
and switch sys.monitoring off. coverage.py finds the plugin by its name when it reports, for the
data says that it is the one to ask about a notebook.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from coverage.plugin import CoveragePlugin

if TYPE_CHECKING:
    from coverage.plugin import FileReporter

#: The name under which data files know the plugin.
NAME = "ipycov.NotebookPlugin"


class NotebookPlugin(CoveragePlugin):
    """Measures the cells of kernels that coverage.py measures, and reports on notebooks."""

    def __init__(self) -> None:
        self._coverage: Any = None
        self._files: Any = None

    def configure(self, config: Any) -> None:
        """Begin to look out for a kernel in this process."""
        from ipycov import coverage_collector, kernels

        # Kernels take patterns over, and coverage.py takes them from where each kernel runs.
        for option in ("run:include", "run:omit"):
            if given := config.get_option(option):
                config.set_option(option, [*given, *map(os.path.abspath, filter(_is_path, given))])
        # An installed package is left out as it is; one that is developed in place is not.
        omitted = config.get_option("run:omit") or []
        config.set_option("run:omit", [*omitted, os.path.join(os.path.dirname(__file__), "*")])
        # coverage.py hands out its configuration only, which knows neither data nor decisions.
        self._coverage = coverage_collector.coverage_being_configured(sys._getframe(1))
        if self._coverage is not None:
            kernels.watch(self._coverage)

    def file_reporter(self, filename: str) -> FileReporter | str:
        """The reporter for a notebook, or for a cell that is in none."""
        from ipycov.kernels import running_shell
        from ipycov.notebook_reports import NotebookFiles

        if self._files is None:
            self._files = NotebookFiles(self._coverage, running_shell())
        reporter: FileReporter | str = self._files.reporter(filename)
        return reporter


def _is_path(pattern: str) -> bool:
    """Whether coverage.py takes a pattern from the current directory."""
    return not os.path.isabs(pattern) and not pattern.startswith(("*", "?"))
