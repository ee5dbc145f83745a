"""Reports over results that are in memory, written by coverage.py's own reporters."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ipycov.analysis import CellAnalysis
from ipycov.cells import Cell
from ipycov.errors import CannotReport, NothingMeasured, UnderThreshold
from ipycov.report import FORMATS, Problem, Report, ReportingCoverage, ReportOptions
from ipycov.reporters import CellReporter
from ipycov.results import ReportedFile, Results

TEXT = "x = 1\nif x == 2:\n    y = 1"


class Reported:
    """Cells and modules with what ran of them, ready for a report."""

    def __init__(self, base: Path) -> None:
        self.cov = ReportingCoverage(config_file=False)
        self.base = base
        self.files: list[ReportedFile] = []
        self.reporters: dict[str, Any] = {}

    def cell(self, count: int, ran: set[int], arcs: Any = None, nested: int = 0) -> None:
        cell = Cell(f"/nowhere/{count}_{nested}.py", TEXT, count=count, nested=nested)
        analysis = CellAnalysis(TEXT, cell.label, self.cov.exclusions)
        reporter = CellReporter(cell, str(self.base), analysis)
        self.reporters[reporter.filename] = reporter
        self.files.append(ReportedFile(reporter.filename, ran, arcs, cell.filename, 1))

    def module(self, name: str, text: str, ran: set[int], arcs: Any = None) -> Path:
        path = self.base / name
        path.write_text(text)
        self.files.append(ReportedFile(str(path), ran, arcs, str(path), 1))
        return path

    def report(self, **options: Any) -> Report:
        self.problems = self.cov.use(
            Results(self.files, [], lambda file, line: [line]), self.reporters
        )
        return Report(self.cov, ReportOptions(**options))


@pytest.fixture
def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reported:
    monkeypatch.chdir(tmp_path)
    return Reported(Path(os.getcwd()))


def test_order(reported: Reported) -> None:
    """Cells come first, by count, cells that they ran after them, then the modules."""
    for count, nested in ((10, 0), (2, 0), (2, 2), (2, 1), (1, 0)):
        reported.cell(count, {1, 2}, nested=nested)
    reported.module("A.py", "x = 1\n", {1})
    reported.module("z.py", "x = 1\n", {1})
    names = ["In[1]", "In[2]", "In[2].1", "In[2].2", "In[10]", "A.py", "z.py"]
    report = reported.report()
    assert [row[0] for row in report.table().rows] == names
    assert [reporter.relative_filename() for reporter, _ in report.analysed()] == names
    text, _ = report.render("markdown")
    shown = [line.split()[1].replace("\\", "") for line in text.splitlines()[2:-1]]
    assert shown == names


def test_the_table(reported: Reported) -> None:
    """The table has coverage.py's columns, a total, and the percentage."""
    reported.cell(1, {1, 2})
    reported.module("a.py", "x = 1\n", {1})
    table = reported.report(show_missing=True).table()
    assert table.header == ["Name", "Stmts", "Miss", "Cover", "Missing"]
    assert table.rows == [["In[1]", "3", "1", "67", "3"], ["a.py", "1", "0", "100", ""]]
    assert table.total[:4] == ["TOTAL", "4", "1", "75"]
    assert table.percent == 75.0


def test_sorting(reported: Reported) -> None:
    """Sorting by a column is coverage.py's own, cells and modules together."""
    reported.cell(1, {1, 2})
    reported.module("a.py", "x = 1\ny = 1\n", {1})
    reported.module("b.py", "x = 1\n", {1})
    assert [row[0] for row in reported.report(sort="cover").table().rows] == [
        "a.py",
        "In[1]",
        "b.py",
    ]
    assert [row[0] for row in reported.report(sort="-cover").table().rows] == [
        "b.py",
        "In[1]",
        "a.py",
    ]


def test_options_hold_for_one_report(reported: Reported) -> None:
    """An option of a report is gone with the next."""
    reported.cell(1, {1, 2})
    assert "66.67%" in reported.report(precision=2).table().text
    assert "67%" in reported.report().table().text


def test_a_failed_report_leaves_the_options(reported: Reported) -> None:
    """An option of a report that fails is gone too."""
    reported.cell(1, {1, 2})
    with pytest.raises(NothingMeasured):
        reported.report(omit=("*",)).table()
    assert len(reported.report().table().rows) == 1


@pytest.mark.parametrize("arcs", [None, {(-1, 1), (1, 2), (2, -1)}])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format(reported: Reported, format: str, arcs: Any) -> None:
    """Every format writes cells beside modules, where the branches of some are not known."""
    reported.cell(1, {1, 2}, arcs)
    reported.module("a.py", TEXT, {1, 2}, None)
    path, total = reported.report().write(format, "out")
    assert path == "out"
    assert round(total) == (67 if arcs is None else 62)
    assert (reported.base / "out").exists()


