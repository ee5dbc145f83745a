"""The plugin: coverage.py and pytest-cov report on notebooks that any runner has executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import coverage.patch
import nbformat
import pytest
from projects import CONFIG, LIB, Project, command, line_of, write_notebook

from ipycov import notebooks

RUNNERS = {
    "nbmake": ["pytest", "-q", "--nbmake", "a.ipynb"],
    "nbval": ["pytest", "-q", "--nbval-lax", "a.ipynb"],
    "nbconvert": ["nbconvert", "--to", "notebook", "--execute", "--output", "done", "a.ipynb"],
    "papermill": ["papermill", "a.ipynb", "done.ipynb", "-p", "unused", "1"],
    "jupyter execute": ["jupyter", "execute", "a.ipynb"],
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_runner(runner: str, tmp_path: Path) -> None:
    """A notebook that a runner executes is a file beside the modules, by its own lines."""
    project = Project(tmp_path)
    before = project.notebook.read_bytes()
    files = project.measure(*RUNNERS[runner])
    missed = line_of(project.notebook, "    return None")
    assert files["a.ipynb"]["missing_lines"] == [missed]
    assert files["a.ipynb"]["summary"]["num_statements"] == 6
    assert files["lib.py"]["missing_lines"] == [3]
    assert project.notebook.read_bytes() == before


@pytest.mark.parametrize("patch", ["patch = subprocess", ""])
@pytest.mark.parametrize("config", ["", "branch = true\n"])
def test_nbval_measures_too(patch: str, config: str, tmp_path: Path) -> None:
    """`pytest --nbval --cov` runs cells of its own to measure: the notebook's are as ever."""
    project = Project(tmp_path)
    (tmp_path / ".coveragerc").write_text(f"[run]\nplugins = ipycov\n{patch}\n{config}")
    asked = ("--cov=.", "--cov-report=json")
    done = project.python("pytest", "-q", "--nbval-lax", *asked, "a.ipynb")
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    assert set(files) == {"a.ipynb", "lib.py"}, done.stdout
    assert files["a.ipynb"]["missing_lines"] == [line_of(project.notebook, "    return None")]
    assert files["a.ipynb"]["summary"]["num_statements"] == 6
    assert files["lib.py"]["missing_lines"] == [3]
    assert not (tmp_path / ".ipycov").exists()


@pytest.mark.parametrize("report", ["report", "html", "xml", "lcov", "json", "annotate"])
def test_reports(report: str, ran: Project) -> None:
    """Each of coverage.py's reports lists the notebook and the module, and no record of ours."""
    done = ran.python("coverage", report)
    text = done.stdout + "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("coverage.*", "htmlcov/index.html")
        for path in ran.directory.glob(pattern)
    )
    if report != "annotate":
        assert "a.ipynb" in text
        assert "#cell=" not in text
        assert "#layout=" not in text


def test_annotating_into_a_directory(ran: Project) -> None:
    """Each file is annotated there; an older coverage.py wants a `.py` at the end of its name."""
    ran.python("coverage", "annotate", "-d", "annotated")
    annotated = {path.name: path for path in (ran.directory / "annotated").iterdir()}
    assert "lib.py,cover" in annotated
    (notebook,) = (path for name, path in annotated.items() if name.startswith("a"))
    assert "!     return None" in notebook.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose notebook has run under coverage.py, with branches."""
    project = Project(tmp_path_factory.mktemp("ran"), config="branch = true\n")
    project.measure(*RUNNERS["nbmake"])
    return project


def test_branches(ran: Project) -> None:
    """Branches are counted by the lines of the file too."""
    entry = ran.report()["a.ipynb"]
    condition, none = (line_of(ran.notebook, text) for text in ("    if x:", "    return None"))
    assert entry["missing_branches"] == [[condition, none]]


def test_missing_lines_by_cell(ran: Project) -> None:
    """A table with missing lines is followed by which cells they are in; other tables are not."""
    missed = line_of(ran.notebook, "    return None")
    assert f"a.ipynb, cell 2: missing {missed}\n" in ran.python("coverage", "report", "-m").stderr
    for options in ((), ("-m", "--omit", "a.ipynb")):
        assert "missing" not in ran.python("coverage", "report", *options).stderr


def test_html_shows_code(ran: Project) -> None:
    """The HTML report shows a notebook's code, not its JSON."""
    ran.python("coverage", "html", "-q")
    (page,) = ran.directory.glob("htmlcov/*a_ipynb.html")
    text = page.read_text(encoding="utf-8")
    assert "# cell 2" in text
    assert "cell_type" not in text
    assert "&quot;    return None" not in text


