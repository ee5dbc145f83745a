"""Whether what was measured is still true of modules and notebooks as they are now."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from kernels import Notebook

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.freshness import ModuleStamps, NotebookFile


def saved(path: Path, texts: dict[str, str], at: float) -> None:
    """Save a notebook with cells of these ids and texts."""
    cells = [nbformat.v4.new_code_cell(text, id=id) for id, text in texts.items()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    os.utime(path, (at, at))


def cell(id: str | None, text: str, ran: float) -> Cell:
    return Cell(f"<{id}>", text, id=id, ran=ran)


def test_a_module_that_changes(tmp_path: Path) -> None:
    """A change is said as long as nothing of the new text ran, and then that data is mixed."""
    module = tmp_path / "lib.py"
    module.write_text("x = 1\n")
    stamps = ModuleStamps()
    stamps.ran([str(module)])
    stamps.ran([str(module)])
    assert stamps.remarks(os.path.basename) == []
    module.write_text("x = 1\ny = 2\n")
    assert stamps.remarks(os.path.basename) == [
        "lib.py has changed since its lines were measured: import it anew"
    ]
    stamps.ran([str(module)])
    assert "lib.py was changed while it was measured" in stamps.remarks(os.path.basename)[0]
    module.unlink()
    assert "has changed" in stamps.remarks(os.path.basename)[0]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of a package that is imported."""
    (tmp_path / "fresh_package").mkdir()
    (tmp_path / "fresh_package/__init__.py").write_text("")
    (tmp_path / "fresh_package/lib.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fresh_package.lib")
    for name in ("fresh_package.lib", "fresh_package"):
        sys.modules.pop(name, None)


RELOADED = (
    "lib.py was reloaded since some of its lines ran: its text is the same, and they still count"
)


def test_a_module_that_is_reloaded(imported: ModuleType) -> None:
    """A reload is said whether lines ran since or not, and only where lines ran before."""
    file = str(imported.__file__)
    importlib.reload(imported)
    stamps = ModuleStamps()
    stamps.ran([file])
    assert stamps.remarks(os.path.basename) == []
    importlib.reload(imported)
    assert stamps.remarks(os.path.basename) == [RELOADED]
    stamps.ran([file])
    stamps.ran([file])
    assert stamps.remarks(os.path.basename) == [RELOADED]


def test_a_module_that_is_imported_anew(imported: ModuleType) -> None:
    """One that was taken out of sys.modules and imported again is as one that was reloaded."""
    stamps = ModuleStamps()
    stamps.ran([str(imported.__file__)])
    del sys.modules["fresh_package.lib"]
    assert stamps.remarks(os.path.basename) == []
    importlib.import_module("fresh_package.lib")
    assert stamps.remarks(os.path.basename) == [RELOADED]


def test_a_module_that_changes_and_is_reloaded(imported: ModuleType) -> None:
    """Of one that changed it is not said that its text is the same, nor to import it anew."""
    stamps = ModuleStamps()
    stamps.ran([str(imported.__file__)])
    Path(str(imported.__file__)).write_text("x = 1\ny = 2\n")
    importlib.reload(imported)
    (said,) = stamps.remarks(os.path.basename)
    assert "lib.py has changed since its lines were measured, and was reloaded" in said
    stamps.ran([str(imported.__file__)])
    (said,) = stamps.remarks(os.path.basename)
    assert "lib.py was changed while it was measured" in said


def test_stale_cells(tmp_path: Path) -> None:
    """A cell is stale once another text of it is saved; one that is not saved yet is not."""
    cells = [cell("a", "x = 1", 100), cell("b", "y = 1", 100), cell("c", "z = 1", 300)]
    saved(tmp_path / "n.ipynb", {"a": "x = 1", "b": "y = 2", "c": "z = 2"}, 200)
    file = NotebookFile(str(tmp_path))
    assert [each.id for each in file.stale(cells)] == ["b"]
    saved(tmp_path / "n.ipynb", {"a": "x = 2", "b": "y = 1"}, 400)
    assert [each.id for each in file.stale(cells)] == ["a"]


def test_stale_cells_of_a_front_end_with_ids_of_its_own(tmp_path: Path) -> None:
    """A cell that ran is known by its text, where the file has other ids than the front end."""
    cells = [cell("vscode:1", "x = 1", 100), cell("vscode:2", "y = 1", 100)]
    saved(tmp_path / "n.ipynb", {"a": "x = 1", "b": "y = 1"}, 200)
    file = NotebookFile(str(tmp_path), lambda: str(tmp_path / "n.ipynb"))
    assert file.stale(cells) == []
    saved(tmp_path / "n.ipynb", {"a": "x = 1", "b": "y = 2"}, 300)
    assert file.stale(cells) == [cells[1]]
    cells.append(cell("vscode:2", "y = 3", 400))
    assert file.stale(cells) == [cells[1]], "not saved yet"


