"""The magics in a real kernel."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree

import IPython
import pytest
from kernels import CORES, Notebook

F = """
    def f(x):
        if x:
            return 1
        return 2
    """


def shown(html: str) -> str:
    """The text of a piece of HTML."""
    text = re.sub(r"<[^>]+>", "", html)
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&#x27;", "'"), ("&amp;", "&")):
        text = text.replace(entity, char)
    return text


# ---------------------------------------------------------------- %%cov and %cov


def test_cov_runs_the_cell_as_usual(notebook: Notebook) -> None:
    """%%cov shows the cell's result and output as usual, and what it covered."""
    reply = notebook.must("%%cov\nprint('out')\nif 1 == 2:\n    x = 1\n41 + 1")
    assert reply.stdout == "out\n"
    assert reply.result == "42"
    assert f"{reply.label}  75%, 4 statements, 1 missed: 4" in reply.text
    assert notebook.must("_").result == "42"
    assert "<script" not in reply.html
    assert "!     x = 1" in shown(reply.html)


@pytest.mark.parametrize("timing", ["%%time\n", "%time ", "%timeit -n1 -r1 "])
def test_cov_is_all_that_is_timed(notebook: Notebook, timing: str) -> None:
    """`%cov` as all that a magic times is shown, and fails, as anywhere."""
    f = notebook.must(F).label
    assert f"{f} f  67%" in notebook.must(f"{timing}%cov f(1)").text
    reply = notebook.run(f"{timing}%cov --fail-under 99 f(1)")
    assert "UnderThreshold" in reply.said


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("%%cov\n1 + 1", "2"),
        ("%%cov -q\n1 + 1", "2"),
        ("%%cov\n1 + 1;", ""),
        ("%%cov\nx = 1", ""),
        ("%%cov\nNone", ""),
        ("%cov 1 + 1", "2"),
        ("%cov x = 1", ""),
        ("%cov -q 'a b'", "'a b'"),
        ("x = 1\n%cov x + 1", "2"),
        ("y = %cov 3 + 4\ny", "7"),
        ("%%time\n%cov 2 + 3", "5"),
        ("%%cov\n%%time\n5", "5"),
        ("%%cov\nimport asyncio\nawait asyncio.sleep(0, 8)", "8"),
        ("%cov await asyncio.sleep(0, 9)", "9"),
        ("x = 1\n%cov await asyncio.sleep(0, 9)", "9"),
        ("x = %cov await asyncio.sleep(0, 9)\nx + 1", "10"),
        ("for i in range(2):\n    x = %cov -q await asyncio.sleep(0, i)\nx", "1"),
    ],
)
def test_results(notebook: Notebook, text: str, out: str) -> None:
    """The value of a cell or statement under %cov is shown once, as it would be without."""
    notebook.cell("import asyncio")
    reply = notebook.must(text)
    assert (reply.result, reply.stderr) == (out, "")


def test_quiet(notebook: Notebook) -> None:
    """-q measures and shows nothing."""
    for text in ("%%cov -q\nx = 1", "%cov -q x = 1", "y = 1\n%cov --quiet x = 1"):
        reply = notebook.must(text)
        assert (reply.displays, reply.stdout, reply.stderr) == ([], "", "")
        assert reply.label in notebook.report()


def test_cov_reports_the_functions_it_reached(notebook: Notebook) -> None:
    """%cov shows the functions that it reached, in cells and modules, and no others."""
    notebook.write("lib_cov.py", "def g():\n    return 1\ndef h():\n    return 2")
    label = notebook.cell(F + "\n    def other():\n        return 3")
    notebook.cell("import lib_cov")
    text = notebook.must("%cov f(1); lib_cov.g()").text
    assert re.search(rf"{re.escape(label)} f +67%, 3 statements, 1 missed: 4", text)
    assert re.search(r"lib_cov.py g +100%", text)
    assert "other" not in text
    assert "lib_cov.py h" not in text


def test_each_cov_shows_its_own(notebook: Notebook) -> None:
    """Each %cov among other lines shows what it ran itself, in loops too."""
    label = notebook.cell(F)
    reply = notebook.must("y = 1\nfor i in range(2):\n    %cov f(i)\n%cov f(1)\nf(0)")
    parts = [each["text/plain"] for each in reply.displays if "%" in each["text/plain"]]
    assert [re.search(r"missed: (.*)", part)[1] for part in parts] == ["3", "4", "4"]  # type: ignore[index]
    own, reached = re.escape(reply.label), re.escape(label)
    assert all(re.search(rf"{own} +100%, 1 statement, 0 missed", part) for part in parts)
    assert all(re.search(rf"{reached} f +67%", part) for part in parts)
    assert notebook.lines(reply.label) == ([1, 2, 3, 4, 5], [])


def test_cov_in_a_function(notebook: Notebook) -> None:
    """A %cov line inside a function shows what its statement ran, at each call."""
    notebook.cell(F)
    notebook.cell("def g(x):\n    a = 1\n    %cov f(x)\n    return a")
    text = notebook.must("g(0)\ng(1)").text
    assert text.count("missed: 3") == 1
    assert text.count("missed: 4") == 1


def test_cov_in_cov(notebook: Notebook) -> None:
    """A %cov inside a %%cov shows its part, and the cell its whole."""
    notebook.cell(F)
    reply = notebook.must("%%cov\n%cov f(0)\nz = f(1)")
    parts = [each["text/plain"] for each in reply.displays if "%" in each["text/plain"]]
    assert len(parts) == 2
    assert "missed: 3" in parts[0]
    assert "missed: " not in parts[1]


