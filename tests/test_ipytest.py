"""pytest-cov, ipytest and coverage.py's own objects in a live kernel, by the plugin."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import IPython
import pytest
from kernels import CORES, Kernel, Notebook, source
from projects import command, write_notebook

EVEN = """
    def even(x):
        if x % 2 == 0:
            return "even"
        return "odd"
    """
TEST = "def test_even():\n    assert even(0) == 'even'\n"
RC = "[run]\nplugins = ipycov\n"


def entries(notebook: Notebook) -> dict[str, tuple[list[int], list[int]]]:
    """The executed and missing lines by file of pytest-cov's JSON report."""
    files = json.loads((notebook.directory / "coverage.json").read_text())["files"]
    return {
        # an older coverage.py counts excluded lines that ran as executed
        name: (sorted({*e["executed_lines"]} - {*e["excluded_lines"]}), e["missing_lines"])
        for name, e in files.items()
    }


@pytest.fixture
def plugged(fresh: Notebook) -> Notebook:
    """A kernel beside a configuration file with the plugin, ipytest set up in its first cell."""
    (fresh.directory / ".coveragerc").write_text(RC)
    fresh.must("import ipytest\nipytest.autoconfig()")
    return fresh


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", ["", "--cov-branch"])
def test_cov_of_ipytest(plugged: Notebook, core: str, branch: str) -> None:
    """`%%ipytest --cov` reports cells that ran before it by their names and typed lines."""
    plugged.write(".coveragerc", f"{RC}core = {core}\n")
    even = plugged.cell(EVEN)
    magic = plugged.cell(f"%%ipytest --cov {branch} --cov-report=json\n\n{TEST}")
    assert entries(plugged) == {even: ([2, 3], [1, 4]), magic: ([4], [3])}
    if branch:
        files = json.loads((plugged.directory / "coverage.json").read_text())["files"]
        assert files[even]["missing_branches"] == [[2, 4]]


REPORTS = ("term", "term-missing", "markdown:cov.md", "html", "xml", "lcov", "json", "annotate")


def test_each_report_of_pytest_cov(plugged: Notebook) -> None:
    """Every format of pytest-cov's names the cells and no record of ours."""
    even = plugged.cell(EVEN)
    asked = " ".join(f"--cov-report={report}" for report in REPORTS)
    said = plugged.must(f"%%ipytest --cov {asked}\n{TEST}").said
    assert re.search(rf"{re.escape(even)} +4 +2 +50% +1, 4\n", said)
    for path in ("cov.md", "htmlcov/index.html", "coverage.xml", "coverage.lcov", "coverage.json"):
        text = (plugged.directory / path).read_text(encoding="utf-8")
        assert even in text.replace("\\", "")
        assert "#text=" not in text
    assert "! def even(x):" in (plugged.directory / f"{even},cover").read_text()
    classes = ElementTree.parse(plugged.directory / "coverage.xml").iter("class")
    assert even in {each.get("filename") for each in classes}


def test_typed_lines_and_exclusions(plugged: Notebook) -> None:
    """Lines are those that the front end shows, and pragmas and branches hold."""
    helper = plugged.cell(
        "\n\n# c\n%pwd\ndef helper(x):\n    if x:  # pragma: no branch\n        y = 1\n"
        "    if x == 3:  # pragma: no cover\n        return 3\n"
        "    for i in range(2):\n        x += i\n    return x\n\n\n"
    )
    options = "--cov --cov-branch --cov-report=json"
    magic = plugged.cell(
        f"%%ipytest {options}\n\n%pwd\ndef test_it():\n    if not helper(2):\n        assert 0\n\n"
    )
    files = json.loads((plugged.directory / "coverage.json").read_text())["files"]
    assert entries(plugged) == {helper: ([6, 7, 10, 11, 12], [4, 5]), magic: ([5], [3, 4, 6])}
    assert files[helper]["excluded_lines"] == [8, 9]
    assert files[helper]["missing_branches"] == []
    assert files[magic]["missing_branches"] == [[5, 6]]


