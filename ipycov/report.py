"""Reports in every format, written by coverage.py's own reporters.

They take a `Coverage` object and ask it, by methods that are not documented, for the files to
report and their analyses; `ReportingCoverage` answers from results that are in memory.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import ConfigError, CoverageException, NoDataError
from coverage.plugin import FileReporter
from coverage.python import PythonFileReporter
from coverage.report_core import get_analysis_to_report
from coverage.results import Analysis, analysis_from_file_reporter, should_fail_under

from ipycov import coverage_collector, coverage_reports, site
from ipycov.analysis import Exclusions
from ipycov.errors import CannotReport, NothingMeasured, UnderThreshold
from ipycov.reporters import ModuleReporter
from ipycov.results import Results
from ipycov.summary import CELL_NAME, CellsFirst, Table, table

#: The formats of a report, under coverage.py's names of its commands.
FORMATS = ("text", "html", "markdown", "json", "xml", "lcov")

#: The formats of the table, which is printed where no file is named.
PRINTED = ("text", "markdown", "total")

#: Those in which coverage.py narrows nothing to the contexts that its configuration chooses.
_OF_ALL_CONTEXTS = {"xml", "lcov"}

#: The path that stands for the standard output, as for coverage.py.
STDOUT = "-"

#: The files that no report takes the place of.
_SOURCES = {".ipynb", ".py"}

#: The columns that a report can be sorted by, as coverage.py calls them.
COLUMNS = ("name", "stmts", "miss", "branch", "brpart", "cover")


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report, under coverage.py's names. None leaves it to the config file.

    `fail_under` is a percentage, 0 to 100; `precision` the digits after the decimal point.
    """

    show_missing: bool | None = None
    skip_covered: bool | None = None
    sort: str | None = None
    include: tuple[str, ...] | None = None
    omit: tuple[str, ...] | None = None
    fail_under: float | None = None
    show_contexts: bool | None = None
    precision: int | None = None

    def settings(self) -> dict[str, Any]:
        """The settings of coverage.py that say the same."""
        settings: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None:
                continue
            if each.name == "show_contexts":
                settings["html:show_contexts"] = settings["json:show_contexts"] = value
            else:
                if each.name == "skip_covered":
                    settings["html:skip_covered"] = value
                settings[f"report:{each.name}"] = list(value) if type(value) is tuple else value
        return settings


