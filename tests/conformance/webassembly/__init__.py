"""CPython 3.14 compiled to WebAssembly, as pyodide packages it, run by Node.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ..programs import Program
from ..sides import (
    APART,
    Configuration,
    Findings,
    read_cells,
    read_modules,
    write_modules,
)

#: The version of pyodide on npm: its first number is that of Python.
PYODIDE = "314.0.7"
VERSION = (3, 14)

_PROJECT = Path(__file__).parents[3]


def installed(cache: Path) -> Path:
    """Install pyodide and the packages that ipycov needs, all of them pure Python, in `cache`.

    Skips the test where there is no Node.js, and where nothing can be downloaded, but in CI.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not there to run CPython 3.14 in WebAssembly")
    if not (cache / "done").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--upgrade"]
        pure = ["--only-binary=:all:", "--implementation=py", "--abi=none", "--platform=none"]
        target = ["--python-version=3.14", "--target", str(cache / "site-packages")]
        for command in (
            ["npm", "install", "--prefix", str(cache), "--no-save", f"pyodide@{PYODIDE}"],
            [*pip, *pure, *target, "ipython", "traitlets", "coverage"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, cwd=cache)
            if done.returncode != 0 and not os.environ.get("CI"):
                pytest.skip(f"can't install: {done.stderr}")
            assert done.returncode == 0, done.stderr
        (cache / "done").touch()
    return cache


def standard_library(cache: Path) -> zipfile.Path:
    """The modules of its standard library."""
    return zipfile.Path(cache / "node_modules" / "pyodide" / "python_stdlib.zip")


def as_modules(
    cache: Path, programs: list[Program], configuration: Configuration, directory: Path
) -> list[Findings]:
    """Run each program as a module, all under one `coverage.Coverage`."""
    write_modules(programs, configuration, directory)
    _run(cache, directory, "modules.py")
    return read_modules(programs, directory)


def as_cells(
    cache: Path, programs: list[Program], configuration: Configuration, directory: Path
) -> list[Findings]:
    """Run each program as a cell, all in one IPython shell with ipycov loaded."""
    configuration.write(directory)
    apart = APART.format(names=[program.module_name for program in programs])
    job = {"apart": apart, "cells": [program.text for program in programs]}
    (directory / "cells.json").write_text(json.dumps(job))
    _run(cache, directory, "cells.py")
    return read_cells(
        directory / "report.json", json.loads((directory / "counts.json").read_text())
    )


def _run(cache: Path, directory: Path, script: str) -> None:
    here = Path(__file__).parent
    done = subprocess.run(
        [
            "node",
            str(here / "run.mjs"),
            str(cache),
            str(_PROJECT),
            str(directory),
            (here / script).relative_to(_PROJECT).as_posix(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
