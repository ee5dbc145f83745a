"""Notebook files: which code cells they have, and on which line each row of source stands."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from projects import line_of, write_notebook

from ipycov import notebooks
from ipycov.errors import BadNotebook


def test_lines(tmp_path: Path) -> None:
    """Each row of source has the line of the file that holds it."""
    path = write_notebook(tmp_path / "a.ipynb", "first = 1\nsecond = '\"quoted\"'", "third = 3")
    notebook = notebooks.read(str(path))
    rows = {row: line for cell in notebook.cells for row, line in zip_rows(cell)}
    assert rows == {row: line_of(path, row) for row in rows}
    assert set(rows) == {"first = 1", "second = '\"quoted\"'", "third = 3"}


def zip_rows(cell: notebooks.NotebookCell) -> list[tuple[str, int]]:
    return list(zip(cell.text.split("\n"), cell.file_lines, strict=True))


def test_markdown_is_no_code() -> None:
    """Cells are numbered among all cells; only those of code are listed."""
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# a"), nbformat.v4.new_code_cell("x")]
    )
    notebook = notebooks.parse(nbformat.writes(document), "a.ipynb")
    assert [(cell.number, cell.text) for cell in notebook.cells] == [(2, "x")]


def test_minified() -> None:
    """Where the file keeps no line a line, rows of all code cells are counted through."""
    cells = [{"cell_type": "code", "source": source} for source in ("a\nb", "c")]
    notebook = notebooks.parse(json.dumps({"cells": cells}), "a.ipynb")
    assert not notebook.keeps_lines
    assert [
        notebook.file_line(cell, row)
        for cell in notebook.cells
        for row in range(1, len(cell.file_lines) + 1)
    ] == [1, 2, 3]


def test_version_3() -> None:
    """nbformat 3 keeps cells in worksheets and source as `input`."""
    cell = {"cell_type": "code", "language": "python", "input": ["x = 1\n", "y = 2"]}
    text = json.dumps({"worksheets": [{"cells": [cell]}], "nbformat": 3}, indent=1)
    (found,) = notebooks.parse(text, "a.ipynb").cells
    assert found.text == "x = 1\ny = 2"
    assert len(set(found.file_lines)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no cells"),
        ("{", "Expecting"),
        ("[]", "no cells"),
        ("{}", "no cells"),
        ('{"cells": 3}', "no cells"),
        ('{"cells": []} x', "Extra data"),
        ("[" * 100_000, "not a notebook"),
        ('{"cells": ' + "[" * 100_000, "not a notebook"),
    ],
)
def test_no_notebook(text: str, said: str, tmp_path: Path) -> None:
    """What is no notebook is said to be none, by its name."""
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(BadNotebook, match=said) as raised:
        notebooks.read(str(path))
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "cell",
    [
        3,
        None,
        {"cell_type": "code"},
        {"cell_type": "code", "source": 3},
        {"cell_type": "code", "source": [1, None]},
        {"cell_type": 7, "source": "x"},
        {"cell_type": "code", "source": "", "id": 3},
    ],
)
def test_wrong_types(cell: object) -> None:
    """A cell that is not what it should be does not keep the others from being read."""
    good = {"cell_type": "code", "source": "x = 1"}
    text = json.dumps({"cells": [cell, good], "metadata": 3})
    assert notebooks.parse(text, "a.ipynb").cells[-1].text == "x = 1"


def test_unreadable(tmp_path: Path) -> None:
    """A file that is missing or no text is said to be so."""
    with pytest.raises(BadNotebook, match="can't read"):
        notebooks.read(str(tmp_path / "absent.ipynb"))
    (tmp_path / "binary.ipynb").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadNotebook, match="not UTF-8"):
        notebooks.read(str(tmp_path / "binary.ipynb"))
