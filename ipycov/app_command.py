"""What the commands share: parsing that says what is wrong in one line, and reporting."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from traitlets import Bool, Container, Float, Int, TraitError, Unicode, default
from traitlets.config import Application

from ipycov import __version__
from ipycov.errors import IPyCovError, UnderThreshold
from ipycov.folding import NotebookReporter
from ipycov.report import (
    COLUMNS,
    STDOUT,
    Report,
    ReportingCoverage,
    ReportOptions,
    check_writable,
)
from ipycov.view import seen

OK, CELL_RAISED, FAILED = 0, 1, 2

#: What shells give for a command that an interrupt, or a SIGTERM, ended.
INTERRUPTED, TERMINATED = 130, 143

#: The letters that switches have besides their names, as with coverage.py.
SHORT = {"show_missing": "m"}

#: The formats that are written where an option of the same name says.
WRITTEN = ("html", "xml", "json", "lcov", "markdown")


class Usage(IPyCovError):
    """The command line asks for what can't be done."""


class Command(Application):
    """A command of the command line. Wrong usage is one line, and exit code 2."""

    version = __version__
    log_format = Unicode("ipycov: %(message)s")

    @default("description")
    def _description_of_class(self) -> str:
        return type(self).__doc__ or ""

    def parse_command_line(self, argv: Sequence[str] | None = None) -> None:
        """Parse the command line. Raises `Usage` when it is wrong."""
        given = list(sys.argv[1:] if argv is None else argv)
        once: set[str] = set()
        for at, argument in enumerate([] if given[:1] and given[0] in self.subcommands else given):
            name, sign, value = argument.lstrip("-").partition("=")
            if argument == "--":
                break
            if argument.startswith("--") and name in self.flags and "=" in argument:
                raise Usage(f"--{name} takes no value; see {self.name} --help")
            if not argument.startswith("-") or name in self.flags or "." in name:
                continue
            if re.fullmatch(r"-\d+", argument):
                continue  # the value of the option before it
            if argument in ("-h", "--help", "--help-all", "--version", "-V"):
                continue
            if name not in self.aliases:
                close = difflib.get_close_matches(name, [*self.aliases, *self.flags], 1)
                dashes = "-" if close and len(close[0]) == 1 else "--"
                hint = f"did you mean {dashes}{close[0]}?" if close else f"see {self.name} --help"
                raise Usage(f"there is no option {argument.partition('=')[0]}; {hint}")
            if not value and (at + 1 == len(given) or given[at + 1].startswith("--")):
                raise Usage(f"--{name} needs a value; see {self.name} --help")
            if name in once and not isinstance(self._trait(name), Container):
                raise Usage(f"--{name} is given twice; give it once")
            once.add(name)
            self._check_value(argument.partition("=")[0], value if sign else given[at + 1])
        super().parse_command_line(given)

    def _trait(self, name: str) -> Any:
        """The trait that an option sets."""
        return type(self).class_traits()[self.aliases[name].rpartition(".")[2]]

    def _check_value(self, option: str, value: str) -> None:
        """Raise `Usage` where the trait that an option sets can't have this value."""
        trait = self._trait(option.lstrip("-"))
        if isinstance(trait, Int | Float):
            try:
                trait._validate(self, trait.from_string(value))
            except (TraitError, ValueError):
                raise Usage(f"{option} can't be {value}: {trait.help}") from None

    def exit(self, exit_status: int | str | None = 0) -> None:
        """Leave; what traitlets found wrong with a value is bad usage."""
        sys.exit(FAILED if exit_status else OK)


