"""Who ran it: cells that ran lines, in a real kernel."""

from __future__ import annotations

import re

import pytest
from kernels import Notebook, needs_cell_ids

F = """
    def f(x):
        if x:
            return 1
        return 2
    """


def by_cell(notebook: Notebook, options: str = "") -> dict[str, list[str]]:
    """The rows of `%coverage_report --cells`: runs, lines, lines alone and functions."""
    reply = notebook.must(f"%coverage_report --cells {options}")
    rows = re.findall(r"<tr>(<td.*?)</tr>", reply.html)
    values = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return {name: rest for name, *rest in values}


def first(notebook: Notebook, text: str, cell_id: str | None = None) -> str:
    """What a cell says that it was the first to cover."""
    found = re.findall(r".* that nothing had covered before.*", notebook.run(text, cell_id).text)
    assert len(found) <= 1
    return found[0] if found else ""


# ---------------------------------------------------------------- by cell


def test_what_each_cell_covered(notebook: Notebook) -> None:
    """Each cell has its lines, those that no other ran, and the functions that it reached."""
    notebook.write("lib_by.py", "def g(x):\n    return x\ndef h():\n    return 1")
    define = notebook.cell(F)
    one = notebook.cell("import lib_by\nf(1)\nlib_by.g(1)")
    other = notebook.cell("f(1)\nf(0)")
    assert by_cell(notebook) == {
        define: [define, "1", "1", ""],
        one: [one, "8", "6", f"{define} f, lib_by.py g"],
        other: [other, "5", "3", f"{define} f"],
        "TOTAL": ["", "12", "10", ""],
    }


def test_branches_and_options(bare: Notebook) -> None:
    """It counts lines where branches are measured too, of what the options leave in the report."""
    bare.load(branch=True)
    define = bare.cell(F)
    one = bare.cell("f(1)")
    assert by_cell(bare)[one] == [one, "3", "3", f"{define} f"]
    assert by_cell(bare, f"--omit {one.replace('[', '?').replace(']', '?')}")[one][1] == "2"
    assert bare.run("%coverage_report --cells --fail-under 90").ename == "UnderThreshold"


def test_lines_of_a_statement_over_several_lines(notebook: Notebook) -> None:
    """A statement over several lines is one, and so is one in a loop."""
    notebook.write("lib_long.py", "def g(x):\n    return [\n        x,\n        x,\n    ]")
    notebook.cell("import lib_long")
    label = notebook.cell("lib_long.g(\n    1,\n)\nfor _ in range(3):\n    lib_long.g(1)")
    assert by_cell(notebook)[label] == [label, "4", "4", "lib_long.py g"]


def test_many_functions(notebook: Notebook) -> None:
    """Of very many functions the first are named."""
    text = "".join(f"def f{number}():\n    return 1\n" for number in range(14))
    define = notebook.cell(text)
    label = notebook.cell("\n".join(f"f{number}()" for number in range(14)))
    functions = by_cell(notebook)[label][3]
    assert functions.startswith(f"{define} f0, {define} f1")
    assert functions.endswith("f9 and 4 more")


@needs_cell_ids
def test_a_cell_that_ran_again(notebook: Notebook) -> None:
    """The runs of a cell are one row, under its name of now."""
    define = notebook.cell(F)
    before = notebook.cell("f(1)", "a")
    after = notebook.cell("f(1)", "a")
    rows = by_cell(notebook)
    assert before not in rows
    assert rows[after] == [f"{before}, {after}", "3", "3", f"{define} f"]


@needs_cell_ids
def test_a_cell_that_was_edited(notebook: Notebook) -> None:
    """What the earlier text of a cell ran elsewhere counts as the cell's."""
    define = notebook.cell(F, "define")
    before = notebook.cell("f(1)\nx = 1", "a")
    after = notebook.cell("f(0)", "a")
    rows = by_cell(notebook)
    assert rows[after] == [f"{before}, {after}", "4", "4", f"{define} f"]
    assert before not in rows


@needs_cell_ids
def test_a_definition_that_was_edited(notebook: Notebook) -> None:
    """Lines of a text that was replaced are counted no more."""
    before = notebook.cell(F, "define")
    one = notebook.cell("f(1)", "a")
    after = notebook.cell(F + "\n    z = 1", "define")
    rows = by_cell(notebook)
    assert rows[one] == [one, "1", "1", ""]
    assert rows[after] == [after, "2", "2", ""]
    assert before not in rows
    again = notebook.cell(F, "define")  # it was never reset: the text of before is back
    assert by_cell(notebook)[one] == [one, "3", "3", f"{again} f"]


def test_texts_without_ids(notebook: Notebook) -> None:
    """Without ids a text that runs again is one cell, and another text is another."""
    define = notebook.cell(F)
    before = notebook.cell("f(1)")
    after = notebook.cell("f(1)")
    other = notebook.cell("f( 1)")
    rows = by_cell(notebook)
    assert rows[after] == [f"{before}, {after}", "3", "1", f"{define} f"]
    assert rows[other] == [other, "3", "1", f"{define} f"]


def test_parts_of_cells(notebook: Notebook) -> None:
    """What a %cov in a cell ran, and a cell that it runs, is the cell's."""
    define = notebook.cell(F)
    label = notebook.must("x = 1\n%cov -q f(1)").label
    outer = notebook.must("_ = get_ipython().run_cell('f(0)')").label
    rows = by_cell(notebook)
    assert rows[label][1:] == ["4", "3", f"{define} f"]
    assert rows[outer][3] == f"{define} f"
    assert f"{outer}.1" not in rows


