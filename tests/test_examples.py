"""The notebooks in examples/, executed by `ipycov run`, cover what their text says they cover."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.rglob("*.ipynb"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, and in it the JSON report over all of them with branches."""
    copy = tmp_path_factory.mktemp("copy") / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    notebooks = [str(path.relative_to(EXAMPLES)) for path in NOTEBOOKS]
    done = subprocess.run(
        [sys.executable, "-m", "ipycov", "run", "--branch", *notebooks, "--json", "report.json"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


@pytest.fixture(scope="module")
def files(examples: Path) -> dict[str, Any]:
    """The files of the report."""
    return json.loads((examples / "report.json").read_text())["files"]


def missing_source(examples: Path, files: dict[str, Any], name: str) -> list[str]:
    """The text of the missed lines of a file, stripped, in their order."""
    lines = (examples / name).read_text(encoding="utf-8").splitlines()
    missing = [lines[number - 1] for number in files[name]["missing_lines"]]
    if name.endswith(".ipynb"):
        missing = [json.loads(line.strip().rstrip(",")) for line in missing]
    return [line.strip() for line in missing]


def test_each_example_is_in_the_report_by_its_path(files):
    assert {str(path.relative_to(EXAMPLES)) for path in NOTEBOOKS} < set(files)
    assert len(NOTEBOOKS) >= 3


def test_running_the_examples_leaves_them_as_they_were(examples, files):
    for path in NOTEBOOKS:
        assert (examples / path.relative_to(EXAMPLES)).read_bytes() == path.read_bytes()


def test_the_first_look_misses_only_the_complaint(examples, files):
    assert missing_source(examples, files, "first_look.ipynb") == [
        """raise ValueError(f"{text!r} is not a time")"""
    ]
    assert len(files["first_look.ipynb"]["missing_branches"]) == 1


def test_the_cleaning_project_reports_its_modules_beside_the_notebook(examples, files):
    assert missing_source(examples, files, "cleaning/cleaning.ipynb") == ['return "steady"']
    assert missing_source(examples, files, "cleaning/rules.py") == [
        "value -= 273.15",
        "case _:",
        """raise Rejected(f"unknown unit {unit!r}")""",
        """raise Rejected(f"{value} is no percentage")""",
        """raise Rejected(f"{text!r} is no time of day")""",
    ]
    assert "writer.writeheader()" in missing_source(examples, files, "cleaning/records.py")


def test_asynchronous_code_misses_what_no_service_did(examples, files):
    assert missing_source(examples, files, "async_code.ipynb") == [
        'print("not today")',
        "except KeyError:",
        'print("there is no service", service)',
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_example_is_stored_as_notebook_tools_store_it(path):
    """Ids, no outputs, and one JSON line for each source line."""
    notebook = nbformat.read(path, 4)
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        assert cell.id
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
