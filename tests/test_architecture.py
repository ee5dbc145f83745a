"""The directions that imports may take."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ipycov

PACKAGE = Path(ipycov.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))

#: The only modules that know a live shell.
EDGE = {
    *("extension", "history", "magic_arguments"),
    *("cov_magic", "live_magic", "measuring_magics", "report_magic", "run_magic"),
}

#: The core takes values and returns values: what it may import of ipycov.
CORE = {
    "errors": set(),
    "lines": set(),
    "headings": set(),
    "locations": set(),
    "cells": {"lines"},
    "analysis": set(),
    "coverage_files": set(),
    "coverage_tracers": set(),
    "coverage_collector": {"coverage_files", "coverage_tracers"},
    "coverage_beside": {"coverage_collector", "coverage_taps", "coverage_tracers"},
    "coverage_threads": {"coverage_tracers"},
    "coverage_taps": {"coverage_collector", "coverage_files", "coverage_tracers"},
    "coverage_monitoring": {"coverage_tracers"},
    "coverage_reports": {"analysis"},
    "measure": {
        *("coverage_beside", "coverage_collector", "coverage_files", "coverage_monitoring"),
        *("coverage_threads", "coverage_tracers", "errors", "measured_data", "options", "results"),
        "taken",
    },
    "options": set(),
    "taken": {"results"},
    "measured_data": {"taken"},
    "compiler": {"cells", "lines", "locations"},
    "results": {"analysis"},
    "summary": set(),
    "view": set(),
    "colours": set(),
    "highlighting": {"lines", "view"},
    "inline": {"colours", "highlighting", "view"},
}


def imports(module: str, *, top: bool) -> set[str]:
    """The modules that a module of ipycov imports; with `top`, only when it is imported."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    nodes = tree.body if top else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "ipycov":
            found.update(f"ipycov.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def imported_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statement}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_ipycov_imports_no_ipython() -> None:
    """`import ipycov` is light: neither IPython nor coverage.py comes with it."""
    loaded = {name.partition(".")[0] for name in imported_by("import ipycov")}
    assert not loaded & {"IPython", "traitlets", "ipykernel", "nbformat", "nbclient", "coverage"}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in EDGE])
def test_only_the_edge_knows_ipython(module: str) -> None:
    """No module but the extension's imports IPython when it is imported."""
    assert not {name for name in imports(module, top=True) if name.startswith("IPython")}


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_without_ipython(module: str) -> None:
    """A module of the core can be used where there is no IPython."""
    loaded = {name.partition(".")[0] for name in imported_by(f"import ipycov.{module}")}
    assert not loaded & {"IPython", "traitlets", "ipykernel"}


@pytest.mark.parametrize("module", sorted(CORE))
def test_no_arrow_back(module: str) -> None:
    """A module of the core imports only what the design lets it import."""
    own = {
        name.removeprefix("ipycov.")
        for name in imports(module, top=False)
        if name.startswith("ipycov.")
    }
    assert own <= CORE[module]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in EDGE])
def test_nothing_depends_on_the_extension(module: str) -> None:
    """Only the two entry points of the extension in `ipycov` itself lead to it."""
    back = imports(module, top=module == "__init__") & {f"ipycov.{name}" for name in EDGE}
    assert not back


@pytest.mark.parametrize("module", MODULES)
def test_the_shell_is_passed_in(module: str) -> None:
    """get_ipython() is called nowhere."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "get_ipython"
    ]
    assert not calls