def test_without_ids_nothing_is_known(tmp_path: Path) -> None:
    saved(tmp_path / "n.ipynb", {"a": "x = 1"}, 200)
    file = NotebookFile(str(tmp_path))
    assert file.stale([cell(None, "x = 2", 100)]) == []
    assert file.never_run([cell(None, "x = 2", 100)]) == ("", 0)


@pytest.mark.parametrize("named", [True, False])
def test_which_notebook(tmp_path: Path, named: bool) -> None:
    """The one that the front end names, else the one that has the cells' ids."""
    saved(tmp_path / "m.ipynb", {"other": "x = 3", "more": "x = 4"}, 200)
    saved(tmp_path / "n.ipynb", {"a": "x = 2", "b": "x = 3"}, 200)
    (tmp_path / "bad.ipynb").write_text("{")
    path = str(tmp_path / "m.ipynb") if named else None
    file = NotebookFile(str(tmp_path), lambda: path)
    assert file.never_run([cell("a", "x = 1", 100)]) == (
        ("m.ipynb", 2) if named else ("n.ipynb", 1)
    )


def test_a_notebook_that_is_gone(tmp_path: Path) -> None:
    saved(tmp_path / "n.ipynb", {"a": "x = 2"}, 200)
    file = NotebookFile(str(tmp_path))
    assert file.stale([cell("a", "x = 1", 100)])
    (tmp_path / "n.ipynb").unlink()
    assert file.stale([cell("a", "x = 1", 100)]) == []


def test_a_report_says_that_a_module_changed(notebook: Notebook) -> None:
    module = notebook.write("lib_fresh.py", "def f():\n    return 1")
    notebook.must("import lib_fresh\nlib_fresh.f()")
    assert "lib_fresh" not in notebook.must("%coverage_report").text.partition("TOTAL")[2]
    module.write_text("def f():\n    x = 1\n    return x\n")
    said = "lib_fresh.py has changed since its lines were measured"
    assert said in notebook.must("%coverage_report").text
    short = "changed since it was measured"
    assert short in notebook.must("%coverage_report html").html
    assert short in notebook.must("%coverage_live").html
    notebook.must("%coverage_report html -o site")
    assert short in (notebook.directory / "site/index.html").read_text()
    why = notebook.must("%coverage_report --why lib_fresh").stdout
    assert "2 lines of it have run (it was changed since it was measured)" in why
    notebook.must("import importlib\nimportlib.reload(lib_fresh).f()")
    assert (
        "lib_fresh.py was changed while it was measured" in notebook.must("%coverage_report").text
    )
    notebook.must("%coverage_erase")
    notebook.must("importlib.reload(lib_fresh).f()")
    assert "changed" not in notebook.must("%coverage_report").text


def test_a_report_says_that_a_module_was_reloaded(notebook: Notebook) -> None:
    """A reload is said below the report, until what ran before it is forgotten."""
    notebook.write("lib_again.py", "def f():\n    return 1")
    notebook.must("import importlib, lib_again\nlib_again.f()")
    assert "reloaded" not in notebook.must("%coverage_report").text
    notebook.must("importlib.reload(lib_again)")
    said = "lib_again.py was reloaded since some of its lines ran"
    assert said in notebook.must("%coverage_report").text
    notebook.must("%coverage_erase")
    notebook.must("lib_again.f()")
    assert "reloaded" not in notebook.must("%coverage_report").text


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A file is read again only when it has changed, whether it holds the cells or not."""
    saved(tmp_path / "m.ipynb", {"other": "x = 3"}, 200)
    saved(tmp_path / "n.ipynb", {"a": "x = 2"}, 200)
    cells = [cell("a" if known else "unsaved", "x = 1", 100)]
    file = NotebookFile(str(tmp_path))
    stale = file.stale(cells)
    reads: list[str] = []

    def counted(path: str, read: Callable[[str], object] = notebooks.read) -> object:
        reads.append(os.path.basename(path))
        return read(path)

    monkeypatch.setattr(notebooks, "read", counted)
    assert file.stale(cells) == stale
    file.never_run(cells)
    assert reads == []
    saved(tmp_path / "n.ipynb", {"a": "x = 1", "unsaved": "x = 2"}, 300)
    assert bool(file.stale(cells)) is not known
    assert set(reads) == {"n.ipynb"}
