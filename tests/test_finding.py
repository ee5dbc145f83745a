"""Finding the notebook that cells are of."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from ipycov.cells import Cell
from ipycov.finding import notebook_of


def test_notebooks_that_fit_alike(tmp_path: Path) -> None:
    """Where nothing tells which of them ran, it is said for which one the cells count."""
    paths = []
    for name, texts in {"a": ["x = 1", "y = 2"], "b": ["x = 1"], "c": ["x = 2"]}.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(t) for t in texts])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        paths.append(str(tmp_path / f"{name}.ipynb"))
    said: list[str] = []
    found = notebook_of([Cell("<1>", "x = 1")], paths, str(tmp_path), said.append)
    assert found is not None
    assert found.path == paths[1]
    (message,) = said
    assert f"{os.path.relpath(paths[0])} or {os.path.relpath(paths[1])}:" in message
    assert notebook_of([Cell("<1>", "x = 2")], paths, str(tmp_path), said.append) is not None
    assert len(said) == 1


def test_cells_that_are_in_no_notebook(tmp_path: Path) -> None:
    """A notebook that ran whole is found among them, and ipycov's own magics count for none."""
    path = tmp_path / "a.ipynb"
    texts = ["%load_ext ipycov", "x = 1", "y = 2"]
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts]), path
    )

    def found(*typed: str, ran_in: Path = tmp_path) -> bool:
        cells = [Cell(f"<{number}>", text) for number, text in enumerate(typed)]
        return notebook_of(cells, [str(path)], str(ran_in)) is not None

    magics = "%load_ext ipycov", "%coverage_report", "%coverage_report -m", "%coverage_report html"
    assert found(*magics, "x = 1")
    others = "a = 1", "b = 1", "c = 1", "d = 1"
    assert found("%load_ext ipycov", "x = 1", "y = 2", *others)
    assert not found("%load_ext ipycov", "x = 1", *others)
    assert not found("%load_ext ipycov", "x = 1", "y = 2", *others, ran_in=tmp_path / "elsewhere")


@pytest.mark.parametrize("original", ["pipe", "a\0b", "\ud800", "/dev/zero", ".", "absent.ipynb"])
def test_a_copy_of_what_is_no_file(original: str, tmp_path: Path) -> None:
    """A copy that was made from what is no file is itself the notebook; nothing is waited for."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "done.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x = 1")],
        metadata={
            "papermill": {"input_path": original},
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python"},
        },
    )
    path.write_text(nbformat.writes(notebook).encode("ascii", "backslashreplace").decode())
    found = notebook_of([Cell("<a>", "x = 1")], [str(path)], str(tmp_path))
    assert found is not None
    assert found.path == str(path)
