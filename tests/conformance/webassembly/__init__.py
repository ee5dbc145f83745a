"""CPython 3.14 compiled to WebAssembly, as pyodide packages it, run by Node.js."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
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
    done = cache / "installed"
    if not done.exists():
        fresh = Path(tempfile.mkdtemp(dir=cache))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        pure = ["--only-binary=:all:", "--implementation=py", "--abi=none", "--platform=none"]
        target = ["--python-version=3.14", "--target", str(fresh / "site-packages")]
        _install(["npm", "install", "--prefix", str(fresh), "--no-save", f"pyodide@{PYODIDE}"])
        _install([*pip, *pure, *target, "ipython", "traitlets", "coverage"])
        with contextlib.suppress(OSError):  # another run of the tests was faster
            fresh.rename(done)
        shutil.rmtree(fresh, ignore_errors=True)
    return done


def _install(command: list[str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"can't install CPython 3.14 in WebAssembly: {run.stderr}")
    assert run.returncode == 0, run.stderr


def standard_library(cache: Path) -> zipfile.Path:
    """The modules of its standard library."""
    return zipfile.Path(cache / "node_modules" / "pyodide" / "python_stdlib.zip")


@dataclass(frozen=True)
class Job:
    """Programs to measure with one configuration in a directory of their own."""

    configuration: Configuration
    programs: list[Program]
    directory: Path


def as_modules(cache: Path, jobs: list[Job]) -> list[list[Findings]]:
    """Run each job's programs as modules, all under one `coverage.Coverage`."""
    for job in jobs:
        write_modules(job.programs, job.configuration, job.directory)
    _run(cache, "modules.py", jobs)
    return [read_modules(job.programs, job.directory) for job in jobs]


def as_cells(cache: Path, jobs: list[Job]) -> list[list[Findings]]:
    """Run each job's programs as cells, all in one IPython shell, with ipycov loaded for each."""
    for job in jobs:
        job.configuration.write(job.directory)
        apart = APART.format(names=[program.module_name for program in job.programs])
        cells = {"apart": apart, "cells": [program.text for program in job.programs]}
        (job.directory / "cells.json").write_text(json.dumps(cells))
    _run(cache, "cells.py", jobs)
    return [
        read_cells(
            job.directory / "report.json", json.loads((job.directory / "counts.json").read_text())
        )
        for job in jobs
    ]


def _run(cache: Path, script: str, jobs: list[Job]) -> None:
    here = Path(__file__).parent
    done = subprocess.run(
        [
            "node",
            str(here / "run.mjs"),
            str(cache),
            str(_PROJECT),
            (here / script).relative_to(_PROJECT).as_posix(),
            *(str(job.directory) for job in jobs),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
