"""A `Coverage` of the user's own in measured cells: it and ours report all that ran."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from kernels import CORES, MEASURING, Notebook
from projects import Project, line_of, write_notebook

import ipycov

PACKAGE = Path(ipycov.__file__).parent
#: A hook of the user's that runs when ipycov's has.
WATCH = """
    seen = []
    def watch(result):
        get_ipython().events.unregister("post_run_cell", watch)
        seen.append({held})
    get_ipython().events.register("post_run_cell", watch)
    """
CHOOSE = "def choose(x):\n    if x:\n        return 1\n    return 2"
NEITHER = "None None"

measuring = pytest.mark.parametrize(("core", "branch"), MEASURING)
each_of_theirs = pytest.mark.parametrize("theirs", CORES)


@pytest.fixture
def with_modules(fresh: Notebook) -> Notebook:
    """A kernel in whose namespace `theirs` and `others`, two modules alike, have been imported."""
    for name in ("theirs", "others"):
        fresh.write(f"{name}.py", CHOOSE)
    fresh.must("import sys, coverage, theirs, others")
    return fresh


def load(notebook: Notebook, core: str, branch: bool) -> None:
    notebook.must(
        f"%load_ext ipycov\n%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}"
    )


def make(notebook: Notebook, core: str, options: str = "include=['*/theirs.py']") -> None:
    """Have a cell make the user's `Coverage`, of the files that it includes."""
    notebook.must(
        f"c = coverage.Coverage(data_file=None, config_file=False, {options})\n"
        f"c.set_option('run:core', {core!r})"
    )


def collected(notebook: Notebook) -> dict[str, list[int]]:
    """What the user's `Coverage` has in its data: lines by the names of modules."""
    said = notebook.must(
        "{f.rpartition('/')[2]: sorted(c.get_data().lines(f))"
        " for f in c.get_data().measured_files()}"
    )
    found: dict[str, list[int]] = ast.literal_eval(said.result)
    return found


def nothing_traces(notebook: Notebook) -> bool:
    notebook.must("%unload_ext ipycov")
    reply = notebook.must("print(sys.gettrace(), coverage.Coverage.current())")
    return reply.stdout == f"{NEITHER}\n"


@measuring
@each_of_theirs
def test_one_cell(with_modules: Notebook, core: str, branch: bool, theirs: str) -> None:
    """What runs while it measures is in both reports, in files that it leaves out in ours."""
    load(with_modules, core, branch)
    make(with_modules, theirs)
    label = with_modules.cell(
        "c.start()\ntheirs.choose(0)\nothers.choose(1)\nx = 1\nc.stop()\nothers.choose(0)"
    )
    assert collected(with_modules) == {"theirs.py": [2, 4]}
    files = with_modules.report()
    assert files[label]["missing_lines"] == []
    assert files["theirs.py"]["missing_lines"] == [1, 3]
    assert files["others.py"]["missing_lines"] == [1]
    if branch:
        assert files["theirs.py"]["missing_branches"] == [[2, 3]]
        assert files["others.py"]["missing_branches"] == []
    assert nothing_traces(with_modules)


@measuring
@each_of_theirs
def test_several_cells(with_modules: Notebook, core: str, branch: bool, theirs: str) -> None:
    """Each cell that it spans is measured as itself."""
    load(with_modules, core, branch)
    make(with_modules, theirs, "include=['*/theirs.py'], branch=True")
    with_modules.must("c.start()")
    first = with_modules.cell("theirs.choose(0)\nothers.choose(0)")
    second = with_modules.cell("theirs.choose(0)\nothers.choose(1)")
    with_modules.must("c.stop()")
    assert collected(with_modules) == {"theirs.py": [2, 4]}
    files = with_modules.report("--show-contexts")
    ran = files["others.py"]["contexts"]
    assert ran["2"] == [first, second]
    assert (ran["3"], ran["4"]) == ([second], [first])
    assert files["theirs.py"]["contexts"]["4"] == [first, second]
    assert nothing_traces(with_modules)


@measuring
@each_of_theirs
def test_nothing_of_ipycov(with_modules: Notebook, core: str, branch: bool, theirs: str) -> None:
    """Its data has nothing of ipycov, which runs around the cells that it spans."""
    load(with_modules, core, branch)
    make(with_modules, theirs, "omit=['nothing']")
    with_modules.must("c.start()\nothers.choose(0)")
    label = with_modules.cell("x = 1\nif x > 1:\n    y = 2")
    side_by_side = (core == "sysmon") is not (theirs == "sysmon")
    held = "sys.monitoring.get_tool(1)" if core == "sysmon" else "sys.gettrace()"
    with_modules.must(WATCH.format(held=held))
    with_modules.must("x = 2")
    if side_by_side:
        assert with_modules.must("seen").result == "[None]"
    with_modules.must("c.stop()")
    assert with_modules.lines(label) == ([1, 2], [3])
    found = collected(with_modules)
    assert "others.py" in found
    assert not [name for name in found if (PACKAGE / name).exists()]