def _save_in_another_layout(notebook: Path) -> None:
    document = nbformat.read(notebook, as_version=4)
    document.cells.insert(0, nbformat.v4.new_code_cell("new = 1\nanother = 2"))
    output = nbformat.v4.new_output("stream", text="many\nlines\nof output\n")
    document.cells[-1].outputs = [output]
    nbformat.write(document, notebook)


@pytest.mark.parametrize("config", ["", "branch = true\n"])
def test_moving_on(config: str, tmp_path: Path) -> None:
    """A notebook saved with outputs and a new cell above still has the right lines."""
    project = Project(tmp_path, config=config)
    project.measure(*RUNNERS["nbmake"])
    _save_in_another_layout(project.notebook)
    entry = project.report()["a.ipynb"]
    missed = [line_of(project.notebook, t) for t in ("new = 1", "another = 2", "    return None")]
    assert entry["missing_lines"] == sorted(missed)
    if config:
        condition = line_of(project.notebook, "    if x:")
        assert entry["missing_branches"] == [[condition, missed[-1]]]


@pytest.mark.parametrize("config", ["", "branch = true\n"])
def test_stale(config: str, tmp_path: Path) -> None:
    """What the old text of an edited cell covered is not said of the new text, but said."""
    project = Project(tmp_path, config=config)
    project.measure(*RUNNERS["nbmake"])
    text = project.notebook.read_text().replace("return None", "return 0")
    project.notebook.write_text(text)
    done = project.python("coverage", "report")
    assert "1 cell has another text than when the notebook ran" in done.stderr
    lines = [line_of(project.notebook, t) for t in ("def f(x):", "    return 0")]
    entry = project.report()["a.ipynb"]
    assert set(lines) <= set(entry["missing_lines"])
    assert entry.get("executed_branches", []) == []


def test_no_notebook(tmp_path: Path) -> None:
    """Cells that are in no notebook on disk are listed by themselves, and counted in one line."""
    project = Project(tmp_path)
    project.notebook.unlink()
    (tmp_path / "run.py").write_text(
        "import nbformat, nbclient\n"
        "cells = [nbformat.v4.new_code_cell(t) for t in ('x = 1', 'if x > 1:\\n    y = 2')]\n"
        "nbclient.execute(nbformat.v4.new_notebook(cells=cells), kernel_name='python3')\n"
    )
    project.python("coverage", "run", "run.py")
    project.python("coverage", "combine")
    done = project.python("coverage", "report")
    assert "cells that ran and are in no notebook on disk: 2" in done.stderr
    files = project.report()
    (name,) = (name for name in files if name.endswith(":In[2]"))
    assert files[name]["missing_lines"] == [2]


def test_another_directory(tmp_path: Path) -> None:
    """A notebook below the directory that its runner is started in is found there."""
    project = Project(tmp_path, notebook="nbs/deep/a.ipynb")
    files = project.measure("pytest", "-q", "--nbmake", "nbs")
    entry = files["nbs/deep/a.ipynb"]
    assert entry["missing_lines"] == [line_of(project.notebook, "    return None")]


