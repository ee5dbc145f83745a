"""Coverage for notebooks: which lines and branches of the cells have run.

`%load_ext ipycov` in a notebook or in IPython measures each cell from the next one on.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__version__ = "0.1.0"

#: The path of a configuration file for coverage.py that names the plugin, and no more.
coveragerc = os.path.join(os.path.dirname(os.path.abspath(__file__)), "coveragerc")


def autoconfig(**settings: Any) -> None:
    """Set up ipytest so that `%%ipytest` reports the coverage of cells and modules.

    `settings` are those of `ipytest.autoconfig`; its `addopts` come after ours.
    """
    from ipycov.ipytest_setup import autoconfig

    autoconfig(coveragerc, **settings)


def load_ipython_extension(ipython: Any) -> None:
    """Measure the cells of `ipython` from the next one on; called by `%load_ext ipycov`."""
    try:
        from ipycov.extension import load
    except ImportError:
        found = sys.modules.get("coverage")
        if found is None or hasattr(found, "Coverage"):
            raise
        from IPython.core.error import UsageError

        raise UsageError(
            f"ipycov needs coverage.py, and {found.__file__} has its name: rename it and restart "
            "the kernel"
        ) from None
    load(ipython)


def coverage_init(reg: Any, options: Any) -> None:
    """Add the plugin; called by coverage.py for `plugins = ipycov`."""
    from ipycov.plugin import NotebookPlugin

    reg.add_configurer(NotebookPlugin())


def unload_ipython_extension(ipython: Any) -> None:
    """Take all that ipycov put on `ipython` off again; called by `%unload_ext ipycov`."""
    from ipycov.extension import unload

    unload(ipython)
