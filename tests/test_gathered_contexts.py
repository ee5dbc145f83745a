"""Which cells ran each line, told from what stores have kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from projects import command, line_of, write_notebook

from ipycov import store
from ipycov.cells import Cell
from ipycov.gathered_contexts import GatheredContexts
from ipycov.results import Measured

LIB = "def sign(x):\n    if x < 0:\n        return -1\n    return 1\n"


def lines(*numbers: int) -> Callable[[], tuple[int, ...]]:
    return lambda: numbers


def test_cells_by_number() -> None:
    """A line has the cells that ran it in the order of their numbers, parts and tests as theirs."""
    contexts = GatheredContexts()
    for context in ("In[10]", "In[2]!1", "In[3]|test_a", "In[3]", ""):
        contexts.add("lib.py", context, "a.ipynb", lines(4))
    assert contexts.of("lib.py", own=False, chosen=bool) == {4: ["In[2]", "In[3]", "In[10]"]}
    assert contexts.of("other.py", own=False, chosen=bool) == {}


def test_cells_of_several_notebooks() -> None:
    """In a module the cells of several notebooks are told apart; a notebook's own need no name."""
    contexts = GatheredContexts()
    contexts.add("lib.py", "In[2]", "b.ipynb", lines(1, 2))
    contexts.add("lib.py", "In[10]", "a.ipynb", lines(1))
    contexts.add("a.ipynb", "In[10]", "a.ipynb", lines(7))
    found = contexts.of("lib.py", own=False, chosen=bool)
    assert found == {1: ["a.ipynb:In[10]", "b.ipynb:In[2]"], 2: ["b.ipynb:In[2]"]}
    assert contexts.of("a.ipynb", own=True, chosen=bool) == {7: ["In[10]"]}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    (tmp_path / "lib.py").write_text(LIB)
    return write_notebook(
        tmp_path / "a.ipynb",
        "import lib",
        "def f(\n    x,\n):\n    return lib.sign(x)",
        "f(1)",
        "f(2)",
    )


def files(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["files"]
    return found


@pytest.mark.parametrize("branch", [(), ("--branch",)])
def test_a_run_tells_which_cells_ran_a_line(
    notebook: Path, tmp_path: Path, branch: tuple[str, ...]
) -> None:
    """`ipycov run --show-contexts` puts the cells into JSON and the site."""
    written = ("--json", "out.json", "--html", "site")
    run = ("ipycov", "run", "a.ipynb", *branch, *written)
    command(*run, "--show-contexts", cwd=tmp_path)
    found = files(tmp_path / "out.json")
    contexts = found["a.ipynb"]["contexts"]
    assert contexts == {
        str(line_of(notebook, "import lib")): ["In[1]"],
        str(line_of(notebook, "def f(")): ["In[2]"],
        str(line_of(notebook, "    return lib.sign(x)")): ["In[3]", "In[4]"],
        str(line_of(notebook, "f(1)")): ["In[3]"],
        str(line_of(notebook, "f(2)")): ["In[4]"],
    }
    module = found["lib.py"]["contexts"]
    assert module == {"1": ["In[1]"], "2": ["In[3]", "In[4]"], "4": ["In[3]", "In[4]"]}
    assert "ran in In[3], In[4]" in (tmp_path / "site/a.ipynb.html").read_text()
    assert "In[4]" in (tmp_path / "site/lib_py.html").read_text()


def test_without_the_option_contexts_stay_out(notebook: Path, tmp_path: Path) -> None:
    command("ipycov", "run", "a.ipynb", "--json", "out.json", "--html", "site", cwd=tmp_path)
    assert "contexts" not in files(tmp_path / "out.json")["a.ipynb"]
    assert "ran in" not in (tmp_path / "site/a.ipynb.html").read_text()


def test_a_report_of_stored_sessions(notebook: Path, tmp_path: Path) -> None:
    """`ipycov report --show-contexts` tells the same of notebooks, and of cells in none."""
    stored = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
    cells = [
        Cell(f"/cells/{count}", text, id=None, count=count)
        for count, text in enumerate(("import lib", "f(1)", "f(2)"), 1)
    ]
    for cell in cells:
        stored.add([cell], cell.label, {cell.filename: Measured({1})})
    stored.close()
    elsewhere = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
    alone = Cell("/cells/alone", "alone = 1", count=7)
    elsewhere.add([alone], "In[7]", {alone.filename: Measured({1})})
    elsewhere.add([], "In[8]", {alone.filename: Measured({1})})
    elsewhere.close()
    command("ipycov", "report", "--show-contexts", "--json", "out.json", cwd=tmp_path)
    found = files(tmp_path / "out.json")
    assert found["a.ipynb"]["contexts"][str(line_of(notebook, "f(2)"))] == ["In[3]"]
    assert found["In[7]"]["contexts"] == {"1": ["In[7]", "In[8]"]}


@pytest.mark.parametrize("branch", [False, True])
def test_contexts_that_are_chosen(notebook: Path, branch: bool) -> None:
    """`[report] contexts` narrows reports of notebooks and modules to what some cells ran."""
    folder = notebook.parent
    (folder / ".coveragerc").write_text(
        f"[run]\nbranch = {branch}\n[report]\ncontexts = In.3.\nformat = total\n"
    )
    options = ("--json", "few.json", "--xml", "all.xml", "--show-contexts")
    done = command("ipycov", "run", "a.ipynb", *options, cwd=folder)
    found = files(folder / "few.json")
    calls, body = line_of(notebook, "f(1)"), line_of(notebook, "    return lib.sign(x)")
    assert found["a.ipynb"]["executed_lines"] == [body, calls]
    assert found["a.ipynb"]["contexts"][str(body)] == ["In[3]"]
    assert found["lib.py"]["executed_lines"] == [2, 4]
    if branch:
        assert found["lib.py"]["executed_branches"] == [[2, 4]]
    assert (folder / "all.xml").read_text().count('hits="0"') == 1
    assert re.fullmatch(r"\d+\n", done.stdout)
    assert "Wrote xml report to all.xml" in done.stderr