def test_cov_in_a_captured_cell(notebook: Notebook) -> None:
    """%%cov below %%capture is captured with the rest, and shown once."""
    notebook.must("%%capture out\n%%cov\nx = 1\nif x == 2:\n    y = 1")
    assert notebook.must("len(out.outputs)").result == "1"
    assert "missed: 5" in notebook.must("out.outputs[0]").text


def test_a_cov_cell_that_a_cell_runs(notebook: Notebook) -> None:
    """%%cov in a text that a cell has IPython run shows that text alone."""
    notebook.cell(F)
    text = notebook.must("f(1)\n_ = get_ipython().run_cell('%%cov\\nx = 1\\nf(0)')").text
    assert re.search(r"In\[\d+\]\.1 +100%, 2 statements, 0 missed", text)
    assert re.search(r"missed: 3", text)


def test_cov_called_as_a_function(notebook: Notebook) -> None:
    """run_cell_magic runs a cell under %%cov too."""
    reply = notebook.must("get_ipython().run_cell_magic('cov', '', 'a = 1\\nb = 2')\nprint(a, b)")
    assert reply.stdout == "1 2\n"
    assert "100%" in reply.text


@pytest.mark.parametrize(
    "text",
    [
        "%%cov\nx = 1\n1 / 0",
        "%cov 1 / 0",
        "x = 1\n%cov 1 / 0",
        "for i in range(2):\n    %cov 1 / 0",
        "%%cov\nx = 1\nraise KeyboardInterrupt",
        "%%cov\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0",
        "%%cov\n%%time\n1 / 0",
        "%%time\n%%cov\n1 / 0",
        "%%cov\ndef g():\n    1 / 0\ng()",
    ],
)
def test_an_error_stays_an_error(notebook: Notebook, text: str) -> None:
    """A cell that fails under %cov fails with one traceback, and its coverage is shown."""
    if "%%time" in text and IPython.version_info < (8,):
        pytest.skip("IPython 7's %%time shows the error and goes on")
    reply = notebook.run(text)
    assert reply.status == "error"
    assert reply.ename in ("ZeroDivisionError", "KeyboardInterrupt")
    everything = reply.stdout + reply.stderr + reply.traceback
    assert everything.count("Traceback (most recent call last)") == 1
    assert f"{reply.label}  " in reply.text
    assert "cov_magic.py" not in reply.traceback
    assert notebook.must("1 + 1").result == "2"


def test_what_an_await_ran(notebook: Notebook) -> None:
    """A %cov line that awaits shows what its statement ran, and the cell goes on."""
    label = notebook.cell(
        """
        import asyncio
        async def co(x):
            await asyncio.sleep(0)
            if x:
                return 1
            return 2
        """
    )
    reply = notebook.must("await co(0)\n%cov await co(1)\nif 1 == 2:\n    x = 1")
    assert re.search(rf"{re.escape(label)} co +75%, 4 statements, 1 missed: 6", reply.text)
    assert notebook.lines(reply.label) == ([1, 2, 3], [4])
    failed = notebook.run("x = 1\n%cov await nothing\ny = 2")
    assert failed.ename == "NameError"
    assert "cov_magic.py" not in failed.traceback
    assert notebook.lines(failed.label) == ([1, 2], [3])


def test_an_error_that_is_caught(notebook: Notebook) -> None:
    """The user's code can catch what a %cov statement raises."""
    reply = notebook.must("try:\n    %cov 1 / 0\nexcept ZeroDivisionError:\n    print('caught')")
    assert reply.stdout == "caught\n"
    assert notebook.lines(reply.label) == ([1, 2, 3, 4], [])


def test_syntax_errors(notebook: Notebook) -> None:
    """A cell or statement that does not compile is the user's error alone."""
    for text in ("%%cov\nx =", "%cov x =", "y = 1\n%cov x ="):
        reply = notebook.run(text)
        assert reply.ename == "SyntaxError"
        assert reply.stderr == ""


def test_cov_works_while_measuring_is_off(notebook: Notebook) -> None:
    """%%cov and %cov measure while measuring is off, and what they measure counts."""
    definition = notebook.cell(F)
    notebook.cell("%coverage_stop")
    off = notebook.cell("f(0)")
    cell = notebook.must("%%cov\nx = 1\nif x == 2:\n    y = 1")
    line = notebook.must("%cov f(1)")
    middle = notebook.must("f(0)\n%cov f(1)\nf(0)")
    after = notebook.cell("f(0)")
    assert "missed: 4" in cell.text
    assert "100%" in line.text
    files = notebook.report()
    assert off not in files
    assert after not in files
    assert files[cell.label]["missing_lines"] == [4]
    assert files[middle.label]["executed_lines"] == [2]
    assert files[definition]["missing_lines"] == [4]
    assert notebook.must("import sys; print(sys.gettrace())").stdout == "None\n"


@pytest.mark.parametrize("core", CORES)
def test_branches_of_one_cell(notebook: Notebook, core: str) -> None:
    """%%cov --branch measures the branches of its cell, whatever the session measures."""
    notebook.cell(f"%config IPyCov.core = {core!r}")
    label = notebook.cell(F)
    reply = notebook.must("%%cov --branch\nfor i in [1]:\n    f(i)\n    break")
    assert f"{reply.label}" in reply.text
    assert "partial" in reply.text
    assert re.search(
        rf"{re.escape(label)} f +60%, 3 statements, 1 missed, 2 branches, 1", reply.text
    )
    plain = notebook.must("%%cov\nif 1 == 1:\n    x = 1")
    assert "branch" not in plain.text