def test_a_copy_of_an_earlier_run(tmp_path: Path) -> None:
    """A notebook that was saved since it was executed is reported, and not the copy beside it."""
    project = Project(tmp_path)
    project.python(*RUNNERS["nbconvert"])
    later = project.notebook.stat().st_mtime + 60
    os.utime(project.notebook, (later, later))
    assert sorted(project.measure(*RUNNERS["nbconvert"])) == ["a.ipynb", "lib.py"]


@pytest.mark.parametrize("runner", ["nbmake", "jupyter execute"])
def test_cells_that_cells_run(runner: str, tmp_path: Path) -> None:
    """They are apart, by the cell that ran them, and hide no notebook though they are the most."""
    project = Project(tmp_path, config="source = .\n")
    run = "ip.run_cell('k = {0}')"
    write_notebook(
        project.notebook,
        "\n".join(["ip = get_ipython()", *map(run.format, range(3))]),
        run.format(3),
    )
    files = project.measure(*RUNNERS[runner])
    assert files["a.ipynb"]["missing_lines"] == []
    nested = [f"a.ipynb:In[1].{n}" for n in (1, 2, 3)]
    assert sorted(files) == ["a.ipynb", *nested, "a.ipynb:In[2].1", "lib.py"]


def test_functions_and_classes(tmp_path: Path) -> None:
    """A notebook's functions and classes are told as a module's."""
    project = Project(tmp_path)
    text = """
        class A:
            def a(self):
                return 1

            def b(self):
                return 2


        A().a()
        """
    write_notebook(project.notebook, "import lib", text)
    files = project.measure("nbconvert", "--to", "notebook", "--execute", "--inplace", "a.ipynb")
    functions = {name: each["summary"] for name, each in files["a.ipynb"]["functions"].items()}
    assert functions["A.a"]["missing_lines"] == 0
    assert functions["A.b"]["missing_lines"] == 1
    assert functions[""]["num_statements"] == 5
    assert files["a.ipynb"]["classes"]["A"]["summary"]["missing_lines"] == 1


def test_a_kernel_that_runs_cells_alone(tmp_path: Path) -> None:
    """Files that could have run are listed though nothing but cells did."""
    project = Project(tmp_path, config="source = .\n")
    write_notebook(project.notebook, "x = 1")
    nbmake = ("-m", "pytest", "-q", "-s", "--nbmake", "a.ipynb")
    done = project.python("coverage", "run", *nbmake)
    assert "Can't touch files" not in done.stdout + done.stderr
    project.python("coverage", "combine")
    assert {"a.ipynb", "lib.py"} <= set(project.report())


def test_copies_under_source(tmp_path: Path) -> None:
    """The copies that papermill writes below `source` are no notebooks that never ran."""
    project = Project(tmp_path, config="source = .\n")
    (tmp_path / "out").mkdir()
    papermill = ("papermill", "-p", "unused")
    project.python("coverage", "run", "-m", *papermill, "1", "a.ipynb", "out/one.ipynb")
    files = project.measure(*papermill, "2", "a.ipynb", "out/two.ipynb")
    assert {name for name in files if name.endswith(".ipynb")} == {"a.ipynb"}


def test_papermill_in_place(tmp_path: Path) -> None:
    """A notebook that papermill has written to itself is that notebook, not a copy of it."""
    project = Project(tmp_path, config="source = .\n")
    write_notebook(tmp_path / "b.ipynb", "import os", "x = 1")
    write_notebook(tmp_path / "c.ipynb", "import os", "y = 1")
    project.python("papermill", "c.ipynb", "c.ipynb")
    files = project.measure("papermill", "b.ipynb", "b.ipynb")
    summaries = {name: file["summary"] for name, file in files.items()}
    assert summaries["b.ipynb"]["percent_covered"] == 100
    assert summaries["c.ipynb"]["percent_covered"] == 0