@dataclass(frozen=True)
class Problem:
    """A file that is left out of a report, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} is not in the report: {self.why}"


def unimported(package: str) -> Problem:
    """What to say of a package named as source of which nothing was measured."""
    return Problem(package, f"no module of the source {package!r} was imported while measuring")


class ReportingCoverage(coverage.Coverage):
    """A `Coverage` that measures nothing and reports on `Results`.

    It reads its configuration when it is made: later the kernel may stand elsewhere.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(data_file=None, **arguments)
        self.base = os.getcwd()
        self._results: Results | None = None
        self._reporters: Mapping[str, FileReporter] = {}
        self._modules: dict[str, tuple[Any, FileReporter]] = {}
        self._analyses: dict[str, tuple[FileReporter, Any, Analysis]] = {}
        coverage_collector.load_plugins(self)
        self._configuration = self._configuration_files()

    def use(self, results: Results, reporters: Mapping[str, FileReporter]) -> list[Problem]:
        """Report on `results` from now on; return the files that had to be left out.

        `reporters` answer for files that are no Python modules.
        """
        self._results = self._data = results
        self._reporters = reporters
        problems = []
        for name in list(results.files):
            try:
                self._analyze(name)
            except (CoverageException, ValueError) as error:
                # Python before 3.11.4 has a ValueError for a null byte, which coverage.py lets pass
                problems.append(Problem(self.relative_name(name), str(error)))
                results.leave_out(name)
                self._modules.pop(name, None)  # a parser that failed once fails otherwise next
        return problems

    def configuration_was_edited(self) -> bool:
        """Whether a configuration file was written, or made, since it was looked for."""
        return self._configuration != self._configuration_files()

    def _configuration_files(self) -> dict[str, tuple[int, int] | None]:
        return {path: _stamp(path) for path in self.config.config_files_attempted}

    def analysis_of(self, name: str) -> Analysis:
        """The analysis of the file `name` of the results in use."""
        return self._analyze(name)

    def reporter(self, name: str) -> FileReporter:
        """The reporter for the file `name` of the results in use."""
        if name in self._reporters:
            return self._reporters[name]
        stamp = _stamp(name)
        cached, reporter = self._modules.get(name, (None, None))
        if reporter is None or cached != stamp:
            reporter = self._get_file_reporter(name)
            if type(reporter) is PythonFileReporter:
                reporter = ModuleReporter(name, self)
                reporter.relname = self.relative_name(name)
            self._modules[name] = (stamp, reporter)
        return reporter

    def contexts_of(self, name: str) -> dict[int, set[str]]:
        """The contexts that ran each statement of the file `name`; "" stands for no cell."""
        reporter = self.reporter(name)
        statements: dict[int, set[str]] = {}
        results: Results = self.get_data()
        for line, contexts in results.contexts_of(name).items():
            for statement in reporter.translate_lines([line]):
                statements.setdefault(statement, set()).update(contexts)
        return statements

    @cached_property
    def exclusions(self) -> Exclusions:
        """The exclusions that the configuration names."""
        return coverage_reports.exclusions(self)

    def relative_name(self, filename: str) -> str:
        """What a report calls a file: its path from where the session began."""
        if filename.startswith(self.base.rstrip(os.sep) + os.sep):
            return os.path.relpath(filename, self.base)
        return filename

    def get_data(self) -> Any:
        return self._results if self._results is not None else super().get_data()

    def _prepare_data_for_reporting(self) -> None:
        pass

    def _get_file_reporters(self, morfs: Any = None) -> list[tuple[FileReporter, Any]]:
        # in the order that coverage.py will sort them into, which saves it the comparisons
        return [(self.reporter(name), name) for name in morfs or self.get_data().files]

    def _analyze(self, morf: Any, file_reporter: FileReporter | None = None) -> Analysis:
        precision = self.config.precision
        results: Results = self.get_data()
        reporter = self.reporter(morf)
        # The reporter stands for the text.
        file = results.files[morf]
        version = file.version
        key = (version, file.arcs is None, precision)
        known = self._analyses.get(morf)
        if known is not None and known[0] is reporter and known[1] == key and version >= 0:
            analysis = known[2]
        else:
            data = results.for_file(morf)
            analysis = analysis_from_file_reporter(data, precision, reporter, morf)
            if untold := file.lines_without_arcs():
                told = reporter.translate_lines(file.lines - untold)
                untold = reporter.translate_lines(untold) - told
                analysis = coverage_reports.of_measured_branches(analysis, untold)
            coverage_reports.settle(analysis)
            if version >= 0:
                self._analyses[morf] = (reporter, key, analysis)
        return analysis