def test_cov_source_include_omit(notebook: Notebook) -> None:
    """--source, --include and --omit choose among the modules of one cell."""
    for name in ("lib_red", "lib_blue"):
        notebook.write(f"{name}.py", "def f():\n    return 1")
    notebook.cell("import lib_red, lib_blue")
    for options, left in (
        ("--source lib_red", {"lib_red"}),
        ("--include '*/lib_b*'", {"lib_blue"}),
        ("--omit=*/lib_b*", {"lib_red"}),
        ("--omit */lib_b*,*/lib_r*", set()),
        ("--omit */lib_b* --omit */lib_r*", set()),
    ):
        text = notebook.must(f"%%cov {options}\nlib_red.f()\nlib_blue.f()").text
        assert set(re.findall(r"lib_\w+(?=\.py f)", text)) == left, options
        text = notebook.must(f"%cov {options} lib_red.f(); lib_blue.f()").text
        assert set(re.findall(r"lib_\w+(?=\.py f)", text)) == left, options


def test_a_source_that_was_never_imported(notebook: Notebook) -> None:
    """A source of which nothing was imported is named, by %%cov and by reports."""
    assert "lib_never" in notebook.must("%%cov --source lib_never\nx = 1").text
    assert "lib_never" not in notebook.must("%coverage_report").text
    notebook.cell("%config IPyCov.source = ['lib_never']")
    notebook.cell("x = 2")
    text = notebook.must("%coverage_report").text
    assert text.count("lib_never is not in the report: no module of the source") == 1


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("%%cov --fail-under 100\nif 1 == 2:\n    x = 1\nz = 1", True),
        ("%%cov --fail-under 90 -q\nif 1 == 2:\n    x = 1\nz = 1", True),
        ("%%cov --fail-under=66\nif 1 == 2:\n    x = 1\nz = 1", False),
        ("%%cov --fail-under 100\nf(1)", False),
        ("%cov --fail-under 100 f(1)", True),
        ("%cov --fail-under 75 f(1)", False),
        ("%cov --fail-under 100 f(1)\nz = 1", True),
    ],
)
def test_fail_under_of_a_cell(notebook: Notebook, text: str, fails: bool) -> None:
    """--fail-under fails a cell whose coverage is less, in one line; the cell has run."""
    notebook.cell(F)
    reply = notebook.run(text)
    assert (reply.status == "error") is fails
    if fails:
        number = re.search(r"under[ =](\d+)", text)
        assert number is not None
        assert reply.ename == "UnderThreshold"
        assert reply.evalue.endswith(f"is less than fail-under={number[1]}")
        assert "Traceback" not in reply.traceback
    assert reply.label in notebook.report()


def test_fail_under_gives_way_to_the_cells_own_error(notebook: Notebook) -> None:
    """A cell that fails by itself fails with its own error."""
    reply = notebook.run("%%cov --fail-under 100\n1 / 0\nif 1 == 2:\n    x = 1")
    assert reply.ename == "ZeroDivisionError"
    assert "UnderThreshold" not in reply.said


@pytest.mark.parametrize("magic", ["%%cov", "%cov", "%coverage_report", "%coverage_start"])
def test_the_manual(notebook: Notebook, magic: str) -> None:
    """A question mark after a magic shows its manual, with every option."""
    manual = notebook.must(f"{magic}?").payload[0]["data"]["text/plain"]
    if magic.endswith("cov"):
        options = ["--branch", "--source", "--include", "--omit", "--fail-under", "-q", "--quiet"]
    elif magic.endswith("report"):
        options = ["-o", "--show-missing", "--skip-covered", "--sort", "--include", "--omit"]
        options += [
            "--fail-under",
            "--show-contexts",
            "--cells",
            "--precision",
            "text",
            "lcov",
            "html",
        ]
    else:
        options = ["Measure cells again"]
    assert [option for option in options if option not in manual] == []


# ---------------------------------------------------------------- wrong usage