@measuring
@each_of_theirs
def test_from_before(with_modules: Notebook, core: str, branch: bool, theirs: str) -> None:
    """One that was started before ipycov was loaded goes on, and can be stopped."""
    make(with_modules, theirs)
    with_modules.must("c.start()")
    load(with_modules, core, branch)
    with_modules.must("theirs.choose(0)\nothers.choose(0)")
    with_modules.must("c.stop()\ntheirs.choose(1)")
    assert collected(with_modules) == {"theirs.py": [2, 4]}
    files = with_modules.report()
    assert files["theirs.py"]["missing_lines"] == [1]
    assert files["others.py"]["missing_lines"] == [1, 3]
    assert nothing_traces(with_modules)


def test_other_options_meanwhile(with_modules: Notebook) -> None:
    """Cells are not measured whose options are others than when it was started: that is said."""
    load(with_modules, "ctrace", False)
    make(with_modules, "ctrace")
    with_modules.must("c.start()")
    with_modules.must("%config IPyCov.branch = True")
    reply = with_modules.must("theirs.choose(0)")
    assert "not measured: a coverage.Coverage measures that a cell started" in reply.stderr
    with_modules.must("c.stop()")
    assert collected(with_modules) == {"theirs.py": [2, 4]}
    label = with_modules.cell("others.choose(1)")
    assert with_modules.report()[label]["missing_lines"] == []
    assert nothing_traces(with_modules)


def test_what_its_starter_holds(with_modules: Notebook) -> None:
    """What the function that starts it holds is freed when that ends, as ever."""
    load(with_modules, "ctrace", False)
    make(with_modules, "ctrace")
    with_modules.must(
        """
        import gc, weakref
        class Held:
            pass
        def begin():
            global held
            mine = Held()
            held = weakref.ref(mine)
            c.start()
        begin()
        """
    )
    assert with_modules.must("_ = gc.collect()\nprint(held())\nc.stop()").stdout == "None\n"


def test_no_data_file_before_it_saves(with_modules: Notebook) -> None:
    """Its data file is written when the user has it written."""
    load(with_modules, "ctrace", False)
    with_modules.must("c = coverage.Coverage(config_file=False)\nc.start()")
    with_modules.must("theirs.choose(0)")
    with_modules.must("theirs.choose(0)")
    with_modules.must("c.stop()")
    assert not (with_modules.directory / ".coverage").exists()
    with_modules.must("c.save()")
    assert (with_modules.directory / ".coverage").exists()


@pytest.mark.parametrize("core", CORES)
def test_in_a_kernel_that_coverage_measures(core: str, tmp_path: Path) -> None:
    """A notebook that makes a `Coverage` is covered as any other by what measures its kernel."""
    project = Project(tmp_path, config=f"core = {core}\n")
    (tmp_path / "theirs.py").write_text(CHOOSE)
    made = "coverage.Coverage(data_file=None, config_file=False, include=['*/theirs.py'])"
    write_notebook(
        project.notebook,
        f"import coverage, lib, theirs\nc = {made}\nc.start()",
        "lib.sign(1)\nx = theirs.choose(1)\nif x == 2:\n    y = 3",
        "c.stop()\nprint([sorted(c.get_data().lines(f)) for f in c.get_data().measured_files()])",
    )
    files = project.measure("nbconvert", "--to", "notebook", "--execute", "--inplace", "a.ipynb")
    cells = json.loads(project.notebook.read_text())["cells"]
    assert "".join(cells[-1]["outputs"][0]["text"]) == "[[2, 3]]\n"
    assert files["a.ipynb"]["missing_lines"] == [line_of(project.notebook, "    y = 3")]
    assert files["lib.py"]["missing_lines"] == [3]
    assert files["theirs.py"]["missing_lines"] == [4]


SPANS = """
    def within(c):
        x = 1
        c.start()
        if x:
            theirs.choose(1)
        c.stop()
        if x == 2:
            return 3
        return 4
    def begin(c):
        c.start()
        theirs.choose(0)
    def end(c):
        c.stop()
        return 5
    def over(c):
        begin(c)
        x = 1
        if x == 2:
            return 3
        end(c)
        return 4
    """


@measuring
@each_of_theirs
def test_code_that_starts_it(with_modules: Notebook, core: str, branch: bool, theirs: str) -> None:
    """Code that starts or stops it, and that which called that, is measured all the while."""
    load(with_modules, core, branch)
    make(with_modules, theirs, f"branch={branch}, include=['*/theirs.py']")
    functions = with_modules.cell(SPANS)
    block = with_modules.cell(
        "with c.collect():\n    a = 1\n    if a == 2:\n        b = 3\n    theirs.choose(0)\na = 4"
    )
    calls = with_modules.cell("within(c)\nover(c)\na = 5")
    assert collected(with_modules) == {"theirs.py": [2, 3, 4]}
    files = with_modules.report()
    assert files[block]["missing_lines"] == [4]
    assert files[calls]["missing_lines"] == []
    assert files[functions]["missing_lines"] == [8, 20]
    if branch:
        assert files[block]["missing_branches"] == [[3, 4]]
        assert files[functions]["missing_branches"] == [[4, 6], [7, 8], [19, 20]]
    assert nothing_traces(with_modules)