def test_copies_that_run_by_themselves(tmp_path: Path) -> None:
    """A copy that was edited since has run where it has, and not its original."""
    project = Project(tmp_path)
    write_notebook(tmp_path / "b.ipynb", "import os", "x = 1\nif x == 2:\n    y = 1")
    (tmp_path / "out").mkdir()
    project.python("papermill", "b.ipynb", "out/b.ipynb")
    copy = tmp_path / "out" / "b.ipynb"
    copy.write_text(copy.read_text().replace("x == 2", "x == 3"))
    files = project.measure("pytest", "-q", "--nbmake", "out/b.ipynb")
    assert set(files) - {"lib.py"} == {"out/b.ipynb"}
    assert files["out/b.ipynb"]["summary"]["missing_lines"] == 1


def test_copies_of_other_directories(tmp_path: Path) -> None:
    """Copies are left out wherever the kernel ran, and so are those that nbconvert names."""
    project = Project(tmp_path, config="source = .\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "out").mkdir()
    write_notebook(tmp_path / "sub" / "b.ipynb", "x = 1")
    project.python("nbconvert", "--to", "notebook", "--execute", "a.ipynb")
    assert (tmp_path / "a.nbconvert.ipynb").exists()
    files = project.measure("papermill", "--cwd", "sub", "sub/b.ipynb", "out/done.ipynb")
    names = {name for name in files if name.endswith(".ipynb")}
    assert names == {"a.ipynb", "sub/b.ipynb"}


def test_a_notebook_that_another_runs(tmp_path: Path) -> None:
    """Cells that %run takes from a notebook, which are not measured, are in no report's way."""
    project = Project(tmp_path)
    write_notebook(tmp_path / "child.ipynb", "c = 1")
    write_notebook(tmp_path / "b.ipynb", "x = 1", "%run child.ipynb", "y = c")
    files = project.measure("pytest", "-q", "--nbmake", "b.ipynb")
    alone = {name for name in files if name.startswith("b.ipynb:In[")}  # as in IPython 7
    assert set(files) - {"lib.py"} - alone == {"b.ipynb"}
    assert files["b.ipynb"]["summary"]["percent_covered"] == 100


def test_cells_that_are_skipped(tmp_path: Path) -> None:
    """Of cells with the same text, one tagged `skip-execution` is the one that did not run."""
    project = Project(tmp_path)
    path = write_notebook(tmp_path / "b.ipynb", "x = 1", "y = 1", "x = 1")
    document = json.loads(path.read_text())
    document["cells"][0]["metadata"]["tags"] = ["skip-execution"]
    path.write_text(json.dumps(document, indent=1))
    files = project.measure("jupyter", "execute", "b.ipynb")
    first = path.read_text().split("\n").index('    "x = 1"') + 1
    assert files["b.ipynb"]["missing_lines"] == [first]


def test_papermill_from_elsewhere(tmp_path: Path) -> None:
    """The notebook that papermill is given is reported, wherever it is, and not the copy."""
    (tmp_path / "ci").mkdir()
    project = Project(tmp_path / "ci")
    notebook = project.notebook.rename(tmp_path / "b.ipynb")
    files = project.measure("papermill", "../b.ipynb", "done.ipynb", "-p", "unused", "1")
    missed = line_of(notebook, "    return None")
    assert files[str(notebook)]["missing_lines"] == [missed]
    assert "done.ipynb" not in files


def test_source(tmp_path: Path) -> None:
    """`source` and `omit` choose among notebooks; those that no kernel opened are at 0 %."""
    project = Project(tmp_path, notebook="nbs/a.ipynb", config="source = nbs\nomit = */skip*\n")
    for name in ("never", "skip"):
        write_notebook(tmp_path / "nbs" / f"{name}.ipynb", "x = 1")
    write_notebook(tmp_path / "elsewhere.ipynb", "y = 1")
    files = project.measure("pytest", "-q", "--nbmake", "nbs/a.ipynb", "elsewhere.ipynb")
    assert sorted(files) == ["nbs/a.ipynb", "nbs/never.ipynb"]
    assert files["nbs/never.ipynb"]["summary"]["percent_covered"] == 0


@pytest.mark.parametrize("option", ["source", "source_pkgs"])
def test_source_names_a_package(option: str, tmp_path: Path) -> None:
    """Notebooks in a package are measured with it, wherever it is imported from."""
    project = Project(tmp_path, notebook="src/pkg/nbs/a.ipynb", config=f"{option} = pkg\n")
    (tmp_path / "src" / "pkg" / "__init__.py").touch()
    write_notebook(tmp_path / "src" / "pkg" / "never.ipynb", "1")
    write_notebook(tmp_path / "other.ipynb", "2")
    project.env["PYTHONPATH"] += os.pathsep + str(tmp_path / "src")
    notebooks = ("src/pkg/nbs/a.ipynb", "other.ipynb")
    files = project.measure("pytest", "-q", "--nbmake", *notebooks)
    assert set(files) == {"src/pkg/__init__.py", "src/pkg/nbs/a.ipynb", "src/pkg/never.ipynb"}
    assert files["src/pkg/nbs/a.ipynb"]["summary"]["missing_lines"] == 1
    assert files["src/pkg/never.ipynb"]["summary"]["percent_covered"] == 0


def test_notebooks_of_the_same_text(tmp_path: Path) -> None:
    """Of two notebooks with the same text, the one beside which its kernel ran is reported."""
    project = Project(tmp_path)
    for place in ("one", "two"):
        write_notebook(tmp_path / place / "b.ipynb", "x = 1", "if x > 1:\n    y = 2")
    assert list(project.measure("pytest", "-q", "--nbmake", "two/b.ipynb")) == ["two/b.ipynb"]


def test_cells_of_the_same_text(tmp_path: Path) -> None:
    """Each of a notebook's cells with the same text has run when the text has."""
    project = Project(tmp_path)
    write_notebook(project.notebook, "x = 2", "if x > 1:\n    y = 1\nx += 1", "z = 1")
    again = json.loads(project.notebook.read_text())
    again["cells"].append({**again["cells"][1], "id": "again"})
    project.notebook.write_text(json.dumps(again, indent=1))
    entry = project.measure(*RUNNERS["nbconvert"])["a.ipynb"]
    assert entry["summary"]["num_statements"] == 8
    assert entry["missing_lines"] == []


def test_cells_of_the_same_text_that_never_ran(tmp_path: Path) -> None:
    """One behind a cell that failed has not run, though an earlier one with its text has."""
    project = Project(tmp_path, config="branch = true\n")
    twice = "if x > 1:\n    y = 1"
    write_notebook(project.notebook, "x = 2", twice, "1 / 0", twice)
    project.python("coverage", "run", "-m", *RUNNERS["nbmake"], code=1)
    project.python("coverage", "combine")
    places = [cell.file_lines for cell in notebooks.read(str(project.notebook)).cells]
    entry = project.report()["a.ipynb"]
    assert entry["missing_lines"] == list(places[3])
    assert entry["executed_branches"] == [list(places[1])]
    _save_in_another_layout(project.notebook)
    places = [cell.file_lines for cell in notebooks.read(str(project.notebook)).cells]
    entry = project.report()["a.ipynb"]
    assert entry["missing_lines"] == [*places[0], *places[4]]
    assert entry["executed_branches"] == [list(places[2])]


def test_a_relative_source(tmp_path: Path) -> None:
    """Like modules, notebooks are looked for from where coverage.py was started."""
    project = Project(tmp_path, notebook="nbs/a.ipynb")
    write_notebook(tmp_path / "other" / "b.ipynb", "x = 1")
    nbmake = ("-m", "pytest", "-q", "--nbmake", "a.ipynb")
    command("coverage", "run", "--source=.", *nbmake, cwd=tmp_path / "nbs", env=project.env)
    project.python("coverage", "combine")
    # an older coverage.py tells subprocesses nothing of --source: modules may be there too
    assert [name for name in project.report() if name.endswith(".ipynb")] == ["nbs/a.ipynb"]


def test_what_cannot_be_reported(tmp_path: Path) -> None:
    """What is no notebook, not Python or no code is said by name; the rest is reported."""
    project = Project(tmp_path, config="source = .\n")
    (tmp_path / "broken.ipynb").write_text("{ nope")
    r = {"name": "ir", "display_name": "R", "language": "R"}
    write_notebook(tmp_path / "r.ipynb", "x <- 1", kernelspec=r)
    write_notebook(tmp_path / "b.ipynb", "x = 1", "x =")
    files = project.measure(*RUNNERS["nbmake"])
    assert sorted(files) == ["a.ipynb", "b.ipynb", "lib.py"]
    assert files["b.ipynb"]["summary"]["num_statements"] == 1
    said = project.python("coverage", "report").stderr
    assert "broken.ipynb is not a notebook: " in said
    assert "r.ipynb is a notebook in r, not in Python" in said
    assert "b.ipynb, cell 2 is not in the report: it can't be analysed" in said
    project.notebook.write_text("{")
    assert "No source for notebook: a.ipynb" in project.python("coverage", "report", code=1).stdout
    assert "lib.py" in project.python("coverage", "report", "-i").stdout


@pytest.mark.parametrize("branch", [False, True])
def test_a_notebook_that_loads_ipycov(branch: bool, tmp_path: Path) -> None:
    """coverage.py has what ran while ipycov was loaded, and what ran when it was taken off."""
    project = Project(tmp_path, config=f"branch = {branch}\n")
    write_notebook(
        project.notebook,
        "x = 1",
        "%load_ext ipycov",
        "import lib\n\ndef f(x):\n    if x:\n        return lib.sign(x)\n    return 0",
        "%%cov -q\nif x == 1:\n    f(1)",
        "%unload_ext ipycov",
        "if x == 2:\n    y = 2",
    )
    _run_in_one_process(project)
    files = project.report()
    missed = [line_of(project.notebook, text) for text in ("    return 0", "    y = 2")]
    assert files["a.ipynb"]["missing_lines"] == missed
    assert files["lib.py"]["missing_lines"] == [3]


def _run_in_one_process(project: Project, *, code: int = 0) -> str:
    """Run the cells of the notebook under coverage.py itself; return what stderr was told."""
    (project.directory / "go.py").write_text(
        "import json\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for cell in json.load(open('a.ipynb'))['cells']:\n"
        "    shell.run_cell(''.join(cell['source']), store_history=True)\n"
    )
    done = project.python("coverage", "run", "go.py", code=code)
    project.python("coverage", "combine")
    return done.stderr


CHOOSE = "def choose(x):\n    if x:\n        return 1\n    return 0"
SAVED_EARLY = {
    "SIGTERM": ("sigterm = true", "import os\nchoose(0)\nos.kill(os.getpid(), 15)", -15),
    "os._exit": ("patch = subprocess, _exit", "import os\nchoose(0)\nos._exit(0)", 0),
    "multiprocessing": (
        "concurrency = multiprocessing",
        "import multiprocessing\n"
        "pool = multiprocessing.get_context('fork').Pool(1)\n"
        "pool.map(choose, [0])\npool.close()\npool.join()",
        0,
    ),
    "fork": (
        "patch = subprocess, fork, _exit",
        "import os\nos.fork() or choose(0) or os._exit(0)\nos.wait()",
        0,
    ),
}


@pytest.mark.parametrize("when", SAVED_EARLY)
def test_saved_early(when: str, tmp_path: Path) -> None:
    """What coverage.py saves before a kernel ends, or in its children, is its notebook's too."""
    config, cell, code = SAVED_EARLY[when]
    if when == "fork" and not hasattr(coverage.patch, "_patch_fork"):
        pytest.skip("this coverage.py does not measure forks")
    project = Project(tmp_path)
    write_notebook(project.notebook, CHOOSE, cell)
    rc = tmp_path / ".coveragerc"
    rc.write_text(rc.read_text().replace("patch = subprocess\n", "") + config + "\n")
    if "patch" not in config:
        rc.write_text(rc.read_text() + "patch = subprocess\n")
    _run_in_one_process(project, code=code)
    files = project.report()
    assert sorted(files) == ["a.ipynb", "go.py"]
    assert files["a.ipynb"]["missing_lines"] == [line_of(project.notebook, "        return 1")]


def test_nowhere_to_write(tmp_path: Path) -> None:
    """Where `.ipycov` can't be written, what cells cover is in the data when the kernel ends."""
    project = Project(tmp_path)
    (tmp_path / ".ipycov").write_text("a file")
    said = _run_in_one_process(project)
    assert said.count("what cells cover is kept in memory only: [Errno 20]") == 1
    missed = line_of(project.notebook, "    return None")
    assert project.report()["a.ipynb"]["missing_lines"] == [missed]


def test_minified(tmp_path: Path) -> None:
    """A notebook that keeps no line a line is reported by rows of code, and a warning says so."""
    project = Project(tmp_path)
    document = json.loads(project.notebook.read_text())
    for cell in document["cells"]:
        cell["source"] = "".join(cell["source"])
    project.notebook.write_text(json.dumps(document))
    entry = project.measure(*RUNNERS["nbmake"])["a.ipynb"]
    assert entry["missing_lines"] == [5]
    assert entry["summary"]["num_statements"] == 6
    done = project.python("coverage", "report")
    assert done.stderr.count("does not keep each source line on a line of its own") == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_monitoring(tmp_path: Path) -> None:
    """sys.monitoring measures notebooks as the C tracer does."""
    project = Project(tmp_path, config="core = sysmon\n")
    entry = project.measure(*RUNNERS["nbmake"])["a.ipynb"]
    assert entry["missing_lines"] == [line_of(project.notebook, "    return None")]


def test_bodies_of_magics(tmp_path: Path) -> None:
    """%%time and %%capture are measured line by line; %%bash counts as one statement."""
    project = Project(tmp_path)
    write_notebook(
        project.notebook,
        "%%time\nx = 1\nif x > 1:\n    y = 2",
        "%%capture\nz = 1\nif z > 1:\n    y = 3",
        "%%bash\necho hello",
    )
    entry = project.measure(*RUNNERS["nbmake"])["a.ipynb"]
    missed = [line_of(project.notebook, text) for text in ("    y = 2", "    y = 3")]
    assert entry["missing_lines"] == missed
    assert entry["summary"]["num_statements"] == 7


@pytest.mark.skipif(
    coverage.version_info < (7, 10, 3),
    reason="this coverage.py's workers stop each other's kernels from being measured",
)
def test_pytest_cov(tmp_path: Path) -> None:
    """pytest-cov with workers reports the notebooks that nbmake ran, from pyproject.toml."""
    (tmp_path / "lib.py").write_text(LIB)
    notebook = write_notebook(tmp_path / "a.ipynb", "import lib", "if lib.sign(1) < 0:\n    x = 1")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.coverage.run]\nplugins = ["ipycov"]\npatch = ["subprocess"]\nbranch = true\n'
    )
    args = ["--nbmake", "--cov", "--cov-report=json", "-n", "2", "-q", "a.ipynb"]
    command("pytest", *args, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    assert files["a.ipynb"]["missing_lines"] == [line_of(notebook, "    x = 1")]
    assert files["lib.py"]["missing_lines"] == [3]


def test_contexts(tmp_path: Path) -> None:
    """A static context is that of a notebook's lines too, wherever they have moved."""
    project = Project(tmp_path, config="context = nightly\n[json]\nshow_contexts = true\n")
    lines = ("import lib", "def f(x):", "    if x:", "        return lib.sign(x)", "f(1)")

    def nightly() -> dict[str, list[str]]:
        return {str(line_of(project.notebook, line)): ["nightly"] for line in lines}

    assert project.measure(*RUNNERS["nbmake"])["a.ipynb"]["contexts"] == nightly()
    _save_in_another_layout(project.notebook)
    assert project.report()["a.ipynb"]["contexts"] == nightly()


def test_relative_files(tmp_path: Path) -> None:
    """With relative_files a notebook and its modules are in the data by their paths from there."""
    config = "relative_files = true\nsource = .\n"
    project = Project(tmp_path, notebook="nbs/a.ipynb", config=config)
    (tmp_path / "lib.py").rename(tmp_path / "nbs" / "lib.py")
    write_notebook(tmp_path / "nbs" / "never.ipynb", "x = 1")
    files = project.measure("pytest", "-q", "--nbmake", "nbs/a.ipynb")
    assert sorted(files) == ["nbs/a.ipynb", "nbs/lib.py", "nbs/never.ipynb"]


@pytest.mark.skipif(
    coverage.version_info < (7, 10, 3), reason="kernels of this coverage.py read its file anew"
)
@pytest.mark.parametrize("option", ["include = nbs/*, kept/*", "omit = left/*"])
def test_patterns(option: str, tmp_path: Path) -> None:
    """`include` and `omit` are taken from where coverage.py was called, not where a kernel runs."""
    project = Project(tmp_path, notebook="nbs/a.ipynb", config=f"{option}\n")
    for name in ("kept", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text("x = 1\n")
    write_notebook(project.notebook, "import kept.module, left.module")
    files = project.measure("jupyter", "execute", "nbs/a.ipynb")
    assert sorted(files) == ["kept/module.py", "nbs/a.ipynb"]


@pytest.mark.parametrize("moved_cells", [False, True])
def test_paths(moved_cells: bool, tmp_path: Path) -> None:
    """`[paths]` brings data of a notebook home from another directory, records and all."""
    (tmp_path / "ci").mkdir()
    there = Project(tmp_path / "ci")
    there.python("coverage", "run", "-m", *RUNNERS["nbmake"])
    there.python("coverage", "combine")
    (tmp_path / "home").mkdir()
    here = Project(tmp_path / "home", config=f"[paths]\nhome =\n    {tmp_path}/home\n    */ci\n")
    if moved_cells:
        notebook = nbformat.read(here.notebook, 4)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))
        nbformat.write(notebook, here.notebook)
    here.python("coverage", "combine", str(tmp_path / "ci" / ".coverage"))
    files = here.report()
    assert files["a.ipynb"]["missing_lines"] == [line_of(here.notebook, "    return None")]
    assert files["lib.py"]["missing_lines"] == [3]
    assert not [name for name in files if "ci" in Path(name).parts]