CHECKED = (
    """
    import json, pathlib

    def check():
        assert pathlib.Path(".coverage").exists()
        path = pathlib.Path("coverage.json")
        files = json.loads(path.read_text())["files"].values()
        path.unlink()
        assert sorted(each["executed_lines"] for each in files) == [[2, 3, 4], [11, 12, 13]]

    def even(x):
        if x % 2 == 0:
            return "even"
        return "odd"
    """,
    *(
        f"""
        %%ipytest --cov {branch} --cov-report=json
        def test_even():
            assert even(0) == even(2) == "even"
            assert even(1) == even(3) == "odd"
            check.tested = True
        """
        for branch in ("", "--cov-branch")
    ),
)


@pytest.mark.skipif(IPython.version_info < (8,), reason="IPython 7 finds what its history keeps")
@pytest.mark.parametrize("config", [False, True])
def test_a_notebook_that_checks_its_own_coverage(tmp_path: Path, config: bool) -> None:
    """As ipytest's own notebooks do: run by nbval, which keeps no history, they find each line."""
    if config:
        (tmp_path / ".coveragerc").write_text(RC)
    setup = "import ipytest\nipytest.autoconfig()" if config else "ipycov.autoconfig()"
    check, lines, branches = CHECKED
    cells = [f"import ipycov\n{setup}", check, lines, "check()", branches, "check()"]
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    command("pytest", "-q", "--nbval-lax", "--nbval-current-env", path.name, cwd=tmp_path)


def test_cells_that_no_history_keeps(plugged: Notebook) -> None:
    """Cells that share an execution count, as those that are not kept do, are told apart."""
    for text in ("%load_ext ipycov", EVEN, "def odd(x):\n    return not even(x)", "odd(1)"):
        plugged.kernel.run(source(text), kept=False)
    files = plugged.report()
    assert {name: each["missing_lines"] for name, each in files.items()} == {
        "In[2].1": [3],
        "In[2].2": [],
        "In[2].3": [],
    }
    assert "In[2].1 is measured: 3 lines" in plugged.must("%coverage_report --why In[2].1").said
    again = plugged.cell("even(0)")
    assert plugged.report()["In[2].1"]["missing_lines"] == []
    assert again in plugged.report()


def test_source_measures_the_cells_too(plugged: Notebook) -> None:
    """`--cov=PACKAGE` chooses among modules; the cells stay in, ipycov itself stays out."""
    for name in ("one", "two"):
        plugged.write(f"{name}.py", "def f():\n    return 1")
    plugged.must("import one, two")
    even = plugged.cell(EVEN)
    plugged.must(f"%%ipytest --cov=one --cov-report=json\n{TEST}    assert one.f() == two.f()")
    assert set(entries(plugged)) == {even, "In[4]", "one.py"}


def test_pytest_main(plugged: Notebook) -> None:
    """`pytest.main` with --cov reports the cells whose functions tests in files run."""
    plugged.write("test_it.py", "import __main__\ndef test_it():\n    assert __main__.even(1)")
    even = plugged.cell(EVEN)
    plugged.must("import pytest; pytest.main(['--cov', '--cov-report=json', 'test_it.py'])")
    assert entries(plugged)[even] == ([2, 4], [1, 3])
    assert entries(plugged)["test_it.py"] == ([1, 2, 3], [])


@pytest.mark.parametrize("stored", ["", ", data_file=None"])
def test_a_coverage_object_over_cells(plugged: Notebook, stored: str) -> None:
    """A `coverage.Coverage` by hand, over several cells, reports them by name."""
    even = plugged.cell(EVEN)
    start = "import coverage\nc = coverage.Coverage(config_file='.coveragerc'{})\nc.start()"
    plugged.must(start.format(stored))
    later = plugged.cell("def odd(x):\n    return not even(x)\nodd(1)")
    plugged.must("c.stop()\nprint(c.json_report(outfile='coverage.json'))")
    files = entries(plugged)
    assert files[even] == ([2, 4], [1, 3])
    assert files[later] == ([1, 2, 3], [])
    assert (plugged.directory / ".ipycov").exists() is not bool(stored)


