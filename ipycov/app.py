"""The command line: `ipycov run`, also as `python -m ipycov run`."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from traitlets import Bool, Float, List, TraitError, Unicode
from traitlets.config import Application
from traitlets.config.loader import ConfigError

from ipycov import __version__, coverage_internals, notebooks, running
from ipycov.errors import BadNotebook, IPyCovError, UnderThreshold
from ipycov.gathering import Gathered
from ipycov.measure import Options
from ipycov.report import Report, ReportingCoverage, ReportOptions, check_writable

OK, CELL_RAISED, FAILED = 0, 1, 2

#: The formats that are written where an option of the same name says.
WRITTEN = ("html", "xml", "json", "lcov", "markdown")


class Usage(IPyCovError):
    """The command line asks for what can't be done."""


class Command(Application):
    """A command of the command line. Wrong usage is one line, and exit code 2."""

    version = __version__

    def parse_command_line(self, argv: Sequence[str] | None = None) -> None:
        """Parse the command line. Raises `Usage` when it is wrong."""
        given = list(sys.argv[1:] if argv is None else argv)
        for at, argument in enumerate([] if given[:1] and given[0] in self.subcommands else given):
            name, _, value = argument.removeprefix("--").partition("=")
            if argument == "--":
                break
            if not argument.startswith("-") or name in self.flags or "." in name:
                continue
            if argument in ("-h", "--help", "--help-all", "--version", "-V"):
                continue
            if name not in self.aliases:
                close = difflib.get_close_matches(name, [*self.aliases, *self.flags], 1)
                hint = f"did you mean --{close[0]}?" if close else f"see {self.name} --help"
                raise Usage(f"there is no option {argument.partition('=')[0]}; {hint}")
            if not value and (at + 1 == len(given) or given[at + 1].startswith("--")):
                raise Usage(f"--{name} needs a value; see {self.name} --help")
        super().parse_command_line(given)

    def exit(self, exit_status: int | str | None = 0) -> None:
        """Leave; what traitlets found wrong with a value is bad usage."""
        sys.exit(FAILED if exit_status else OK)


