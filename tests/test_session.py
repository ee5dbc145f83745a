"""A session that is told of cells by the test, without any shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from IPython.core.compilerop import CachingCompiler

from ipycov.errors import NothingMeasured
from ipycov.measure import Measurement
from ipycov.options import Options
from ipycov.ran import Ran
from ipycov.session import Session


class Driver:
    """Runs cells in a session as a shell would."""

    def __init__(self) -> None:
        self.options = Options(config_file=False, core="ctrace")
        self.said: list[str] = []
        self.session = Session(lambda: self.options, self.said.append)
        self.compile: Any = CachingCompiler()
        self.session.compiler.install(self.compile)
        self.count = 0
        self.space: dict[str, Any] = {"driver": self}

    def run(self, text: str, id: str | None = None, options: Options | None = None) -> Ran | None:
        self.count += 1
        error: BaseException | None = None
        self.session.begin(text, id, options)
        try:
            name = self.compile.cache(text, self.count, text)
            code = self.compile(self.compile.ast_parse(text, name), name, "exec")
        except SyntaxError as wrong:
            error = wrong
        else:
            with suppress(ZeroDivisionError):
                exec(code, self.space)
        return self.session.end(text, error)

    def missing(self) -> dict[str, list[int]]:
        cov, _ = self.session.reports.everything()
        return {
            cov.reporter(name).relative_filename(): sorted(cov.analysis_of(name).missing)
            for name in cov.get_data().measured_files()
            if "In[" in name
        }

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.session.reports.everything()[1]]


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.session.close()


def test_nothing_measured(driver: Driver) -> None:
    """A report of nothing is refused with what to do."""
    with pytest.raises(NothingMeasured, match="run a cell"):
        driver.session.reports.everything()


def test_cells_are_measured(driver: Driver) -> None:
    """Each cell is reported under its count with the lines it missed."""
    driver.run("def f(x):\n    if x:\n        return 1\n    return 2")
    driver.run("f(1)")
    assert driver.missing() == {"In[1]": [4], "In[2]": []}


def test_the_end_without_a_beginning(driver: Driver) -> None:
    """The end of a cell whose beginning was not told is nothing."""
    assert driver.session.end("x") is None
    driver.run("x = 1")
    assert driver.missing() == {"In[1]": []}


def test_a_beginning_without_an_end(driver: Driver) -> None:
    """A cell whose end was never told does not keep the next from being measured."""
    driver.session.begin("lost", None)
    driver.run("x = 1\nif x == 2:\n    y = 1")
    driver.session.end("lost")
    driver.run("x = 1\nif x == 2:\n    y = 2")
    assert list(driver.missing().values())[-1] == [3]
    assert not driver.session.active


def test_a_cell_that_fails(driver: Driver) -> None:
    """A cell that raises keeps what it ran."""
    driver.run("x = 1\n1 / 0\ny = 2")
    assert driver.missing() == {"In[1]": [3]}


def test_a_cell_that_does_not_compile(driver: Driver) -> None:
    """A cell that did not compile is a problem with a name, and the rest is reported."""
    driver.run("x = 1")
    driver.run("x =")
    assert driver.missing() == {"In[1]": []}
    [problem] = driver.problems()
    assert problem.startswith("In[2] is not in the report: it did not compile: SyntaxError: ")
    assert problem.endswith("(line 1)")


def test_a_cell_that_cannot_be_analysed(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that coverage.py can't parse is named with the reason, the others are reported."""
    from ipycov import session_reports

    analysis = session_reports.CellAnalysis

    def refuse(python: str, *rest: Any) -> Any:
        if "odd" in python:
            raise session_reports.NotPython("no, thanks")
        return analysis(python, *rest)

    monkeypatch.setattr(session_reports, "CellAnalysis", refuse)
    driver.run("x = 1")
    driver.run("odd = 1")
    assert driver.missing() == {"In[1]": []}
    assert driver.problems() == ["In[2] is not in the report: it can't be analysed: no, thanks"]


def test_measuring_can_be_off(driver: Driver) -> None:
    """While measuring is off only cells that ask for it are measured."""
    driver.session.measuring = False
    driver.run("x = 1")
    driver.run("x = 2", options=driver.options)
    driver.session.measuring = True
    driver.run("x = 3")
    assert sorted(driver.missing()) == ["In[2]", "In[3]"]


