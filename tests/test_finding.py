"""Finding the notebook that cells are of."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from ipycov.cells import Cell
from ipycov.finding import notebook_of


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
