"""The book of cells: names, ids and counts."""

from __future__ import annotations

from ipycov.cells import Cell, CellBook


def test_label_is_the_latest_count() -> None:
    """A cell is called after its latest execution count."""
    book = CellBook()
    book.add("a.py", "x", "x\n", None, 3)
    assert book.add("a.py", "x", "x\n", None, 7).label == "In[7]"
    assert [cell.label for cell in book] == ["In[7]"]


def test_cells_come_in_the_order_of_their_counts() -> None:
    """Cells are listed by count, not by name or by when they were first run."""
    book = CellBook()
    for count, name in ((2, "b.py"), (10, "a.py"), (3, "c.py")):
        book.add(name, f"x = {count}", None, None, count)
    book.add("b.py", "x = 2", None, None, 11)
    assert [cell.label for cell in book] == ["In[3]", "In[10]", "In[11]"]


def test_an_edited_cell_replaces_its_old_self() -> None:
    """A new text under an id takes the place of the text that the id had."""
    book = CellBook()
    old = book.add("old.py", "x = 1", None, "id", 1)
    new = book.add("new.py", "x = 2", None, "id", 2)
    assert list(book) == [new]
    assert old.replaced
    assert book.get("old.py") is old, "its code may still run"


def test_an_old_text_can_come_back() -> None:
    """A cell that is edited back is its old self again."""
    book = CellBook()
    old = book.add("old.py", "x = 1", None, "id", 1)
    book.add("new.py", "x = 2", None, "id", 2)
    assert book.add("old.py", "x = 1", None, "id", 3) is old
    assert [(cell.typed, cell.count) for cell in book] == [("x = 1", 3)]


def test_a_text_that_does_not_compile_replaces_nothing() -> None:
    """What ran is still there, as edited since, until another text of the cell has run."""
    book = CellBook()
    old = book.add("old.py", "x = 1", None, "id", 1)
    for count in (2, 3):
        bad = book.add(f"bad{count}.py", f"x{count} =", None, "id", count)
        book.did_not_compile(bad, "why")
        assert list(book) == [old, bad]
        assert (book.is_edited(old), book.is_edited(bad)) == (True, False)
        assert book.names_of_runs()["In[1]"] == "In[1]"
    new = book.add("new.py", "x = 4", None, "id", 4)
    assert list(book) == [new]
    assert book.names_of_runs()["In[1]"] == "In[4]"
    book.did_not_compile(book.add("bad.py", "x =", None, "id", 5), "why")
    assert book.add("new.py", "x = 4", None, "id", 6) is new
    assert list(book) == [new]
    assert not book.is_edited(new)


def test_the_same_text_in_two_cells_has_two_names() -> None:
    """IPython names code by its text; the cells of two ids are told apart."""
    book = CellBook()
    for id, count in (("one", 1), ("two", 2), ("three", 3), ("one", 4)):
        book.add(book.filename_for("a.py", "x", id), "x", None, id, count)
    assert [(cell.filename, cell.id, cell.count) for cell in book] == [
        ("a_2.py", "two", 2),
        ("a_3.py", "three", 3),
        ("a.py", "one", 4),
    ]


def test_without_ids_a_text_is_a_cell() -> None:
    """Where the front end sends no id, the same text run again is the same cell."""
    book = CellBook()
    assert book.filename_for("a.py", "x", None) == "a.py"
    book.add("a.py", "x", None, None, 1)
    assert book.filename_for("a.py", "x", None) == "a.py"


def test_an_error_is_forgotten_when_the_cell_runs_again() -> None:
    """Why a cell could not be compiled is true of one run."""
    book = CellBook()
    book.add("a.py", "x", None, None, 1).error = "it did not compile"
    assert book.add("a.py", "x", None, None, 2).error is None


def test_lines_of_code_and_typed_lines() -> None:
    """A line of the code objects is told as the typed line, and 0 and below stay."""
    cell = Cell("a.py", "\n\nx = 1\n%config \\\n  A\ny = 2", None)
    assert [cell.typed_line(line) for line in (-1, 0, 1, 2, 3)] == [-1, 0, 3, 4, 6]


def test_lines_under_a_header() -> None:
    """Code under a cell magic counts from the magic's line, and back."""
    cell = Cell("a.py", "\n%%time\n\nx = 1", None)
    assert [cell.typed_line(line) for line in (1, 2, 3)] == [2, 3, 4]
    assert [cell.compiled_line(line) for line in (2, 3, 4)] == [1, 2, 3]


def test_a_magic_turns_out_to_run_python() -> None:
    """A cell's lines are known anew when a magic that was not known ran its body."""
    cell = Cell("a.py", "%%mine\nx = 1", None)
    assert cell.translation.python.startswith("get_ipython()")
    cell.body_was_compiled()
    assert cell.translation.python == "\nx = 1"


def test_the_cell_that_ran_under_a_count() -> None:
    """It is the latest of that count, but not one that another had IPython run."""
    book = CellBook()
    for name, ran, nested in (("a", 1.0, 0), ("b", 2.0, 0), ("c", 3.0, 1)):
        cell = book.add(name, name, name, None, 7)
        cell.ran, cell.nested = ran, nested
    found = book.at_count(7)
    assert found is not None
    assert found.typed == "b"
    assert book.at_count(8) is None


def test_cells_of_our_own_magics() -> None:
    """A cell that holds nothing but ipycov's magics is told from one that holds code too."""
    assert Cell("<1>", "%coverage_erase\n\n%coverage_report -m").is_ours
    assert not Cell("<1>", "%coverage_report -m\nx = 1").is_ours
    assert not Cell("<1>", "%%cov\nx = 1").is_ours
    assert not Cell("<1>", "").is_ours