def test_contexts_of_pytest_cov(plugged: Notebook) -> None:
    """`--cov-context=test` knows cells' lines too."""
    (plugged.directory / ".coveragerc").write_text(f"{RC}[json]\nshow_contexts = true\n")
    even = plugged.cell(EVEN)
    plugged.must(f"%%ipytest --cov --cov-context=test --cov-report=json\n{TEST}")
    files = json.loads((plugged.directory / "coverage.json").read_text())["files"]
    assert [c.partition("::")[2] for c in files[even]["contexts"]["3"]] == ["test_even|run"]


def test_a_report_in_another_process(plugged: Notebook) -> None:
    """`coverage report` in a terminal finds the cells' texts when the kernel has ended."""
    even = plugged.cell(EVEN)
    plugged.must(f"%%ipytest --cov --cov-report=\n{TEST}")
    plugged.kernel.close()
    done = command("coverage", "report", "-m", cwd=plugged.directory)
    assert re.search(rf"{re.escape(even)} +4 +2 +50% +1, 4\n", done.stdout)
    (plugged.directory / ".ipycov").rename(plugged.directory / "elsewhere")
    done = command("coverage", "report", cwd=plugged.directory, code=1)
    assert f"ipycov: {even}: its text is not kept; it is left out" in done.stderr


def test_numbers_of_two_kernels(plugged: Notebook) -> None:
    """Two cells of one number, from two kernels, are not taken for one."""
    even = plugged.cell(EVEN)
    plugged.must(f"%%ipytest --cov --cov-report=\n{TEST}")
    second = Kernel(plugged.directory)
    try:
        for text in ("import ipytest\nipytest.autoconfig()", "def even(x):\n    return 'even'"):
            assert second.run(text).status == "ok"
        said = second.run(f"%%ipytest --cov --cov-append --cov-report=term\n{TEST}").said
    finally:
        second.close()
    assert f"ipycov: {even}: cells of several kernels have this number; it is left out" in said


def test_two_cells_suffice(fresh: Notebook) -> None:
    """`ipycov.autoconfig()` sets ipytest up to report coverage; no file is needed."""
    said = fresh.must("import ipycov\nipycov.autoconfig()").said
    magic = fresh.must("%%ipytest\ndef double(x):\n    return 2 * x\ndef test_it():\n    double(1)")
    assert said == ""
    assert re.search(rf"{re.escape(magic.label)} +4 +2 +50%", magic.said)


def test_settings_of_autoconfig(fresh: Notebook) -> None:
    """`ipycov.autoconfig` passes ipytest's own settings on."""
    fresh.must("import ipycov\nipycov.autoconfig(raise_on_error=True, addopts=['-qq'])")
    reply = fresh.run("%%ipytest\ndef test_it():\n    assert 0")
    assert (reply.ename, "TOTAL" in reply.said) == ("Error", True)


@pytest.mark.parametrize("name", ["ipytest", "pytest_cov"])
def test_autoconfig_without(fresh: Notebook, name: str) -> None:
    """Where a package is not installed, one line says so and the cell goes on."""
    fresh.must(
        f"import importlib.util as u; f = u.find_spec\n"
        f"u.find_spec = lambda n, *a: None if n == {name!r} else f(n, *a)"
    )
    said = fresh.must("import ipycov\nipycov.autoconfig()").said
    package = name.replace("_", "-")
    assert said == (
        f"ipycov: ipytest is not set up: install what it takes with %pip install {package}\n"
    )


@pytest.fixture
def measured(fresh: Notebook) -> Notebook:
    """A kernel that ipycov measures, ipytest set up in it."""
    fresh.must("%load_ext ipycov")
    fresh.must("import ipytest\nipytest.autoconfig()")
    return fresh