def test_branches_of_one_file(reported: Reported) -> None:
    """A file whose branches were not measured has none, beside one that has."""
    reported.cell(1, {1, 2}, {(-1, 1), (1, 2), (2, -1)})
    reported.module("a.py", TEXT, {1, 2}, None)
    reported.report().write("json", "out.json")
    files = json.loads((reported.base / "out.json").read_text())["files"]
    assert files["In[1]"]["missing_branches"] == [[2, 3]]
    assert files["a.py"]["missing_branches"] == []
    assert files["a.py"]["summary"]["num_branches"] == 0


@pytest.mark.parametrize("text", [None, "def (:", "\x00"])
def test_a_module_that_is_gone(reported: Reported, text: str | None) -> None:
    """A module that can't be read is a problem with a name, again and again."""
    reported.cell(1, {1, 2})
    path = reported.module("gone.py", "x = 1\n", {1})
    path.unlink()
    if text is not None:
        path.write_text(text)
    for _ in range(2):
        report = reported.report()
        assert [problem.name for problem in reported.problems] == ["gone.py"]
        assert [row[0] for row in report.table().rows] == ["In[1]"]


def test_a_module_that_changes(reported: Reported) -> None:
    """A module is read again when its file has changed."""
    path = reported.module("a.py", "x = 1\n", {1})
    assert reported.report().table().percent == 100
    path.write_text("x = 1\nyy = 2\n")
    assert reported.report().table().percent == 50


def test_names_are_relative_to_the_start(
    reported: Reported, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module is called by its path from where the session began, or in full elsewhere."""
    reported.module("a.py", "x = 1\n", {1})
    there = tmp_path_factory.mktemp("elsewhere") / "b.py"
    there.write_text("x = 1\n")
    reported.files.append(ReportedFile(str(there), {1}, None, str(there), 1))
    monkeypatch.chdir(there.parent)
    names = {row[0] for row in reported.report().table().rows}
    assert names == {"a.py", str(there)}


#: a total in percent, fail_under, precision, and whether it fails
THRESHOLDS = [
    (66.67, 67.0, None, False),
    (66.4, 67.0, None, True),
    (66.67, 66.7, 1, False),
    (66.67, 66.7, 2, True),
    (99.99, 100.0, None, True),
    (100.0, 100.0, None, False),
    (0.0, 0.0, None, False),
]


@pytest.mark.parametrize(("total", "fail_under", "precision", "fails"), THRESHOLDS)
def test_thresholds(
    reported: Reported, total: float, fail_under: float, precision: int | None, fails: bool
) -> None:
    """A total fails under its threshold as in coverage.py, after it was rounded."""
    report = reported.report(fail_under=fail_under, precision=precision)
    if not fails:
        report.check_threshold(total)
        return
    with pytest.raises(UnderThreshold, match=f"fail-under={fail_under:g}"):
        report.check_threshold(total)


#: where a report can't be written, and what is said
UNWRITABLE = [
    ("file/report", "file is a file, not a directory"),
    (".", "is a directory"),
    ("/dev/full", "No space left"),
]


@pytest.mark.parametrize(("path", "said"), UNWRITABLE)
@pytest.mark.parametrize("format", [name for name in FORMATS if name != "html"])
def test_what_cannot_be_written(reported: Reported, format: str, path: str, said: str) -> None:
    """A report that can't be written says why and what to do, and leaves nothing behind."""
    (reported.base / "file").write_text("")
    reported.cell(1, {1, 2})
    with pytest.raises(CannotReport, match=said):
        reported.report().write(format, path)
    assert [each.name for each in reported.base.iterdir()] == ["file"]


@pytest.mark.parametrize("path", ["file", "file/site"])
def test_a_site_that_cannot_be_written(reported: Reported, path: str) -> None:
    """A site is not written where a file stands."""
    (reported.base / "file").write_text("")
    reported.cell(1, {1, 2})
    with pytest.raises(CannotReport, match="file"):
        reported.report().write("html", path)


def test_home(reported: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin at home."""
    monkeypatch.setenv("HOME", str(reported.base))
    reported.cell(1, {1, 2})
    reported.report().write("json", "~/r.json")
    assert (reported.base / "r.json").exists()


def test_a_problem_in_words() -> None:
    """A problem says which file is left out, and why."""
    assert str(Problem("a.py", "no source")) == "a.py is not in the report: no source"