def test_erasing(driver: Driver) -> None:
    """What was measured is forgotten, the cells' functions are not."""
    driver.run("def f():\n    return 1")
    driver.session.erase()
    driver.run("f()")
    assert driver.missing() == {"In[1]": [1], "In[2]": []}


def test_options_can_change(driver: Driver) -> None:
    """What different options measured adds up."""
    driver.run("def f(x):\n    if x:\n        return 1\n    return 2")
    driver.run("f(1)")
    driver.options = Options(config_file=False, core="ctrace", branch=True)
    driver.run("f(0)")
    assert driver.missing()["In[1]"] == []


def test_options_that_are_refused(driver: Driver) -> None:
    """What coverage.py refuses is said once, in one line."""
    driver.options = Options(config_file="/absent/file.ini")
    driver.run("x = 1")
    driver.run("x = 2")
    assert len(driver.said) == 1
    assert driver.said[0].startswith("ipycov: not measured: ")
    assert "\n" not in driver.said[0]
    driver.options = Options(config_file=False)
    driver.run("x = 3")
    assert driver.missing() == {"In[3]": []}


def test_what_one_run_covered(driver: Driver) -> None:
    """A run is reported with what it ran itself and nothing else."""
    driver.run("def f(x):\n    if x:\n        return 1\n    return 2")
    driver.run("f(1)")
    ran = driver.run("f(0)", options=driver.options)
    assert ran is not None
    cov, problems = driver.session.reports.of_run(ran)
    found = {
        cov.reporter(name).relative_filename(): sorted(cov.get_data().lines(name))
        for name in cov.get_data().measured_files()
        if "In[" in name
    }
    assert found == {"In[1]": [2, 4], "In[3]": [1]}
    assert problems == []


def test_what_one_run_covered_after_a_report(driver: Driver) -> None:
    """What a report on everything knows of a cell does not count for a later run of it."""
    driver.run("def f(x):\n    if x:\n        return 1\n    return 2")
    driver.run("f(driver.count)", options=driver.options)
    assert driver.missing()["In[1]"] == [4]
    ran = driver.run("f(0)", options=driver.options)
    assert ran is not None
    cov, _ = driver.session.reports.of_run(ran)
    name = next(name for name in cov.get_data().measured_files() if name.endswith("In[1]"))
    assert sorted(cov.get_data().lines(name)) == [2, 4]
    assert driver.missing()["In[1]"] == []


def test_nothing_is_lost_behind_what_is_untraced(driver: Driver) -> None:
    """A cell that asks for a report is measured to its end, and so is what called it."""
    driver.run(
        "def f():\n"
        "    driver.session.untraced(driver.session.reports.everything)\n"
        "    return 1\n"
        "for i in range(2):\n"
        "    y = f()\n"
        "if y > 1:\n"
        "    z = 2"
    )
    driver.run("f()")
    assert driver.missing() == {"In[1]": [7], "In[2]": []}


def test_a_line_of_a_cell(driver: Driver) -> None:
    """A line is told apart from the rest of its cell, each time it runs."""
    driver.run("def f(x):\n    if x:\n        return 1\n    return 2")
    driver.space["lines"] = lines = []

    def line(x: int) -> None:
        ran = driver.session.begin_line(driver.options)
        try:
            driver.space["f"](x)
        finally:
            driver.session.end_line(ran, resume=True)
        cov, _ = driver.session.reports.of_run(ran)
        name = next(name for name in cov.get_data().measured_files() if name.endswith("In[1]"))
        lines.append(sorted(cov.get_data().lines(name)))

    driver.space["line"] = line
    driver.run("line(0)\nline(1)\nf(0)\nx = 1")
    assert lines == [[2, 4], [2, 3]]
    assert driver.missing() == {"In[1]": [], "In[2]": []}


def test_an_edited_cell_replaces_its_old_self(driver: Driver) -> None:
    """The latest text of an id is reported, under its latest count."""
    driver.run("x = 1", "a")
    driver.run("x = 2\nif x == 3:\n    y = 1", "a")
    assert driver.missing() == {"In[2]": [3]}


def test_a_failure_to_measure_leaves_the_cell_to_run(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When something of ipycov's fails as a cell is compiled, the cell runs, and it is told."""

    def fail(self: Measurement, context: str, *, for_threads: bool = False) -> None:
        raise RuntimeError("no tracer left")

    monkeypatch.setattr(Measurement, "start", fail)
    driver.run("x = 1")
    assert driver.space["x"] == 1
    [said] = driver.said
    assert "RuntimeError: no tracer left" in said
    assert "may not be measured" in said
