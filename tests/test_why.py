"""Why a module, a path or a cell is measured or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import coverage
import pytest
from kernels import Notebook, needs_cell_ids

from ipycov import coverage_collector, coverage_files
from ipycov.why import Answer, Facts, explain


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Asks about a name in a directory with modules, with options of coverage.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("one.py", "pack/__init__.py", "pack/two.py", "a b.py", "notes.txt", "n.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")

    def ask(name: str, facts: dict[str, object] | None = None, **options: object) -> Answer:
        cov = coverage.Coverage(data_file=None, config_file=False, **options)  # type: ignore[arg-type]
        coverage_collector.prepare(cov)
        return explain(name, Facts(cov, **(facts or {})))  # type: ignore[arg-type]

    return ask


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("json", {}, "standard library"),
        ("json", {"source": ["pack"]}, "outside of 'source', which is pack"),
        ("pytest", {}, "installed packages"),
        ("coverage", {}, "measures and is never measured itself|installed packages"),
        ("sys", {}, "no file of Python source"),
        ("nothing.here", {}, "no module, file or cell of this name"),
        ("not a name!", {}, "no module, file or cell of this name"),
        ("", {}, "no module, file or cell of this name"),
        ("gone.py", {}, "there is no file"),
        ("pack/gone.py", {}, "there is no file"),
        ("pack" + os.sep, {}, "it is a directory"),
        ("notes.txt", {}, "no file of Python source"),
        ("n.ipynb", {}, "ipycov run"),
        ("one.py", {"omit": ["two*", "one*"]}, "left out by the pattern one* of 'omit'"),
        ("one", {"omit": ["one*"]}, "left out by the pattern one* of 'omit'"),
        ("one", {"include": ["pack/*"]}, "no pattern of 'include' fits, which is pack/*"),
        ("one", {"source": ["pack"]}, "outside of 'source'"),
    ],
)
def test_not_measured(
    ask: Callable[..., Answer], name: str, options: dict[str, list[str]], said: str
) -> None:
    """The reason is told in words, from coverage.py's own decision."""
    answer = ask(name, **options)
    assert not answer.measured
    assert any(each in str(answer) for each in said.split("|")), str(answer)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one", {}),
        ("one.py", {}),
        ("a b.py", {}),
        ("pack", {}),
        ("pack.two", {"source": ["pack"]}),
        ("pack/two.py", {"include": ["pack/*"]}),
        ("json", {"cover_pylib": True}),
    ],
)
def test_would_be_measured(
    ask: Callable[..., Answer], name: str, options: dict[str, list[str]]
) -> None:
    """A module that nothing is against counts from its import on; asking imports nothing."""
    answer = ask(name, **options)
    assert answer.measured, str(answer)
    assert "one" not in sys.modules
    assert "pack" not in sys.modules


def test_packages_by_name(ask: Callable[..., Answer]) -> None:
    """A package in `source` is compared with the module's name, and asking is no import."""
    assert ask("pytest", source=["pytest"]).measured
    cov = coverage.Coverage(data_file=None, config_file=False, source=["_pytest.mark"])
    coverage_collector.prepare(cov)
    assert explain("_pytest.mark", Facts(cov)).measured
    assert coverage_files.unimported_source(cov) == ["_pytest.mark"]


@pytest.mark.parametrize(
    ("before", "imported", "lines", "measured", "said"),
    [
        (False, False, 0, False, "nothing has imported it"),
        (False, True, 0, False, "by code that was not measured"),
        (True, True, 0, False, "imported before measuring began and nothing of it has run"),
        (True, True, 1, True, "1 line of it has run, but its top level ran before"),
        (False, True, 5, True, "5 lines of it have run"),
    ],
)
def test_what_ran(
    ask: Callable[..., Answer],
    tmp_path: Path,
    before: bool,
    imported: bool,
    lines: int,
    measured: bool,
    said: str,
) -> None:
    """What became of a module in a session decides, once nothing is against measuring it."""
    path = str(tmp_path / "one.py")
    module = ModuleType("one")
    module.__file__ = path
    facts = {
        "ran": {os.path.realpath(path): lines} if lines else {},
        "before": {"one"} if before else (),
        "modules": {"one": module} if imported else {},
    }
    for name in ("one", "one.py"):
        answer = ask(name, facts)
        assert answer.measured is measured
        assert said in str(answer)