class RunApp(Command):
    """Run notebooks and report the coverage of their cells and of the modules they import.

    Each notebook runs in its own kernel and directory; the file is left as it is. Exits with 1
    when a cell raised (the report is made all the same), with 2 for bad usage, for a notebook
    that can't be run, and for coverage under --fail-under.
    """

    name = "ipycov run"
    description = Unicode(__doc__)
    log_format = Unicode("ipycov: %(message)s")
    examples = """
    ipycov run analysis.ipynb                     # run it and print the report
    ipycov run *.ipynb --branch --html htmlcov    # branches too, and a site
    """

    branch = Bool(None, allow_none=True, help="Measure branches as well as lines.").tag(config=True)
    source = List(
        Unicode(), help="Directories and packages to measure; cells are always measured."
    ).tag(config=True)
    include = List(Unicode(), help="Patterns of module files to measure.").tag(config=True)
    omit = List(Unicode(), help="Patterns of module files not to measure.").tag(config=True)
    html = Unicode(help="Write the site of coverage.py's HTML report to this directory.").tag(
        config=True
    )
    xml = Unicode(help="Write an XML report to this file.").tag(config=True)
    json = Unicode(help="Write a JSON report to this file.").tag(config=True)
    lcov = Unicode(help="Write an LCOV report to this file.").tag(config=True)
    markdown = Unicode(help="Write a Markdown report to this file.").tag(config=True)
    fail_under = Float(
        None, allow_none=True, help="Exit with 2 when the total is less than this percentage."
    ).tag(config=True)
    timeout = Float(
        None, allow_none=True, help="Seconds that a notebook may take; without it, any time."
    ).tag(config=True)

    aliases = {  # noqa: RUF012 - traitlets declares it so
        name.replace("_", "-"): f"RunApp.{name}"
        for name in (
            *("source", "include", "omit", "html", "xml", "json", "lcov", "markdown"),
            *("fail_under", "timeout"),
        )
    }
    flags = {  # noqa: RUF012 - traitlets declares it so
        "branch": ({"RunApp": {"branch": True}}, "Measure branches as well as lines.")
    }

    def start(self) -> int:  # type: ignore[override]
        """Run the notebooks named on the command line and report; return the exit code."""
        if not self.extra_args:
            raise Usage("name at least one notebook: ipycov run NOTEBOOK ...")
        running.require_runner()
        found = [self._read(path) for path in self.extra_args]
        for format in WRITTEN:
            if path := getattr(self, format):
                check_writable(format, path)
        options = self._options()
        cov = ReportingCoverage(**options.for_reporting().coverage_arguments())
        gathered = Gathered(cov)
        code = OK
        for notebook in found:
            with tempfile.TemporaryDirectory(prefix="ipycov_") as store:
                with _progress(notebook.path) as progress:
                    outcome = running.run(notebook, options, store, progress, self.timeout)
                gathered.add(notebook, store)
            for note in outcome.notes:
                print(f"{notebook.path}: {note}", file=sys.stderr)
            if outcome.error is not None:
                print(f"{notebook.path}: {outcome.error}")
                code = CELL_RAISED
        gathered.touch(_unexecuted(options))
        gathered.expect(package for package in options.source or () if not os.path.isdir(package))
        for problem in gathered.use():
            print(problem, file=sys.stderr)
        reported = self._report(cov)
        return code or reported

    def _read(self, path: str) -> notebooks.Notebook:
        notebook = notebooks.read(path)
        if not notebook.is_python:
            raise BadNotebook(
                f"{path} is a notebook in {notebook.language}, not in Python; leave it out"
            )
        if not notebook.keeps_lines:
            print(
                f"{path}: the file does not keep each source line on a line of its own, so line "
                "numbers count the lines of its code cells",
                file=sys.stderr,
            )
        return notebook

    def _options(self) -> Options:
        """What kernels are to measure: what is asked for here, else what the configuration says.

        Kernels run elsewhere, so that paths are made absolute.
        """
        here = ReportingCoverage()
        config_file = coverage_internals.config_file(here)

        def paths(given: Sequence[str], option: str) -> tuple[str, ...] | None:
            configured = here.get_option(f"run:{option}")
            values = given or (configured if isinstance(configured, list) else ())
            return tuple(_absolute(value, option) for value in values) or None

        return Options(
            branch=self.branch,
            source=paths(self.source, "source"),
            include=paths(self.include, "include"),
            omit=paths(self.omit, "omit"),
            config_file=os.path.abspath(config_file) if config_file else False,
        )

    def _report(self, cov: ReportingCoverage) -> int:
        report = Report(cov, ReportOptions(fail_under=self.fail_under))
        table = report.table()
        print(table.text, end="")
        for format in WRITTEN:
            if path := getattr(self, format):
                written, _ = report.write(format, path)
                print(f"Wrote {format} report to {written}")
        try:
            report.check_threshold(table.percent)
        except UnderThreshold as error:
            print(error)
            return FAILED
        return OK


class IPyCovApp(Command):
    """Coverage for notebooks."""

    name = "ipycov"
    description = "Coverage for notebooks: which lines and branches of the cells have run."
    subcommands = {  # noqa: RUF012 - traitlets declares it so
        "run": (RunApp, "Run notebooks and report their coverage.")
    }

    def start(self) -> int:  # type: ignore[override]
        """Start the command that was named; return the exit code."""
        if self.subapp is None and self.extra_args:
            raise Usage(f"there is no command {self.extra_args[0]!r}; see ipycov --help")
        if self.subapp is None:
            raise Usage(f"say what to do: {', '.join(self.subcommands)}; ipycov --help tells more")
        return int(self.subapp.start() or 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    app = IPyCovApp()
    try:
        app.parse_command_line(list(sys.argv[1:] if argv is None else argv))
        return app.start()
    except (IPyCovError, ConfigError, TraitError) as error:
        print(f"ipycov: {error}", file=sys.stderr)
        return FAILED
    finally:
        type(app).clear_instance()


@contextmanager
def _progress(path: str) -> Iterator[running.Progress]:
    """Show on a terminal how far a notebook has come."""
    from tqdm import tqdm

    with tqdm(desc=path, unit="cell", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _absolute(value: str, option: str) -> str:
    """A path for a kernel that runs elsewhere; packages and patterns stay what they are."""
    if option == "source":
        return os.path.abspath(value) if os.path.isdir(value) else value
    return value if value.startswith(("*", "?")) else os.path.abspath(value)


def _unexecuted(options: Options) -> list[str]:
    """The files under `source` that are reported though no notebook imported them."""
    if not options.source:
        return []
    import coverage

    cov = coverage.Coverage(data_file=None, **options.coverage_arguments())
    cov.start()
    cov.stop()
    return coverage_internals.unexecuted_files(cov)
