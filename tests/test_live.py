"""The live view: one display that each later cell brings up to date."""

from __future__ import annotations

import json
import os
import re
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from coverage.results import Numbers
from kernels import Notebook, needs_cell_ids
from projects import command, line_of, write_notebook

from ipycov.live import LiveView


def analysis(statements: int, missing: int) -> Any:
    """What coverage.py says of a file, as far as the view asks."""
    numbers = Numbers(n_files=1, n_statements=statements, n_missing=missing)
    text = ", ".join(map(str, range(1, missing + 1)))
    return SimpleNamespace(numbers=numbers, missing_formatted=lambda branches: text)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_row_for_each_cell() -> None:
    """Each cell has a row with its percentage and what it missed, also as text without styles."""
    shown = LiveView().shown({"In[1]": analysis(4, 1), "In[2]": analysis(2, 0)}, ["In[2]"])
    text = text_of(shown.html)
    assert "In[1] 75% 4 1" in text
    assert "In[2] 100% 2 just ran" in text
    assert "Covered: 83%, 6 statements, 1 missed; In[2] 100%" in shown.plain
    assert "**Covered: 83%" in shown.markdown
    assert "<script" not in shown.html


def test_a_row_for_each_cell_in_markdown() -> None:
    """The Markdown is the same table: a row for each cell, the one that just ran in bold."""
    view = LiveView()
    cells = {"In[1]": analysis(4, 2), "In[2]": analysis(2, 0)}
    shown = view.shown(cells, ["In[2]"], {"In[1]": "stale"})
    assert shown.markdown.split("\n") == [
        "**Covered: 67%, 6 statements, 2 missed**",
        "",
        "| Name | Covered | Statements | Missed | State |",
        "| :--- | ---: | ---: | :--- | :--- |",
        "| In\\[1\\] | 50% | 4 | 1, 2 | stale |",
        "| **In\\[2\\]** | 100% | 2 |  | just ran |",
    ]
    assert "**In" not in view.shown(cells).markdown
    assert "|" not in LiveView().shown({}).markdown


def test_names_in_markdown_are_text() -> None:
    """What is markup in Markdown, and what would part or end a row, is shown as text."""
    shown = LiveView().shown({"a|b*c*\n<i>`": analysis(1, 0)}).markdown
    assert shown.split("\n")[-1] == r"| a\|b\*c\*\\x0a\<i\>\` | 100% | 1 |  |  |"


def test_very_many_rows_stay_small() -> None:
    """Of very many rows the first are shown, and the others counted, in each form."""
    many = {f"In[{number}]": analysis(3, 1) for number in range(10_000)}
    bundle = LiveView().shown(many)._repr_mimebundle_()
    assert sum(map(len, bundle.values())) < 2_000_000
    for form in ("text/html", "text/markdown"):
        left = re.search(r"(\d+) rows left out", bundle[form])
        assert left is not None
        assert 0 < int(left[1]) < 10_000
    few = LiveView().shown(dict(list(many.items())[:1000]))
    assert "left out" not in few.html + few.markdown


def test_the_change_since_the_last_cell() -> None:
    view = LiveView()
    first = analysis(4, 2)
    assert "(" not in view.shown({"In[1]": first}).plain
    assert "67% (+16.7)" in view.shown({"In[1]": first, "In[2]": analysis(2, 0)}).plain
    assert "(no change)" in view.shown({"In[1]": first, "In[2]": analysis(2, 0)}).plain
    assert "50% (-16.7)" in view.shown({"In[1]": first}).plain


def test_rows_follow_what_they_tell() -> None:
    """A row is kept while nothing of it has changed, and no longer."""
    view, same = LiveView(), analysis(2, 1)
    assert "just ran" in view.shown({"In[1]": same}, ["In[1]"]).html
    assert "just ran" not in view.shown({"In[1]": same}).html
    assert "stale" in view.shown({"In[1]": same}, states={"In[1]": "stale"}).html
    assert "stale" not in view.shown({"In[1]": same}).html
    assert "100%" in view.shown({"In[1]": analysis(2, 0)}).html


def test_nothing_measured_yet() -> None:
    assert LiveView().shown({}).plain == "Covered: nothing was measured yet"


def test_hostile_names_are_text() -> None:
    html = LiveView().shown({"<img src=x>\x1b[31m": analysis(1, 1)}).html
    assert "<img" not in html
    assert "\x1b" not in html


def test_the_live_view(notebook: Notebook) -> None:
    """It shows each later cell, and nothing once it is off."""
    first = notebook.must("%coverage_live")
    assert "nothing was measured yet" in first.text
    later = notebook.must("if later_undefined_is := 0:\n    y = 1")
    assert f"{later.label} 50%" in text_of(later.html)
    assert len(later.displays) == 1
    failed = notebook.run("z = 1\n1 / 0\nz = 2")
    assert f"{failed.label} 67%" in text_of(failed.html)
    notebook.must("%coverage_live --off")
    assert notebook.must("z = 3").displays == []