# ---------------------------------------------------------------- %coverage_report --why


def why(notebook: Notebook, name: str) -> str:
    reply = notebook.must(f"%coverage_report --why {name}")
    assert reply.displays == []
    assert reply.stdout.count("\n") == 1
    return reply.stdout


def test_cells(notebook: Notebook) -> None:
    """Each state that a cell can be in has its reason."""
    ran = notebook.cell("x = 1\nif x == 2:\n    y = 1")
    broken = notebook.run("x = = 1").label
    own = notebook.cell("%coverage_stop")
    off = notebook.cell("y = 1")
    notebook.cell("%coverage_start")
    bash = notebook.cell("%%bash\ntrue")
    assert why(notebook, ran) == f"{ran} is measured: 2 lines of it have run.\n"
    assert why(notebook, ran[3:-1]) == f"{ran} is measured: 2 lines of it have run.\n"
    assert "it did not compile: SyntaxError" in why(notebook, broken)
    assert "ipycov's own magics only" in why(notebook, own)
    assert "measuring was off when it ran" in why(notebook, off)
    assert "below %%bash is not followed" in why(notebook, bash)
    assert "no cell with this number" in why(notebook, "In[999999]")


def test_a_cell_from_before_loading(fresh: Notebook) -> None:
    """It is told from one that was never run."""
    label = fresh.cell("def f():\n    return 1")
    fresh.must("%load_ext ipycov")
    assert "it ran before ipycov was loaded" in why(fresh, label)
    fresh.must("f()")
    assert "1 line of it has run" in why(fresh, label)


@needs_cell_ids
def test_cells_that_changed(notebook: Notebook) -> None:
    """A cell that was edited or run again is found under the number that it had."""
    first = notebook.must("x = 1", "a").label
    again = notebook.must("x = 1", "a").label
    assert f"reports call it {again} now" in why(notebook, first)
    edited = notebook.must("x = 2", "a").label
    assert f"the cell has a newer text, {edited}," in why(notebook, again)


def test_a_cell_that_could_not_be_measured(notebook: Notebook) -> None:
    """What kept a cell from being measured is told again when it is asked for."""
    notebook.cell("%config IPyCov.config_file = 'gone.toml'")
    label = notebook.cell("x = 1")
    notebook.cell("%config IPyCov.config_file = True")
    assert "gone.toml" in why(notebook, label)


def test_modules(notebook: Notebook) -> None:
    """Modules are told by name or path, with the trait that leaves them out."""
    for name in ("whya", "whyb", "whyc"):
        notebook.write(f"{name}.py", "def f():\n    return 1")
    notebook.cell("import whya; whya.f()")
    assert "whya is measured: 2 lines of it have run" in why(notebook, "whya")
    assert "nothing has imported it" in why(notebook, "whyb.py")
    notebook.cell("%coverage_stop")
    notebook.cell("import whyb")
    assert "by code that was not measured" in why(notebook, "whyb")
    notebook.cell("%coverage_start")
    notebook.must("%unload_ext ipycov\n%load_ext ipycov")
    notebook.cell("whyb.f()")
    said = why(notebook, "whyb")
    assert "1 line of it has run, but its top level ran before measuring began" in said
    notebook.cell("%config IPyCov.omit = ['*whyc*']")
    assert "left out by the pattern *whyc* of 'omit'" in why(notebook, "whyc")
    assert "with %config IPyCov.omit" in why(notebook, "whyc")
    notebook.cell("%config IPyCov.omit = None")
