"""`ipycov doctor`: what it tells of a directory, and what it finds wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from projects import command, write_notebook


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with two modules and a notebook."""
    (tmp_path / "one.py").write_text("x = 1\n")
    (tmp_path / "two.py").write_text("x = 1\n")
    write_notebook(tmp_path / "a.ipynb", "import one")
    return tmp_path


def doctor(directory: Path, *names: str, code: int, **env: str) -> str:
    done = command("ipycov", "doctor", *names, cwd=directory, env=env, code=code)
    assert done.stderr == ""
    return done.stdout


def test_all_is_well(project: Path) -> None:
    """What would be measured is told, nothing is run, and nothing is written."""
    before = sorted(os.listdir(project))
    said = doctor(project, code=0)
    for each in (
        "Python ",
        "coverage.py ",
        "IPython ",
        "none; looked for .coveragerc,",
        "2 Python files here, 2 measured",
        "a.ipynb",
        "nothing: there is no .ipycov",
        "core for branches",
        "No problems were found.",
    ):
        assert each in said
    assert sorted(os.listdir(project)) == before


def test_what_runners_need(project: Path) -> None:
    """Whether coverage.py would measure kernels that others start is told."""
    assert "neither plugins = ipycov nor patch" in doctor(project, code=0)
    (project / ".coveragerc").write_text("[run]\nplugins = ipycov\npatch = subprocess\n")
    assert "measured when coverage.py runs them" in doctor(project, code=0)
    (project / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    assert "it takes patch = subprocess too" in doctor(project, code=0)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (".coveragerc", "[run]\npatch = subprocess\n", "Add 'plugins = ipycov'"),
        (".coveragerc", "[run]\nsource = nope\n", "'source' names nope"),
        (".coveragerc", "[run]\nsource = .\ninclude = x\n", "'include' is ignored"),
        (".coveragerc", "[run]\nomit = *.py\n", "None of the Python files here"),
        (".coveragerc", "[run]\nnonsense", "Put it right"),
        (".coveragerc", "[run]\nbranch = perhaps\n", "Put it right"),
        (".coveragerc", "[run]\ncore = fast\n", "There is no core fast"),
        (".coveragerc", "[run]\nplugins = no.such\n", "There is no plugin no.such here"),
        ("pyproject.toml", "[tool.coverage.run]\nbranch = ", "Put it right"),
        ("bad.ipynb", "{ not json", "bad.ipynb is not a notebook"),
        (".ipycov/x.session", "nothing", "it is no session of ipycov's"),
    ],
)
def test_problems(project: Path, name: str, text: str, said: str) -> None:
    """Each problem is told with what to change, and the exit code is 1."""
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    shown = doctor(project, code=1)
    assert said in shown
    assert "problem" in shown


def test_a_file_that_is_not_read(project: Path) -> None:
    """Settings in a second configuration file are pointed out."""
    (project / ".coveragerc").write_text("[run]\nomit = two.py\n")
    (project / "pyproject.toml").write_text("[tool.coverage.run]\nbranch = true\n")
    said = doctor(project, code=1)
    assert "pyproject.toml has settings for coverage.py that are not read" in said
    assert "two.py: it is left out by the pattern two.py of 'omit'" in said


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="sysmon measures branches there")
def test_a_core_that_cannot_be_used(project: Path) -> None:
    """A core that is asked for and not used is a problem."""
    (project / ".coveragerc").write_text("[run]\nbranch = true\n")
    assert "sysmon is asked for and can't be used" in doctor(
        project, code=1, COVERAGE_CORE="sysmon"
    )


def test_names(project: Path) -> None:
    """With names, each is answered, and the exit code tells whether all are measured."""
    assert doctor(project, "one", "two.py", code=0).count(" is measured: ") == 2
    said = doctor(project, "one", "json", code=1)
    assert "json is not measured: it is part of Python's standard library" in said
