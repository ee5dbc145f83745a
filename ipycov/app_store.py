"""`ipycov report`, `combine` and `erase`: what live sessions have stored."""

from __future__ import annotations

import sys

from traitlets import List, Unicode

from ipycov import notebook_data, store
from ipycov.app_command import (
    Command,
    ReportingCommand,
    Usage,
    aliases_for,
    flags_for,
)
from ipycov.errors import CannotReport, IPyCovError, NothingMeasured
from ipycov.gathering import Gathered
from ipycov.options import Options, separated
from ipycov.report import ReportingCoverage
from ipycov.view import seen


class ReportApp(ReportingCommand):
    """Report what live sessions have stored, by notebook and module.

    PATH is the directory that they ran or stored it in, .ipycov where none is named. Cells that
    are in no notebook on disk are listed by their number.
    """

    name = "ipycov report"
    examples = "ipycov report --html htmlcov"

    include = List(Unicode(), help="Report only files like this.").tag(config=True)
    omit = List(Unicode(), help="Leave out files like this.").tag(config=True)

    aliases = aliases_for("ReportApp", "include", "omit", *ReportingCommand.reporting_aliases)

    def start(self) -> int:  # type: ignore[override]
        """Report; return the exit code."""
        self.check_targets()
        cov = ReportingCoverage()
        gathered = Gathered(cov)
        for path in self.extra_args or [store.DIRECTORY]:
            gathered.add_store(store.holding(path))
        if not gathered.is_empty:
            gathered.add_unexecuted(Options())
        for problem in gathered.use():
            print(seen(str(problem)), file=sys.stderr)
        if gathered.is_empty:
            raise NothingMeasured("nothing to report: the sessions there measured nothing")
        return self.report(cov, gathered.notes, separated(self.include), separated(self.omit))


ReportApp.flags = flags_for(ReportApp, "ReportApp", *ReportingCommand.reporting_flags)


class CombineApp(Command):
    """Put what live sessions have stored into coverage.py's data file, beside what is there.

    PATH is the directory that they ran or stored it in, .ipycov where none is named. The data file
    is the one that coverage.py's configuration names. What was stored stays, until `ipycov erase`.
    """

    name = "ipycov combine"
    examples = "ipycov combine && coverage report"

    def start(self) -> int:  # type: ignore[override]
        """Combine; return the exit code."""
        cov = ReportingCoverage()
        plugins = cov.get_option("run:plugins")
        if not isinstance(plugins, list) or "ipycov" not in plugins:
            raise Usage(
                "coverage.py could not report on the notebooks: add 'plugins = ipycov' to [run] in "
                "its configuration file, then combine"
            )
        data_file = str(cov.get_option("run:data_file"))
        refused: list[CannotReport] = []
        for path in map(store.holding, self.extra_args or [store.DIRECTORY]):
            for session in store.read(path):
                if isinstance(session, IPyCovError):
                    print(seen(str(session)), file=sys.stderr)
                else:
                    if session.cut_off:
                        print(
                            f"the end of {session.path} is left out: it is cut off", file=sys.stderr
                        )
                    try:
                        notebook_data.combine(session, path, data_file, cov)
                    except CannotReport as error:
                        refused.append(error)
        for each in refused[1:]:
            print(seen(f"ipycov: {each}"), file=sys.stderr)
        if refused:
            raise refused[0]
        print(f"Combined into {data_file}")
        return 0


class EraseApp(Command):
    """Remove what live sessions have stored.

    PATH is the directory that they ran or stored it in, .ipycov where none is named. Files that
    are not of ipycov's making stay.
    """

    name = "ipycov erase"
    examples = "ipycov erase"

    def start(self) -> int:  # type: ignore[override]
        """Erase; return the exit code."""
        for path in self.extra_args or [store.DIRECTORY]:
            store.erase(store.holding(path))
        return 0