class Report:
    """One report over results: rendered to a string or written to a path.

    `notes` are what there is to say of what was written.
    """

    def __init__(self, cov: ReportingCoverage, options: ReportOptions) -> None:
        self._cov = cov
        self.options = options
        self.notes: list[str] = []

    def render(self, format: str) -> tuple[str, float]:
        """Return a text or markdown report, or a total, and the total percentage."""
        with self._configured(format):
            out = io.StringIO()
            total = CellsFirst(self._cov).report(None, outfile=out)
        return out.getvalue(), total

    def format(self) -> str:
        """What the configuration makes of the table: text, markdown, or total for a mere number.

        Raises `CannotReport` for another.
        """
        format = str(self._cov.get_option("report:format") or "text")
        if format not in PRINTED:
            raise CannotReport(f"Unknown report format choice: {format!r}")
        return format

    def table(self) -> Table:
        """The summary of the text report."""
        with self._configured("text"):
            return table(CellsFirst(self._cov))

    def in_html(
        self, analysed: Iterable[tuple[FileReporter, Analysis]]
    ) -> list[tuple[FileReporter, Analysis]]:
        """Those of the files that were `analysed` whose sources html shows."""
        with self._configured():
            return [each for each in analysed if not site.is_skipped(self._cov, each[1].numbers)]

    def shows_contexts(self) -> bool:
        """Whether html tells which cells ran each line."""
        with self._configured():
            return bool(self._cov.get_option("html:show_contexts"))

    def analysed(self) -> list[tuple[FileReporter, Analysis]]:
        """The reporters and analyses of the files that the options leave in the report."""
        with self._configured("text"):
            return list(get_analysis_to_report(self._cov, None))

    def write(self, format: str, path: str | None) -> tuple[str, float]:
        """Write a report and return where to, and the total percentage.

        `path` is a file, `STDOUT`, or for html a directory; None takes coverage.py's default. A
        report that fails leaves what was there before.

        Raises `CannotReport` when the file can't be written.
        """
        target = Path(path or self._default_path(format)).expanduser()
        try:
            if format == "html":
                return str(target), self._write_site(target)
            if target.is_dir():
                raise CannotReport(f"{target} is a directory; name a file to write to")
            _check_no_source(target)
            return str(target), self._write_file(format, target)
        except OSError as error:
            why = error.strerror or str(error)
            if isinstance(error, FileExistsError):
                why = f"{error.filename} is a file, not a directory"
            raise CannotReport(f"can't write {target}: {why}; choose another path") from error

    def total(self) -> float:
        """The total percentage, 0 to 100."""
        return self.render("total")[1]

    def check_threshold(self, total: float) -> None:
        """Raise `UnderThreshold` when `total` is less than fail_under asks for."""
        with self._configured():
            fail_under = self._cov.get_option("report:fail_under")
            precision = int(self._cov.get_option("report:precision") or 0)  # type: ignore[arg-type]
            if fail_under and should_fail_under(total, float(fail_under), precision):  # type: ignore[arg-type]
                said = coverage_reports.under_threshold(total, float(fail_under), precision)  # type: ignore[arg-type]
                raise UnderThreshold(f"Coverage failure: {said}")

    def _write_site(self, target: Path) -> float:
        with self._configured("html"):
            if not site.has_jinja():
                self.notes.append(site.WITHOUT_JINJA)
                return self._cov.html_report(directory=str(target))
            return site.write(self._cov, list(get_analysis_to_report(self._cov, None)), target)

    def _write_file(self, format: str, target: Path) -> float:
        printed = str(target) == STDOUT
        # a device or a pipe is never replaced
        special = printed or (target.exists() and not target.is_file())
        if not special:
            target = target.resolve()  # what a link points to is replaced, not the link
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = None if special else target.parent
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=beside)
        os.close(handle)
        try:
            if format in PRINTED:
                text, total = self.render(format)
                Path(name).write_text(text, encoding="utf-8")
            else:
                with self._configured(format):
                    method = getattr(self._cov, f"{format}_report")
                    total = method(outfile=name)
            if printed:
                print(Path(name).read_text(encoding="utf-8"))
            elif special:
                target.write_bytes(Path(name).read_bytes())
            else:
                shutil.copymode(target, name) if target.exists() else os.chmod(name, 0o644)
                os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
        return float(total)

    def _default_path(self, format: str) -> str:
        option = {"html": "html:directory"}.get(format, f"{format}:output")
        if format in PRINTED:
            raise CannotReport(f"say where to write the {format} report with -o PATH")
        return str(self._cov.get_option(option))

    @contextmanager
    def _configured(self, format: str = "") -> Iterator[None]:
        """Have this report's options in the configuration, and coverage.py's errors as ours.

        Where a `format` is made, the results are of the contexts that it is on.
        """
        settings = self.options.settings()
        if format in PRINTED:
            settings["report:format"] = format
        for name in ("report:include", "report:omit"):
            patterns: Any = settings.get(name, self._cov.get_option(name))
            settings[name] = [CELL_NAME.sub(r"In?\1?\2", pattern) for pattern in patterns or ()]
        before = {name: self._cov.get_option(name) for name in settings}
        contexts = None if format in _OF_ALL_CONTEXTS else self._cov.config.report_contexts
        for name, value in settings.items():
            self._cov.set_option(name, value)
        try:
            if format:
                self._cov.get_data().set_query_contexts(contexts)
            yield
        except NoDataError as error:
            raise NothingMeasured(
                "nothing to report: no cell was measured yet, or --include and --omit leave none"
            ) from error
        except (CoverageException, ConfigError) as error:
            raise CannotReport(str(error)) from error
        finally:
            for name, value in before.items():
                self._cov.set_option(name, value)


def _stamp(filename: str) -> tuple[int, int] | None:
    try:
        status = os.stat(filename)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _check_no_source(target: Path) -> None:
    """Raise `CannotReport` where a report would be written over a notebook or a module."""
    if target.suffix in _SOURCES and target.is_file():
        raise CannotReport(f"{target} is no report and is not written over; choose another path")


def check_writable(format: str, path: str, what: str = "") -> None:
    """Raise `CannotReport` when a report can't be written to `path`; write nothing there.

    `what` is to be written, if it is something else than a report.
    """
    target = Path(path).expanduser()
    if format != "html":
        if path == STDOUT:
            return
        _check_no_source(target)
    if format == "html" and target.exists() and not target.is_dir():
        what = what or f"the {format} report"
        raise CannotReport(f"{path} is a file; name a directory for {what}")
    if format != "html" and target.is_dir():
        raise CannotReport(f"{path} is a directory; name a file for the {format} report")
    directory = target if target.is_dir() else target.parent
    while not directory.exists():
        directory = directory.parent
    if target.exists() and not target.is_file() and not target.is_dir():
        return  # a device or a pipe
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise CannotReport(
            f"can't write {path}: {error.strerror or error}; choose another path"
        ) from error
