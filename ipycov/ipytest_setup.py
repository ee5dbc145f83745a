"""ipytest set up to report coverage with pytest-cov and the plugin."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

#: What `ipytest.autoconfig` gives pytest where it is told nothing.
_USUAL = ("-q", "--color=yes")


def autoconfig(config_file: str, **settings: Any) -> None:
    """Call `ipytest.autoconfig` with `settings` and the options that report coverage.

    Where a package that it takes is not installed, say so and do nothing.
    """
    needed = {"ipytest": "ipytest", "pytest_cov": "pytest-cov"}
    missing = [name for module, name in needed.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(
            f"ipycov: ipytest is not set up: install what it takes with "
            f"%pip install {' '.join(missing)}",
            file=sys.stderr,
        )
        return
    addopts = ["--cov", f"--cov-config={config_file}", *settings.pop("addopts", _USUAL)]
    importlib.import_module("ipytest").autoconfig(addopts=addopts, **settings)