#: what is wrong, and what the one line says
WRONG = [
    ("%%cov --nope\nran = True", "--nope"),
    ("%%cov --fail-under x\nran = True", "--fail-under: x is no percentage"),
    ("%%cov --fail-under 101\nran = True", "between 0 and 100"),
    ("%%cov 1 + 1\nran = True", "goes below it"),
    ("%%cov --source\nran = True", "--source"),
    ("%%cov --source 'a\nran = True", "No closing quotation in --source 'a; %cov? explains"),
    ("%%cov", "nothing to run"),
    ("%%cov -q\n\n", "nothing to run"),
    ("%cov", "nothing to run"),
    ("%cov --branch", "nothing to run"),
    ("%cov --nope 1", "--nope"),
    ("%cov --fail-under x 1", "--fail-under"),
    ("%%time\n%%cov --nope\nran = True", "--nope"),
    ("%coverage_report pdf", "text, html, markdown, json, xml, lcov"),
    ("%coverage_report json text", "text"),
    ("%coverage_report --nope", "--nope; %coverage_report? explains"),
    ("%coverage_report --why 'In[1]", "No closing quotation"),
    ("%coverage_report --fail-under x", "--fail-under"),
    ("%coverage_report --fail-under -1", "--fail-under"),
    ("%coverage_report --precision x", "--precision"),
    ("%coverage_report --precision -1", "precision"),
    ("%coverage_report --sort size", "name, stmts, miss, branch, brpart, cover"),
    ("%coverage_report json -o", "-o"),
    ("%coverage_report json -o /dev/null/a.json", "/dev/null is a file"),
    ("%coverage_report html -o /dev/null/a", "/dev/null"),
    ("%coverage_report json -o .", "directory"),
    ("%coverage_report text -o /dev/full", "No space left"),
    ("%coverage_report xml -o /dev/full", "No space left"),
    ("%coverage_report --include nothing", "--include"),
    ("%coverage_report --omit 'In*'", "--omit"),
    ("%coverage_report --cells -o x", "--cells shows a table in the notebook"),
    ("%coverage_report json --cells", "without a format"),
    ("%coverage_report --cells --omit 'In*'", "--omit"),
    ("%coverage_start now", "takes no arguments"),
    ("%coverage_stop now", "takes no arguments"),
    ("%coverage_erase now", "takes no arguments"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong_usage_is_one_clear_line(notebook: Notebook, text: str, said: str) -> None:
    """Wrong usage is one line that says what to do; nothing runs and nothing is lost."""
    label = notebook.cell("x = 1")
    reply = notebook.run(text)
    assert reply.status == "error"
    assert reply.said.strip().count("\n") == 0, reply.said
    assert reply.said.startswith("UsageError: ")
    assert said in reply.said
    assert notebook.must("'ran' in globals()").result == "False"
    files = notebook.report()
    assert label in files
    if text.startswith(("%%cov", "%cov", "%coverage")):
        assert reply.label not in files, "what was refused did not run"


def test_a_cell_that_runs_nothing(notebook: Notebook) -> None:
    """A cell under %%cov of which nothing can run is said to have run nothing."""
    notebook.load()
    reply = notebook.run("%%cov\n# nothing but a comment")
    assert reply.said.strip() == f"{reply.label}: none of its lines ran"


@pytest.mark.parametrize("format", ["text", "html", "markdown", "json", "xml", "lcov"])
def test_a_report_of_nothing(notebook: Notebook, format: str) -> None:
    """A report before anything was measured says so in one line."""
    reply = notebook.run(f"%coverage_report {format}")
    assert reply.said.startswith("UsageError: nothing was measured yet")
    assert reply.said.strip().count("\n") == 0


# ---------------------------------------------------------------- reports


def measured(notebook: Notebook) -> tuple[str, str]:
    """Measure a cell and a module of which parts are missing; return the cell's label."""
    notebook.write("A.py", "def g(x):\n    if x:\n        return 1\n    return 2\ng(1)")
    notebook.cell("import sys; sys.modules.pop('A', None); import A")
    label = notebook.cell("x = 1\nif x == 2:\n    y = 3")
    return label, "A.py"


def test_the_text_report(notebook: Notebook) -> None:
    """The text report is a table that a notebook shows as HTML and a terminal as text."""
    label, module = measured(notebook)
    for command in ("%coverage_report", "%coverage_report text"):
        reply = notebook.must(command)
        rows = [line.split() for line in reply.text.splitlines()]
        assert [label, "3", "1", "67%"] in rows
        assert [module, "5", "1", "80%"] in rows
        assert ["TOTAL", "9", "2", "78%"] in rows
        assert f">{label}</td>" in reply.html
        assert "67%</td>" in reply.html
        assert "<script" not in reply.html


def test_the_order_of_files(notebook: Notebook) -> None:
    """Cells come first, by their counts, then the modules."""
    notebook.cell("%config IPyCov.branch = True")
    measured(notebook)
    for number in range(10):
        notebook.cell(f"x = {number}")
    names = list(notebook.report())
    counts = [int(name[3:-1]) for name in names[:-1]]
    assert counts == sorted(counts)
    assert max(counts) >= 10
    assert names[-1] == "A.py"
    for format in ("", "markdown"):
        text = notebook.must(f"%coverage_report {format}").text.replace("\\", "")
        assert re.findall(r"In\[\d+\]|A\.py", text)[: len(names)] == names
    inline = shown(notebook.must("%coverage_report html").html)
    listed = re.findall(r"(In\[\d+\]|A\.py) +(\d+)%", inline)
    percents = [int(percent) for _, percent in listed]
    assert percents == sorted(percents), "the least covered come first"
    full = [name for name, percent in listed if percent == "100"]
    assert full == [name for name in names if name in full]
    assert {name for name, _ in listed} == set(names)


def test_options_of_the_text_report(notebook: Notebook) -> None:
    """Each option means what coverage.py's option of that name means."""
    label, module = measured(notebook)
    for _ in range(2):  # an option holds for one report
        assert "Missing" not in notebook.must("%coverage_report").text
        text = notebook.must("%coverage_report --show-missing").text
        assert re.search(rf"{re.escape(label)} .* 67%   3\n", text)
        assert notebook.must("%coverage_report -m").text == text
        text = notebook.must("%coverage_report --skip-covered").text
        assert text.count("1 file skipped due to complete coverage.") == 1
        text = notebook.must("%coverage_report --precision 2").text
        assert "66.67%" in text
        text = notebook.must("%coverage_report --include '*.py'").text
        assert label not in text
        assert module in text
        text = notebook.must("%coverage_report --omit '*.py'").text
        assert label in text
        assert module not in text
        text = notebook.must("%coverage_report --sort cover").text
        assert text.index(label) < text.index(module)
        text = notebook.must("%coverage_report --sort=-cover").text
        assert text.index(label) > text.index(module)


@pytest.mark.parametrize("format", ["text", "html", "markdown", "json", "xml", "lcov"])
def test_fail_under_of_a_report(notebook: Notebook, format: str) -> None:
    """--fail-under turns low coverage into an error, after the report was made."""
    measured(notebook)
    reply = notebook.run(f"%coverage_report {format} -o out --fail-under 90")
    assert (notebook.directory / "out").exists()
    assert (reply.status, reply.ename) == ("error", "UnderThreshold")
    assert reply.evalue == "Coverage failure: total of 78 is less than fail-under=90"
    assert "Traceback" not in reply.traceback
    assert notebook.must(f"%coverage_report {format} -o out --fail-under 78").status == "ok"


def test_fail_under_a_hundred(notebook: Notebook) -> None:
    """What is not all is never shown as 100, however little is missed."""
    notebook.cell("if 1 == 2:\n    y = 1\n" + "x = 1\n" * 300)
    reply = notebook.run("%coverage_report --fail-under 100")
    assert reply.evalue == "Coverage failure: total of 99 is less than fail-under=100"


def test_fail_under_of_the_config_file(bare: Notebook) -> None:
    """fail_under of the configuration file holds where no option says otherwise."""
    (bare.directory / ".coveragerc").write_text("[report]\nfail_under = 90\nprecision = 1\n")
    bare.load()
    measured(bare)
    reply = bare.run("%coverage_report")
    assert reply.evalue == "Coverage failure: total of 77.8 is less than fail-under=90.0"
    bare.must("%coverage_report --fail-under 50")
    bare.must("%coverage_report --fail-under 0")
    bare.must("%%cov\nif 1 == 2:\n    x = 1")


@pytest.mark.parametrize("branch", [False, True])
def test_reports_that_are_written(bare: Notebook, branch: bool) -> None:
    """Every format is written where -o says, directories included, and can be read back."""
    bare.load(branch=branch)
    label, module = measured(bare)
    for format, name in (
        ("text", "r.txt"),
        ("markdown", "r.md"),
        ("json", "sub/dir/r.json"),
        ("xml", "'r s.xml'"),
        ("lcov", "r.lcov"),
        ("html", "out"),
    ):
        reply = bare.must(f"%coverage_report {format} -o {name}")
        name = name.strip("'")
        assert f"Wrote {format} report to {name}" in reply.stdout
        assert (bare.directory / name).exists()
    assert label in (bare.directory / "r.txt").read_text()
    assert "| **TOTAL**" in (bare.directory / "r.md").read_text()
    files = json.loads((bare.directory / "sub/dir/r.json").read_text())["files"]
    assert files[label]["missing_lines"] == [3]
    assert files[module]["missing_lines"] == [4]
    classes = ElementTree.parse(bare.directory / "r s.xml").iter("class")
    assert {label, module} <= {each.get("filename") for each in classes}
    assert "DA:3,0" in (bare.directory / "r.lcov").read_text()
    pages = "".join(page.read_text() for page in (bare.directory / "out").glob("*.html"))
    assert label in pages


def test_reports_without_a_path(notebook: Notebook) -> None:
    """json, xml and lcov are written where coverage.py writes them, the others are shown."""
    measured(notebook)
    before = {path.name for path in notebook.directory.iterdir()}
    for format in ("text", "markdown", "html"):
        assert notebook.must(f"%coverage_report {format}").displays
    assert {path.name for path in notebook.directory.iterdir()} == before
    for format in ("json", "xml", "lcov"):
        notebook.must(f"%coverage_report {format}")
        assert (notebook.directory / f"coverage.{format}").exists()


def test_a_report_that_fails_leaves_the_last_one(notebook: Notebook) -> None:
    """A report that can't be made leaves what was there, and no other file."""
    measured(notebook)
    notebook.must("%coverage_report json -o r.json")
    before = (notebook.directory / "r.json").read_text()
    names = sorted(os.listdir(notebook.directory))
    notebook.run("%coverage_report json -o r.json --precision -1")
    notebook.run("%coverage_report json -o r.json --omit '*'")
    assert (notebook.directory / "r.json").read_text() == before
    assert sorted(os.listdir(notebook.directory)) == names


def test_a_report_on_the_standard_output(notebook: Notebook) -> None:
    """`-o -` prints a report, as coverage.py does."""
    label = notebook.must("x = 1").label
    reply = notebook.must("%coverage_report json -o -")
    assert label in json.loads(reply.stdout)["files"]
    assert not (notebook.directory / "-").exists()


def test_cells_by_name(notebook: Notebook) -> None:
    """`--include` and `--omit` take a cell by its name, brackets and all."""
    first, second = (notebook.must(f"x = {n}").label for n in range(2))
    assert set(notebook.report(f"--include {first}")) == {first}
    assert set(notebook.report(f"--include {first},{second} --omit {first}")) == {second}


def test_relative_files(bare: Notebook) -> None:
    """`relative_files` changes nothing of a live session, whose cells may change directory."""
    bare.write(".coveragerc", "[run]\nrelative_files = true\nsource = .\n")
    bare.write("beside.py", "def f():\n    return 1\n")
    bare.must("%load_ext ipycov")
    bare.must("import beside\nbeside.f()")
    bare.must("import os, tempfile\nos.chdir(tempfile.mkdtemp())")
    assert "2 lines of it have run" in bare.must("%coverage_report --why beside").stdout
    assert bare.report()["beside.py"]["missing_lines"] == []


@pytest.mark.parametrize("branch", [False, True])
def test_reports_after_erasing(bare: Notebook, branch: bool) -> None:
    """A report has nothing left of one on what was erased, of cells and of modules."""
    name = f"erased_{branch}"
    bare.write(f"{name}.py", "def f(x):\n    if x:\n        return 1\n    return 2\n")
    bare.load(branch=branch)
    cell = bare.must(f"import {name}\ndef g(x):\n    if x:\n        return 1\n    return 2").label
    for x, ran, in_module in ((1, [3, 4], [2, 3]), (0, [3, 5], [2, 4])):
        bare.must("%coverage_erase")
        bare.must(f"{name}.f({x}), g({x})")
        files = bare.report()
        assert files[cell]["executed_lines"] == ran
        assert files[f"{name}.py"]["executed_lines"] == in_module


def test_branches_of_some_runs(bare: Notebook) -> None:
    """Nothing is said of the branches of lines that ran while lines alone were measured."""
    text = """def f(x):
    if x:
        return 1
    return 2
for i in range(2):
    if i:
        f(1)"""
    bare.load(branch=False)
    label = bare.must(text).label
    calls = bare.must("%%cov --branch\nif f(0) == 1:\n    x = 1").label
    files = bare.report()
    assert files[label]["missing_branches"] == []
    assert files[label]["summary"]["percent_covered"] == 100
    assert files[calls]["missing_branches"] == [[2, 3]]
    html = shown(bare.must("%coverage_report html").html)
    assert html.count("anywhere") == 0
    assert html.count("never") == 1
    again = bare.must(f"%%cov --branch\n{text}").label
    assert bare.report()[again]["missing_branches"] == [[3, 5]]


def test_rerun(notebook: Notebook) -> None:
    """A cell that another runs again keeps its number in every table."""
    cell = notebook.must("def f():\n    return 1", "a").label
    call = notebook.must("f()", "b").label
    number = re.sub(r"\D", "", call)
    notebook.must(f"%rerun {number}", "c")
    assert {cell, call} <= set(notebook.report())
    assert "].1" not in notebook.must("%coverage_report --cells").text
    assert "1 line of it has run" in notebook.must(f"%coverage_report --why {call}").stdout


def test_functions_on_one_line(bare: Notebook) -> None:
    """A function that stands on the line of its `def` is reached by what calls it alone."""
    bare.write("one_liners.py", "x = 1\ndef a(): return 1\ndef b(): return 2\n")
    bare.load()
    imports = bare.must("%%cov\nimport one_liners")
    assert "one_liners.py a" not in imports.text
    own = bare.must("def h(): return 2").label
    call = bare.must("%%cov\none_liners.b(), h()")
    assert "one_liners.py b" in call.text
    assert "one_liners.py a" not in call.text
    assert f"{own} h" in bare.must("%cov h()").text
    both = bare.must("def g(): return 3\nz = 1\n%cov g()")
    assert f"{both.label} g" in both.text
    table = bare.must("%coverage_report --cells").text
    (row,) = (line for line in table.splitlines() if line.startswith(f"{call.label} "))
    assert row.split("  ")[-1].strip() == f"{own} h, one_liners.py b"
    (row,) = (line for line in table.splitlines() if line.startswith(f"{imports.label} "))
    assert "one_liners.py" not in row


def test_edited_config_file(bare: Notebook) -> None:
    """A report heeds a configuration file as it is now; one that is broken is said to be."""
    bare.load()
    label = bare.must("if 1 == 2:\n    y = 1\n    z = 1").label
    assert bare.lines(label) == ([1], [2, 3])
    bare.write(".coveragerc", "[report]\nexclude_also = z =\n")
    assert bare.lines(label) == ([1], [2])
    bare.write(".coveragerc", "[report]\nprecision = many\n")
    assert "config file .coveragerc: invalid" in bare.run("%coverage_report").said
    assert bare.must("x = 1").said == ""
    bare.write(".coveragerc", "[report]\nexclude_also = if 1\n")
    assert bare.lines(label)[1] == []


@pytest.mark.parametrize("branch", [False, True])
def test_contexts_of_the_config_file(bare: Notebook, branch: bool) -> None:
    """`[report] contexts` narrows the reports that it narrows for coverage.py, and no others."""
    name = f"in_contexts_{branch}"
    bare.write(f"{name}.py", "def f(x):\n    if x:\n        return 1\n    return 2\n")
    bare.load(branch=branch)
    first = bare.must(f"import {name}\nif {name}:\n    y = 1").label
    second = bare.must(f"{name}.f(0)\nz = 1").label
    bare.write("narrow.cfg", f"[coverage:report]\ncontexts = {re.escape(second)}$\n")
    bare.must("%config IPyCov.config_file = 'narrow.cfg'")
    files = bare.report("--show-contexts")
    assert files[first]["executed_lines"] == []
    assert files[second]["missing_lines"] == []
    assert files[f"{name}.py"]["executed_lines"] == [2, 4]
    assert files[f"{name}.py"]["contexts"]["4"] == [second]
    if branch:
        assert files[f"{name}.py"]["executed_branches"] == [[2, 4]]
    shown = bare.must("%coverage_report -m").text
    assert re.search(rf"^{re.escape(first)} .* 0% +1-3$", shown, re.MULTILINE)
    for format in ("xml", "lcov"):
        bare.must(f"%coverage_report {format} -o all.{format}")
    assert 'number="3" hits="0"' in (bare.directory / "all.xml").read_text()
    assert (bare.directory / "all.xml").read_text().count('hits="0"') == 1
    assert "LF:4\nLH:3" in (bare.directory / "all.lcov").read_text()
    shown = bare.must("%coverage_report html").text
    assert re.search(rf"^{re.escape(first)} .* 0%$", shown, re.MULTILINE)
    bare.write("broken.cfg", "[coverage:report]\ncontexts = (\n")
    bare.must("%config IPyCov.config_file = 'broken.cfg'")
    assert "Invalid context regex '('" in bare.run("%coverage_report").said


def test_format_of_the_config_file(bare: Notebook) -> None:
    """`[report] format` is that of the table where none is asked for."""
    bare.load()
    measured(bare)
    for format, begins in (("markdown", r"\| Name"), ("total", r"\d\d(\n|$)"), ("text", r"Name ")):
        bare.write(f"{format}.cfg", f"[coverage:report]\nformat = {format}\n")
        bare.must(f"%config IPyCov.config_file = '{format}.cfg'")
        assert re.match(begins, bare.must("%coverage_report").text.lstrip())
        assert bare.must("%coverage_report text").text.lstrip().startswith("Name ")
        bare.must("%coverage_report -o out.txt")
        assert re.match(begins, (bare.directory / "out.txt").read_text())
    bare.write("other.cfg", "[coverage:report]\nformat = other\n")
    bare.must("%config IPyCov.config_file = 'other.cfg'")
    for command in ("%coverage_report", "%coverage_report -o x.txt"):
        assert "Unknown report format choice: 'other'" in bare.run(command).said


def test_html_options_of_the_config_file(bare: Notebook) -> None:
    """`[html] skip_covered` and `show_contexts` hold in the notebook as on the written site."""
    bare.load()
    label = bare.must("def f(x):\n    if x:\n        return 1").label
    again = bare.must("f(0)").label
    before = shown(bare.must("%coverage_report html").html)
    assert again in before
    assert "Which cells ran its lines" not in before
    bare.write("html.cfg", "[coverage:html]\nskip_covered = true\nshow_contexts = true\n")
    bare.must("%config IPyCov.config_file = 'html.cfg'")
    text = shown(bare.must("%coverage_report html").html)
    assert f"1  {label}\n2  {again}\n" in text
    assert re.findall(r"(In\[\d+\]) +\d+%", text) == [label]
    bare.write(
        "all.cfg", "[coverage:report]\nskip_covered = true\n[coverage:html]\nskip_covered = 0\n"
    )
    bare.must("%config IPyCov.config_file = 'all.cfg'")
    assert f"{again}  100%" in shown(bare.must("%coverage_report html").html)
    assert f"{again}  100%" not in shown(bare.must("%coverage_report html --skip-covered").html)


def test_what_a_report_is_written_to(notebook: Notebook) -> None:
    """A link is written through, and a device is written to, never replaced."""
    measured(notebook)
    (notebook.directory / "target.json").write_text("old")
    (notebook.directory / "link.json").symlink_to("target.json")
    notebook.must("%coverage_report json -o link.json")
    assert (notebook.directory / "link.json").is_symlink()
    assert "files" in json.loads((notebook.directory / "target.json").read_text())
    os.mkfifo(notebook.directory / "pipe")
    reader = os.open(notebook.directory / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        notebook.must("%coverage_report markdown -o pipe")
        assert b"TOTAL" in os.read(reader, 10_000)
    finally:
        os.close(reader)


def test_inline_html(bare: Notebook) -> None:
    """The inline view shows the source with missed and partial lines told by signs, no script."""
    bare.load(branch=True)
    measured(bare)
    bare.cell("x = '</pre><script>alert(1)</script>'\nif x:  # pragma: no cover\n    y = 1")
    html = bare.must("%coverage_report html").html
    assert "<script" not in html
    assert "<style" not in html
    text = shown(html)
    assert re.search(r"2 ~ if x == 2:  ← partial: line 2 .*line 3 .*never true", text)
    assert re.search(r"3 ! +y = 3  ← missed\n", text)
    assert re.search(r"2 - if x:.*  ← excluded\n", text)
    assert "</pre><script>alert(1)</script>" in text


def test_each_view_in_each_form(notebook: Notebook) -> None:
    """What is shown in a notebook is there as HTML, as Markdown and as plain text."""
    label, module = measured(notebook)
    for text in (
        "%%cov\nx = 1",
        "%cov x = 1",
        "%coverage_report",
        "%coverage_report html",
        "%coverage_report --cells",
    ):
        (bundle,) = notebook.must(text).displays
        assert set(bundle) == {"text/plain", "text/html", "text/markdown"}, text
    (bundle,) = notebook.must("%coverage_report html").displays
    for form in bundle.values():
        assert label in form.replace("\\", "")
        assert module in form.replace("\\", "")


def test_what_the_inline_view_skips(notebook: Notebook) -> None:
    """--skip-covered leaves out what is fully covered, and the figures are those of everything."""
    label, module = measured(notebook)
    text = shown(notebook.must("%coverage_report html --skip-covered").html)
    assert re.findall(r"(In\[\d+\]|A\.py) +\d+%", text) == [label, module]
    assert "Covered: 78%, 9 statements, 2 missed" in text
    assert "1 file skipped due to complete coverage." in text


def test_statements_over_several_lines(notebook: Notebook) -> None:
    """All lines of a statement have its sign, and the first alone says what it is."""
    notebook.write(
        "lib_rows.py", "def g(x):\n    if x:\n        return [\n            x,\n        ]\n"
    )
    notebook.cell("import lib_rows")
    reply = notebook.must("%%cov\nif 1 == 2:\n    x = [\n        1,\n    ]\ny = (\n    2,\n)")
    lines = shown(reply.html).split("\n")
    start = lines.index("2 > if 1 == 2:")
    assert lines[start : start + 7] == [
        "2 > if 1 == 2:",
        "3 !     x = [  ← missed",
        "4 !         1,",
        "5 !     ]",
        "6 > y = (",
        "7 >     2,",
        "8 > )",
    ]
    text = shown(notebook.must("%cov lib_rows.g(0)").html)
    assert "3 !         return [  ← missed\n4 !             x,\n5 !         ]\n" in text
    text = shown(notebook.must("%coverage_report html").html)
    assert "3 !         return [  ← missed\n4 !             x,\n5 !         ]\n" in text


def test_hostile_source(notebook: Notebook) -> None:
    """Source that wants to be more is text in each form that is shown."""
    hostile = "\x1b[31m\u202e</pre><script>alert(1)</script>"
    notebook.cell(f"def f(x):\n    y = '{hostile}'\n    return 1")
    notebook.cell("x = '" + "<" * 1_000_000 + "'")
    for text in ("%%cov\nf(1)", "%coverage_report html", "%coverage_report", "%coverage_report -m"):
        bundle = next(each for each in notebook.must(text).displays if "text/html" in each)
        for form in bundle.values():
            assert len(form) < 50_000
            assert [char for char in form if not char.isprintable() and char not in "\n\t"] == []
        assert "<script" not in bundle["text/html"]
    text = shown(notebook.must("%cov f(1)").html)
    assert "y = '\\x1b[31m\\u202e</pre><script>alert(1)</script>'" in text


def test_contexts(notebook: Notebook) -> None:
    """--show-contexts tells which cells ran each line, in json and html."""
    label = notebook.cell(F)
    call = notebook.cell("f(1)")
    contexts = notebook.report("--show-contexts")[label]["contexts"]
    assert contexts == {"1": [label], "2": [call], "3": [call]}
    assert "contexts" not in notebook.report()[label]
    notebook.must("%coverage_report html --show-contexts -o out")
    pages = "".join(page.read_text() for page in (notebook.directory / "out").glob("In*.html"))
    assert call in pages


def test_own_magics_are_no_statements(notebook: Notebook) -> None:
    """Lines that are only ipycov's own magics are in no total."""
    notebook.cell("%coverage_report json -o x.json") if notebook.cell("x = 1") else None
    label = notebook.cell("x = 1\n%coverage_start\ny = 2\n%coverage_report")
    files = notebook.report()
    assert files[label]["executed_lines"] == [1, 3]
    assert len(files) == 2


# ---------------------------------------------------------------- start, stop, erase

#: a sequence of cells, and which of them are reported
SEQUENCES = [
    (["a = 1", "%coverage_stop", "b = 1", "%coverage_start", "c = 1"], [0, 4]),
    (["a = 1", "%coverage_stop", "%coverage_stop", "b = 1", "%coverage_start", "c = 1"], [0, 5]),
    (["%coverage_start", "%coverage_start", "a = 1"], [2]),
    (["a = 1", "%coverage_erase", "b = 1"], [2]),
    (["a = 1", "%coverage_erase", "%coverage_erase", "b = 1"], [3]),
    (["a = 1", "%coverage_stop", "%coverage_erase", "b = 1", "%coverage_start", "c = 1"], [5]),
    (["a = 1", "%coverage_erase", "%coverage_stop", "b = 1", "%coverage_start", "c = 1"], [5]),
    (["%coverage_erase", "a = 1"], [1]),
    (["%coverage_stop", "a = 1", "%coverage_start", "b = 1", "%coverage_erase", "c = 1"], [5]),
    (["%coverage_stop", "%cov -q a = 1", "%coverage_start", "b = 1"], [1, 3]),
    (["a = 1", "%coverage_stop", "%%cov -q\nb = 1", "c = 1"], [0, 2]),
    (["%coverage_stop", "%%cov -q\nb = 1", "%coverage_erase", "%cov -q c = 1"], [3]),
]


@pytest.mark.parametrize(("cells", "reported"), SEQUENCES)
@pytest.mark.parametrize("core", [CORES[0], CORES[-1]])
def test_start_stop_erase(
    notebook: Notebook, cells: list[str], reported: list[int], core: str
) -> None:
    """Measuring starts, stops and is forgotten from the next cell on, in any order."""
    notebook.cell(f"%config IPyCov.core = {core!r}\n%coverage_erase")
    labels = [notebook.cell(text) for text in cells]
    notebook.cell("%coverage_start")
    assert [name for name in notebook.report() if "In[" in name] == [labels[n] for n in reported]


@pytest.mark.parametrize("core", CORES)
def test_functions_after_an_erase(notebook: Notebook, core: str) -> None:
    """A function that was defined before an erase counts again from its next call on."""
    notebook.cell(f"%config IPyCov.core = {core!r}")
    label = notebook.cell(F)
    notebook.cell("f(1)")
    notebook.cell("%coverage_erase")
    notebook.cell("f(0)")
    assert notebook.lines(label) == ([2, 4], [1, 3])


def test_what_did_not_compile_is_forgotten_by_an_erase(notebook: Notebook) -> None:
    """After an erase, a cell that did not compile before it is in no report."""
    notebook.run("x =")
    notebook.cell("%coverage_erase")
    assert "nothing was measured yet" in notebook.run("%coverage_report").stderr
    notebook.cell("x = 1")
    assert "did not compile" not in notebook.must("%coverage_report").text


def test_stop_and_erase_in_the_middle_of_a_cell(notebook: Notebook) -> None:
    """A cell may stop, start or erase on any line and goes on."""
    reply = notebook.must("x = 1\n%coverage_stop\ny = 2\n%coverage_start\nz = 3\nprint(z)")
    assert reply.stdout == "3\n"
    last = notebook.cell("x = 1\n%coverage_erase\ny = 2")
    files = notebook.report()
    assert list(files) == [last]
    assert files[last]["executed_lines"] == [3]
