"""Notebooks in data files: what kernels that were killed covered becomes part of them."""

from __future__ import annotations

from pathlib import Path

import coverage
import pytest
from projects import line_of, write_notebook

from ipycov.cells import CellBook
from ipycov.folding import NotebookReporter
from ipycov.kernel_data import fold_killed_kernels
from ipycov.notebooks import read
from ipycov.report import ReportingCoverage
from ipycov.results import Measured
from ipycov.store import Store, StoredSession


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a kernel that ran beside a notebook and does not live any more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StoredSession, "lives", lambda session: False)
    write_notebook(tmp_path / "a.ipynb", "x = 1", "y = 2")
    return Store(str(tmp_path / ".ipycov" / "kernels"))


def folded(*, branch: bool) -> coverage.CoverageData:
    """All data that is there once the kernel's is folded."""
    cov = coverage.Coverage(branch=branch, config_file=False)
    fold_killed_kernels(cov)
    cov.combine()
    return cov.get_data()


def test_a_killed_kernel(killed: Store, tmp_path: Path) -> None:
    """The cells that it had run are lines of the notebook."""
    book = CellBook()
    cell = book.add("<cell-1>", "x = 1", "x = 1", None, 1)
    killed.add([cell], "", {cell.filename: Measured({1}, {(-1, 1), (1, -1)}, -1)})
    data = folded(branch=True)
    assert data.has_arcs()
    assert data.lines(str(tmp_path / "a.ipynb"))


def test_a_kernel_that_was_killed_while_it_wrote(
    killed: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that it had written before is there, and which file is cut off is said."""
    book = CellBook()
    cell = book.add("<cell-1>", "x = 1", "x = 1", None, 1)
    killed.add([cell], "", {cell.filename: Measured({1}, None, -1)})
    (path,) = (tmp_path / ".ipycov" / "kernels").glob("*.session")
    path.write_text(path.read_text() + '{"cells":[')
    assert folded(branch=False).lines(str(tmp_path / "a.ipynb"))
    assert f"the end of {path} is left out" in capsys.readouterr().err


def test_a_killed_kernel_that_covered_nothing(killed: Store, tmp_path: Path) -> None:
    """It leaves no data of lines, which could not be combined with data of branches."""
    killed.add([], "", {})
    other = coverage.CoverageData(suffix="other")
    other.add_arcs({str(tmp_path / "lib.py"): {(-1, 1)}})
    other.write()
    assert folded(branch=True).has_arcs()


def test_the_way_that_was_not_taken(tmp_path: Path) -> None:
    """A branch of a notebook is described as coverage.py does it, by the lines of the file."""
    path = tmp_path / "a.ipynb"
    write_notebook(path, "x = 1\nif x > 1:\n    y = 2\nz = 3")
    cov = ReportingCoverage(config_file=False)
    reporter = NotebookReporter(read(str(path)), "a.ipynb", cov.exclusions, {})
    branch, taken, after = (line_of(path, text) for text in ("if x > 1:", "    y = 2", "z = 3"))
    said = reporter.missing_arc_description(branch, taken)
    assert said == (
        f"line {branch} didn't jump to line {taken} "
        f"because the condition on line {branch} was never true"
    )
    said = reporter.missing_arc_description(branch, after)
    assert said.endswith(f"because the condition on line {branch} was always true")
    assert reporter.missing_arc_description(branch, 10**6).endswith("didn't jump to line 1000000")
