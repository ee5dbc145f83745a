"""A project with notebooks on disk, and commands run in it, for tests to use as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import nbformat

LIB = "def sign(x):\n    if x < 0:\n        return -1\n    return 1\n"
# Kernels choose free ports and open them a moment later: of many, two choose the same. The second
# is what is seen of it where a runner throws away what kernels print, as nbval does.
PORTS_CLASHED = ("Address already in use", "Kernel died before replying to kernel_info")
CONFIG = "[run]\nplugins = ipycov\npatch = subprocess\nparallel = true\ndata_file = {data}\n"

#: A module of Debian's Python that it runs at its start, which coverage.py measures where it
#: measures subprocesses.
AT_START = os.path.realpath(getattr(sys.modules.get("sitecustomize"), "__file__", "") or "")


def command(
    *args: str, cwd: Path, env: dict[str, str] | None = None, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run `python -m ARGS` with this interpreter; it must exit with `code`."""
    done = _run(args, cwd, env)
    said = done.stdout + done.stderr
    if code not in (None, done.returncode) and any(sign in said for sign in PORTS_CLASHED):
        done = _run(args, cwd, env)
    assert code is None or done.returncode == code, f"{args}: {done.stdout}\n{done.stderr}"
    return done


def _run(
    args: tuple[str, ...], cwd: Path, env: dict[str, str] | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *args],
        cwd=cwd,
        # the debugger of an older ipykernel has a word to say on how it was built
        env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def write_notebook(path: Path, *cells: str, **metadata: Any) -> Path:
    """Write a notebook as nbformat does: one line of JSON for each line of source."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    sources = [textwrap.dedent(cell).strip("\n") for cell in cells]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources],
        metadata={"kernelspec": kernel, **metadata},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def line_of(path: Path, source: str) -> int:
    """The line of a notebook file that holds a line of source."""
    wanted = json.dumps(source)[1:-1]
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if wanted in line)


class Project:
    """A directory with a module, a notebook and coverage.py's three lines of configuration."""

    def __init__(self, directory: Path, *, notebook: str = "a.ipynb", config: str = "") -> None:
        self.directory = directory
        (directory / "lib.py").write_text(LIB)
        self.notebook = write_notebook(
            directory / notebook,
            "import lib",
            """
            def f(x):
                if x:
                    return lib.sign(x)
                return None
            """,
            "f(1)",
        )
        data = directory / ".coverage"
        (directory / ".coveragerc").write_text(CONFIG.format(data=data) + config)
        self.env = {
            "COVERAGE_RCFILE": str(directory / ".coveragerc"),
            "PYTHONPATH": str(directory),
        }

    def python(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `python -m ARGS` in the project."""
        return command(*args, cwd=self.directory, env=self.env, code=code)

    def measure(self, *args: str) -> dict[str, Any]:
        """Run `python -m ARGS` under coverage.py and return the JSON report's files."""
        self.python("coverage", "run", "-m", *args)
        self.python("coverage", "combine")
        return self.report()

    def report(self) -> dict[str, Any]:
        """The files of coverage.py's JSON report."""
        self.python("coverage", "json", "-q")
        files: dict[str, Any] = json.loads((self.directory / "coverage.json").read_text())["files"]
        return {name: file for name, file in files.items() if name != AT_START}