class ReportingCommand(Command):
    """A command that ends with a report."""

    html = Unicode(help="Write a site to this directory, with a page for each notebook.").tag(
        config=True
    )
    xml = Unicode(help="Write an XML report to this file.").tag(config=True)
    json = Unicode(help="Write a JSON report to this file.").tag(config=True)
    lcov = Unicode(help="Write an LCOV report to this file.").tag(config=True)
    markdown = Unicode(help="Write a Markdown report to this file.").tag(config=True)
    fail_under = Float(
        None,
        min=0,
        max=100,
        allow_none=True,
        help="Exit with 2 when the total is less than this percentage, 0 to 100.",
    ).tag(config=True)
    show_missing = Bool(None, allow_none=True, help="List the lines that were missed.").tag(
        config=True
    )
    skip_covered = Bool(
        None, allow_none=True, help="Leave out files with 100 percent coverage."
    ).tag(config=True)
    show_contexts = Bool(
        None, allow_none=True, help="Tell in html and json which cells ran each line, as In[n]."
    ).tag(config=True)
    sort = Unicode(
        None, allow_none=True, help="Sort by name, stmts, miss, branch, brpart or cover."
    ).tag(config=True)
    precision = Int(
        None, min=0, max=100, allow_none=True, help="Digits after the decimal point, up to 100."
    ).tag(config=True)

    #: The options that take a value, and the switches, of every report.
    reporting_aliases = (*WRITTEN, "fail_under", "sort", "precision")
    reporting_flags = ("show_missing", "skip_covered", "show_contexts")

    def check_targets(self) -> None:
        """Raise `IPyCovError` when a report can't be made or written as it is asked for."""
        if self.sort is not None and self.sort.lstrip("+-").lower() not in COLUMNS:
            raise Usage(f"there is no column {self.sort!r}; choose from {', '.join(COLUMNS)}")
        targets: dict[Path, str] = {}
        for format in WRITTEN:
            if path := getattr(self, format):
                check_writable(format, path)
                other = targets.setdefault(Path(path).expanduser().absolute(), format)
                if other != format:
                    raise Usage(f"--{other} and --{format} name the same {path}; name two")

    def report(
        self,
        cov: ReportingCoverage,
        notes: Iterable[str] = (),
        include: tuple[str, ...] = (),
        omit: tuple[str, ...] = (),
    ) -> int:
        """Print and write the reports that are asked for; return the exit code.

        `notes` are lines for below them; `include` and `omit` patterns of the files in them.
        """
        options = ReportOptions(
            include=include or None,
            omit=omit or None,
            show_missing=self.show_missing,
            skip_covered=self.skip_covered,
            sort=self.sort,
            precision=self.precision,
            fail_under=self.fail_under,
            show_contexts=self.show_contexts,
        )
        report = Report(cov, options)
        table, printed = report.table(), report.format()
        print(seen(table.text if printed == "text" else report.render(printed)[0]))
        beside = sys.stderr if printed == "total" else sys.stdout
        configured = cov.get_option("report:show_missing")
        if configured if self.show_missing is None else self.show_missing:
            for reporter, analysis in report.analysed():
                if isinstance(reporter, NotebookReporter):
                    for line in reporter.missing_by_cell(analysis.executed):
                        print(seen(line), file=beside)
        for format in WRITTEN:
            if path := getattr(self, format):
                written, _ = report.write(format, path)
                if written != STDOUT:
                    print(seen(f"Wrote {format} report to {written}"), file=beside)
        for note in [*report.notes, *notes]:
            print(seen(note), file=beside)
        try:
            report.check_threshold(table.percent)
        except UnderThreshold as error:
            print(seen(str(error)), file=beside)
            return FAILED
        return OK


def aliases_for(command: str, *traits: str) -> dict[str, str]:
    """Options of a command, each with the trait that it sets."""
    return {name.replace("_", "-"): f"{command}.{name}" for name in traits}


def flags_for(
    command: type[Command], name: str, *traits: str
) -> dict[str, tuple[dict[str, dict[str, bool]], str]]:
    """Switches of a command, each with the trait that it sets to true."""
    flags: dict[str, tuple[dict[str, dict[str, bool]], str]] = {}
    for trait in traits:
        flag = {name: {trait: True}}, command.class_traits()[trait].help
        flags |= dict.fromkeys((trait.replace("_", "-"), *SHORT.get(trait, ())), flag)
    return flags