def test_after_an_erase(notebook: Notebook) -> None:
    """What was forgotten is no cell's."""
    notebook.cell(F)
    before = notebook.cell("f(1)")
    notebook.cell("%coverage_erase")
    after = notebook.cell("f(0)")
    rows = by_cell(notebook)
    assert before not in rows
    assert rows[after][1:3] == ["3", "3"]


# ---------------------------------------------------------------- the first to cover


def test_what_a_cell_was_the_first_to_cover(notebook: Notebook) -> None:
    """%%cov and %cov say which lines elsewhere nothing had covered before them."""
    label = notebook.cell(F)
    assert first(notebook, "%%cov\nf(1)") == f"2 lines that nothing had covered before: {label} 2-3"
    assert first(notebook, "%cov f(1)") == "no line that nothing had covered before"
    assert first(notebook, "%cov f(0)") == f"1 line that nothing had covered before: {label} 4"
    assert first(notebook, "%%cov\nf(0)") == "no line that nothing had covered before"
    assert first(notebook, "%%cov\nx = 1") == ""
    assert first(notebook, "%cov x = 1") == ""


def test_what_lines_of_a_cell_were_the_first_to_cover(notebook: Notebook) -> None:
    """What the cell ran before a %cov in it was covered before, and so it is in a loop."""
    label = notebook.cell(F)
    assert first(notebook, "f(1)\n%cov f(1)") == "no line that nothing had covered before"
    text = notebook.must("for x in (1, 0, 1):\n    %cov f(x)").text
    said = re.findall(r".* that nothing had covered before.*", text)
    none = "no line that nothing had covered before"
    assert said == [none, f"1 line that nothing had covered before: {label} 4", none]


def test_what_was_first_covered_in_several_cells(notebook: Notebook) -> None:
    """The lines of one cell are told from the name of the next."""
    f, g = notebook.cell(F), notebook.cell("def g(x):\n    y = x\n    return f(y)")
    assert first(notebook, "%%cov\ng(1)") == (
        f"4 lines that nothing had covered before: {f} 2-3; {g} 2-3"
    )


def test_what_parts_of_a_cell_were_the_first_to_cover(notebook: Notebook) -> None:
    """What a %cov in a %%cov was the first to cover, the cell was too."""
    label = notebook.cell(F)
    text = notebook.must("%%cov\n%cov f(1)\nf(0)").text
    assert re.findall(r"(\d) lines? that nothing had covered before: (.*)", text) == [
        ("2", f"{label} 2-3"),
        ("3", f"{label} 2-4"),
    ]


@pytest.mark.parametrize("branch", [False, True])
def test_a_cell_that_goes_another_way(bare: Notebook, branch: bool) -> None:
    """A cell that ran before says which of its own lines ran for the first time."""
    bare.load(branch=branch)
    bare.cell("x = 1")
    text = "%%cov\nif x == 1:\n    y = 1\nelse:\n    y = 2"
    assert first(bare, text, "a") == ""
    assert first(bare, text, "a") == "no line that nothing had covered before"
    bare.cell("x = 2")
    reply = bare.must(text, "a")
    assert f"1 line that nothing had covered before: {reply.label} 5" in reply.text


@needs_cell_ids
def test_what_a_replaced_text_covered(notebook: Notebook) -> None:
    """What the earlier text of a cell covered was covered before."""
    notebook.cell(F)
    notebook.cell("f(1)", "a")
    assert first(notebook, "%%cov\nf(2)", "a") == "no line that nothing had covered before"


def test_while_measuring_is_off(notebook: Notebook) -> None:
    """What ran while nothing was measured was not covered before."""
    label = notebook.cell(F)
    notebook.cell("%coverage_stop")
    notebook.cell("f(1)")
    assert first(notebook, "%%cov\nf(1)") == f"2 lines that nothing had covered before: {label} 2-3"
    notebook.cell("%coverage_start")


# ---------------------------------------------------------------- which cells ran a line


def test_who_ran_the_lines_that_cov_shows(notebook: Notebook) -> None:
    """The functions that %%cov shows tell which cells ran their lines, now and before."""
    notebook.cell(F)
    before = notebook.cell("f(0)")
    reply = notebook.must("%cov f(1)")
    assert f'title="run by {before}, {reply.label}"' in reply.html
    assert f"2  {before}, {reply.label}\n3  {reply.label}" in re.sub(r"<[^>]+>", "", reply.html)


def test_who_ran_the_lines_of_a_report(notebook: Notebook) -> None:
    """With --show-contexts the inline view tells which cells ran each line, in each form."""
    label = notebook.cell(F)
    call = notebook.cell("f(0)")
    (bundle,) = notebook.must("%coverage_report html --show-contexts").displays
    assert f"1  {label}\n2  {call}\n4  {call}" in re.sub(r"<[^>]+>", "", bundle["text/html"])
    assert f"{label} 4 run by {call}" in bundle["text/plain"]
    assert f"{label} 4 run by {call}" in bundle["text/markdown"].replace("\\", "")
    (bundle,) = notebook.must("%coverage_report html").displays
    assert "run by" not in bundle["text/html"]