def test_only_one_display_is_live(notebook: Notebook) -> None:
    notebook.must("%coverage_live")
    notebook.must("%coverage_live")
    assert len(notebook.must("z = 3").displays) == 1


def test_cells_that_run_cells_update_once(notebook: Notebook) -> None:
    notebook.must("%coverage_live")
    reply = notebook.must("_ = get_ipython().run_cell('x = 1')")
    assert len(reply.displays) == 1


def test_unloading_ends_it(notebook: Notebook) -> None:
    notebook.must("%coverage_live")
    notebook.must("%unload_ext ipycov")
    assert notebook.must("z = 3").displays == []
    assert "coverage_live" in notebook.run("%coverage_live").said


def test_wrong_usage(notebook: Notebook) -> None:
    assert "unrecognized arguments: --on" in notebook.run("%coverage_live --on").said


@needs_cell_ids
def test_stale_and_never_run(notebook: Notebook) -> None:
    """A cell edited in the saved notebook since it ran is stale; others there never ran."""
    file = notebook.directory / "live.ipynb"
    cells = [nbformat.v4.new_code_cell(text, id=f"live{n}") for n, text in enumerate("xyz")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    notebook.must("%unload_ext ipycov")
    notebook.load()
    notebook.must("x = 1", "live0")
    ran = notebook.must("y = 1", "live1")
    shown = notebook.must("%coverage_live", "watch")
    assert "live.ipynb has 1 cell that has not run" in text_of(shown.html)
    document = json.loads(file.read_text())
    document["cells"][0]["source"] = ["x = 1"]
    document["cells"][1]["source"] = ["y = 2"]
    document["cells"][2]["source"] = ["z = 1"]
    file.write_text(json.dumps(document))
    os.utime(file, (2**32, 2**32))
    later = notebook.must("z = 1", "live2")
    assert f"{ran.label} 100% 1 stale: edited since it ran" in text_of(later.html)
    report = notebook.must("%coverage_report", "watch").text
    assert f"{ran.label} was edited since it ran: run it again" in report
    assert f"{later.label} was edited" not in report


@needs_cell_ids
def test_a_cell_that_does_not_compile_any_more(notebook: Notebook) -> None:
    """What ran of a cell stays, as stale, when the text that it has now does not compile."""
    label = notebook.cell("def f(x):\n    return x", "broken")
    notebook.run("def f(x:", "broken")
    shown = notebook.must("%%cov\nf(1)", "user")
    assert f"{label} f" in shown.text
    assert "stale: edited since it ran" in shown.text
    report = notebook.must("%coverage_report html", "watch")
    assert f"{label} was edited since it ran: run it again" in report.text
    assert "stale: edited since it ran" in text_of(report.html)
    notebook.must("%coverage_report html -o site", "watch")
    page = (notebook.directory / "site/In.html").read_text()
    assert "stale: edited since it ran" in page
    again = notebook.cell("def f(x):\n    return [x]", "broken")
    report = notebook.must("%coverage_report html", "watch")
    assert "edited since" not in report.text + report.html
    assert again in report.html
    assert label not in report.html


@needs_cell_ids
def test_nothing_is_said_of_cells_that_are_in_no_report(notebook: Notebook) -> None:
    """A cell that was erased is not said to be stale, nor to have run before measuring."""
    notebook.must("%coverage_stop")
    notebook.must("def early():\n    return 1", "early")
    notebook.must("%coverage_start")
    notebook.must("x = early()", "gone")
    notebook.run("x =", "gone")
    assert "edited since" in notebook.must("%coverage_report", "watch").text
    assert "ran before measuring" in notebook.must("%coverage_report", "watch").text
    notebook.must("%coverage_erase", "watch")
    notebook.must("y = 1", "other")
    report = notebook.must("%coverage_report", "watch").text
    assert "edited since" not in report
    assert "ran before measuring" not in report


def test_a_cell_from_before_loading(fresh: Notebook) -> None:
    """Its functions are measured; what defined them ran before and is not missed."""
    label = fresh.cell("import os\nclass A:\n    def f(self, x):\n        if x:\n            y = 1")
    fresh.must("%load_ext ipycov")
    fresh.must("A().f(0)")
    entry = fresh.report()[label]
    assert (entry["executed_lines"], entry["missing_lines"]) == ([4], [5])
    assert entry["excluded_lines"] == [1, 2, 3]
    assert f"{label}: ran before measuring began: 1, 2, 3" in fresh.must("%coverage_report").text
    assert "ran before measuring" in fresh.must("%coverage_report html").html


def test_a_notebook_from_before_loading(fresh: Notebook) -> None:
    """What its first cells defined is not missed in a later report, in another process, either."""
    cells = [
        "import os\nclass A:\n    def f(self, x):\n        if x:\n            y = 1",
        "import json as never_there\ndel never_there",
        "%load_ext ipycov\nfrom os import path",
        "A().f(0)",
        "import os.path",
    ]
    file = write_notebook(fresh.directory / "n.ipynb", *cells)
    for cell in cells:
        fresh.must(cell)
    done = command("ipycov", "report", "--json=r.json", "--html=site", cwd=fresh.directory)
    entry = json.loads((fresh.directory / "r.json").read_text())["files"]["n.ipynb"]
    begins = {text.strip(): line_of(file, text) for text in ("import os", "class A:", "    def f")}
    loads = [line_of(file, text) for text in ("%load_ext ipycov", "from os import path")]
    assert entry["excluded_lines"] == [*begins.values(), *loads]
    missing = [line_of(file, text) for text in ("            y = 1", "import json", "del never")]
    assert entry["missing_lines"] == missing
    assert entry["summary"]["covered_lines"] == 3
    listed = ", ".join(map(str, begins.values()))
    assert f"n.ipynb, cell 1: ran before measuring began: {listed}\n" in done.stdout
    assert "n.ipynb, cell 2: ran" not in done.stdout
    listed = ", ".join(map(str, loads))
    assert f"n.ipynb, cell 3: ran before measuring began: {listed}\n" in done.stdout
    page = (fresh.directory / "site" / "n.ipynb.html").read_text()
    assert "3 lines ran before measuring" in page


@pytest.mark.parametrize(
    ("begins", "ends"), [("", "\n"), ("\n\n", "\n\n\n"), ("%time x = 1\n#\x0c\n", "\n  \n\n")]
)
def test_blank_lines_of_a_cell_from_before_loading(fresh: Notebook, begins: str, ends: str) -> None:
    """A cell that ends in blank lines is known too, of which the history keeps nothing."""
    text = f"{begins}import os\ndef f(x):\n    return x{ends}"
    label = fresh.kernel.run(text).label
    fresh.must("%load_ext ipycov")
    fresh.must("f(0)")
    entry = fresh.report()[label]
    first = 1 + begins.count("\n")
    assert (entry["executed_lines"], entry["excluded_lines"]) == ([first + 2], [first, first + 1])
    assert "No source for code" not in fresh.must("%coverage_report").text


def test_definitions_in_blocks_from_before_loading(fresh: Notebook) -> None:
    """What `try` and `with` begin with ran too; what may have been passed over is not said to."""
    label = fresh.cell("""
        try:
            import os, contextlib
        except ImportError:
            import ntpath as os
        with contextlib.suppress(ValueError):
            def f(x):
                return x
        if not os:
            import posixpath as os
    """)
    fresh.must("%load_ext ipycov")
    fresh.must("f(0)")
    entry = fresh.report()[label]
    assert entry["excluded_lines"] == [1, 2, 5, 6]
    assert (entry["executed_lines"], entry["missing_lines"]) == ([7], [3, 4, 8, 9])


def test_cells_from_before_loading_that_differ_in_their_ends(fresh: Notebook) -> None:
    """Each is a cell of its own, as it is to the kernel."""
    text = "def f(x):\n    return x"
    labels = [fresh.kernel.run(each).label for each in (text, f"{text}\n", text)]
    fresh.must("%load_ext ipycov")
    fresh.must("f(0)")
    assert [name for name in fresh.report() if name in labels] == [labels[-1]]


def test_a_branch_of_a_line_from_before_loading(fresh: Notebook) -> None:
    """What left a line that ran before, nothing measured either: it is no partial branch."""
    label = fresh.cell("def one(): return 1\ndef two(): return 2\ndef three():\n    return 3")
    fresh.must("%load_ext ipycov\n%config IPyCov.branch = True")
    fresh.must("two()\nthree()")
    entry = fresh.report()[label]
    assert entry["excluded_lines"] == [1, 2, 3]
    assert (entry["summary"]["num_branches"], entry["missing_branches"]) == (0, [])
    assert entry["summary"]["percent_covered"] == 100


def test_a_cell_that_ran_while_measuring_was_off(notebook: Notebook) -> None:
    notebook.must("%coverage_stop")
    label = notebook.run("def off_f():\n    return 1\n1 / 0\ndef off_g():\n    return 1").label
    notebook.must("%coverage_start")
    notebook.must("off_f()")
    entry = notebook.report()[label]
    assert entry["excluded_lines"] == [1]
    assert entry["missing_lines"] == [3, 4, 5]
