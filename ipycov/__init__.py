"""Coverage for notebooks: which lines and branches of the cells have run.

`%load_ext ipycov` in a notebook or in IPython measures each cell from the next one on.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(ipython: Any) -> None:
    """Measure the cells of `ipython` from the next one on; called by `%load_ext ipycov`."""
    from ipycov.extension import load

    load(ipython)


def coverage_init(reg: Any, options: Any) -> None:
    """Add the plugin; called by coverage.py for `plugins = ipycov`."""
    from ipycov.plugin import NotebookPlugin

    reg.add_configurer(NotebookPlugin())


def unload_ipython_extension(ipython: Any) -> None:
    """Take all that ipycov put on `ipython` off again; called by `%unload_ext ipycov`."""
    from ipycov.extension import unload

    unload(ipython)