def test_ipytest_needs_nothing(measured: Notebook) -> None:
    """With ipycov loaded, `%%ipytest` alone counts: cells, modules and its own body, by lines."""
    measured.write("lib.py", "def f(x):\n    if x:\n        return 1\n    return 2")
    even = measured.cell(EVEN)
    magic = measured.cell(f"%%ipytest\nimport lib\n{TEST}    assert lib.f(1)")
    files = measured.report()
    assert files[even]["missing_lines"] == [4]
    assert files["lib.py"]["missing_lines"] == [4]
    assert (files[magic]["executed_lines"], files[magic]["missing_lines"]) == ([2, 3, 4, 5], [])


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", [False, True])
def test_cov_while_ipycov_measures(measured: Notebook, core: str, branch: bool) -> None:
    """pytest-cov inside a measured cell and ipycov both report all, and ipycov goes on."""
    measured.write(".coveragerc", f"{RC}core = {core}\nbranch = {branch}\n")
    measured.must(f"%config IPyCov.branch = {branch}")
    even = measured.cell(EVEN)
    magic = measured.cell(f"%%ipytest --cov --cov-report=json\n{TEST}")
    assert entries(measured) == {even: ([2, 3], [1, 4]), magic: ([3], [2])}
    files = measured.report()
    assert files[even]["missing_lines"] == [4]
    assert files[magic]["missing_lines"] == []
    if branch:
        assert files[even]["missing_branches"] == [[2, 4]]
    later = measured.cell("even(1)\nif even(0) == 'odd':\n    x = 1")
    files = measured.report()
    assert files[even]["missing_lines"] == []
    assert files[later]["missing_lines"] == [3]


@pytest.mark.parametrize("options", ["", "core='sysmon'", "branch=True"])
def test_a_coverage_without_the_plugin(measured: Notebook, options: str) -> None:
    """What a user's own Coverage measures in a measured cell counts for ipycov too."""
    for name, value in [o.split("=") for o in options.split() if o]:
        measured.must(f"%config IPyCov.{name} = {value}")
    even = measured.cell(EVEN)
    measured.must(
        "import coverage\nc = coverage.Coverage(data_file=None)\nc.start()\neven(0)\nc.stop()"
    )
    assert measured.report()[even]["missing_lines"] == [4]
    said = measured.must(
        "print([sorted(c.get_data().lines(f)) for f in c.get_data().measured_files()])"
    )
    assert "[2, 3]" in said.stdout


def test_a_coverage_over_measured_cells(measured: Notebook) -> None:
    """A Coverage that one cell starts and a later one stops is not disturbed, nor are we."""
    even = measured.cell(EVEN)
    measured.must("import coverage\nc = coverage.Coverage(data_file=None)\nc.start()")
    between = measured.cell("even(0)\nx = 1")
    measured.must("c.stop()\nmine = c.get_data()")
    last = measured.cell("even(1)")
    said = measured.must("print([sorted(mine.lines(f)) for f in mine.measured_files()])")
    assert "[2, 3]" in said.stdout
    files = measured.report()
    assert files[even]["missing_lines"] == []
    assert files[last]["missing_lines"] == []
    assert files[between]["missing_lines"] == []


def test_counts_that_begin_again(plugged: Notebook) -> None:
    """When the shell counts anew, the cell that has a number now keeps it."""
    plugged.must("%load_ext ipycov")
    plugged.must("here = 1")
    before = plugged.cell(EVEN)
    plugged.must("get_ipython().reset()")
    plugged.must("%coverage_report")
    after = ""
    while after != before:  # IPython 7 begins with another number
        assert after != "In[9]"
        after = plugged.cell("x = 2\nif x == 3:\n    x = 1")
    files = plugged.report()
    assert files[after]["missing_lines"] == [3]
    assert files[f"{before}.1"]["missing_lines"] == [2, 3, 4]