def test_diff_cover(tmp_path: Path) -> None:
    """diff-cover names the changed line of a notebook's cell that nothing ran."""
    project = Project(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for args in (["init", "-q", "-b", "main"], ["add", "a.ipynb"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *args], cwd=tmp_path, check=True)
    text = project.notebook.read_text().replace("return None", "return 'none'")
    project.notebook.write_text(text)
    project.measure(*RUNNERS["nbmake"])
    project.python("coverage", "xml", "-q")
    done = project.python(
        *["diff_cover.diff_cover_tool", "coverage.xml", "--compare-branch", "main"],
        *["--include", "*.ipynb", "--ignore-whitespace"],
    )
    missed = line_of(project.notebook, "    return 'none'")
    assert f"Missing lines {missed}" in done.stdout
    classes = ElementTree.parse(tmp_path / "coverage.xml").iter("class")
    assert "a.ipynb" in {each.get("filename") for each in classes}


def test_a_module_alone(tmp_path: Path) -> None:
    """A run without notebooks is as it is without the plugin, warnings included."""
    (tmp_path / "lib.py").write_text(LIB)
    data = tmp_path / ".coverage"
    (tmp_path / ".coveragerc").write_text(CONFIG.format(data=data).replace("parallel = true\n", ""))
    done = command("coverage", "run", "lib.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    command("coverage", "combine", "-q", cwd=tmp_path)
    assert "ipynb" not in command("coverage", "report", cwd=tmp_path).stdout
