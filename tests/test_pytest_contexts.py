"""Which test ran which line, in a kernel that ipycov measures."""

from __future__ import annotations

import json

import pytest
from kernels import CORES, Notebook

CELL = """
    def even(x):
        if x % 2 == 0:
            return "even"
        return "odd"
    """
TESTS = """%%ipytest
def test_even():
    assert even(0) == "even"

def test_both():
    assert even(0) != even(1)
"""


@pytest.mark.parametrize("core", CORES)
def test_tests_and_cells(notebook: Notebook, core: str) -> None:
    """`--contexts tests` tells the tests of each line, and the lines that only cells ran."""
    notebook.must(f"%config IPyCov.core = {core!r}\nimport ipytest\nipytest.autoconfig()")
    even = notebook.cell(CELL)
    magic = notebook.cell(TESTS)
    said = notebook.must("%coverage_report --contexts tests").text
    rows = [line.split(maxsplit=1) for line in said.splitlines() if line.startswith("In[")]
    table = [(name, " ".join(rest.split())) for name, rest in rows]
    assert (even, "1 no test") in table
    assert (even, "2-3 test_even") in table
    assert (even, "2-4 test_both") in table
    assert (magic, "3 test_even") in table
    assert (magic, "2, 5 no test") in table
    notebook.must("%coverage_report json --contexts tests -o tests.json")
    files = json.loads((notebook.directory / "tests.json").read_text())["files"]
    assert files[even]["contexts"]["2"] == ["test_both", "test_even"]
    assert files[even]["contexts"]["1"] == ["no test"]


def test_cells_stay_the_contexts_of_others(notebook: Notebook) -> None:
    """`--show-contexts` names cells still, and %%cov counts what the tests of its cell ran."""
    notebook.must("import ipytest\nipytest.autoconfig()")
    even = notebook.cell(CELL)
    magic = notebook.must(f"%%cov\n{TESTS}")
    assert even in magic.text
    assert notebook.report("--show-contexts")[even]["contexts"]["2"] == [magic.label]


def test_files_of_tests(notebook: Notebook) -> None:
    """A test in a file is called by its node id; a fixture's lines are those of its test."""
    notebook.write(
        "test_it.py",
        "import pytest\n@pytest.fixture\ndef one():\n    return 1\ndef test_it(one):\n    pass",
    )
    notebook.must("import pytest; pytest.main(['-q', 'test_it.py'])")
    contexts = notebook.report("--contexts tests")["test_it.py"]["contexts"]
    assert contexts["4"] == contexts["6"] == ["test_it.py::test_it"]
    assert contexts["1"] == ["no test"]


def test_unloading_leaves_pytest_as_it_was(fresh: Notebook) -> None:
    """`pytest.main` is pytest's own again, whether it was imported before loading or after."""
    check = "import pytest; print(pytest.main.__module__, hasattr(pytest.main, '__wrapped__'))"
    fresh.must("%load_ext ipycov")
    assert "True" in fresh.must(check).stdout
    fresh.must("%unload_ext ipycov")
    assert "False" in fresh.must(check).stdout
    fresh.must("%load_ext ipycov")
    assert "True" in fresh.must(check).stdout
    fresh.must("%unload_ext ipycov")
    assert "False" in fresh.must(check).stdout
