"""`%coverage_live`: keeps one display up to date by the display id protocol."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from ipycov.errors import IPyCovError, NothingMeasured
from ipycov.live import LiveView
from ipycov.magic_arguments import parsed
from ipycov.ran import Ran
from ipycov.report import Report, ReportOptions
from ipycov.reporters import state_of
from ipycov.session import Session
from ipycov.view import Shown


@magics_class
class LiveMagic(Magics):
    """A view of the coverage that follows the cells."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session
        self._view = LiveView()
        self._handle: Any = None

    @magic_arguments()
    @argument("--off", action="store_true", help="End the live view; what it shows stays.")
    @line_magic
    def coverage_live(self, line: str) -> None:
        """Show what is covered, here, and bring it up to date after each cell.

        A row for each cell and module, with what is missed; the total, and its change since the
        last cell. Shown again, it goes on in the new place.
        """
        arguments = parsed(self.coverage_live, line)
        self._handle = None
        if arguments.off:
            return
        self._view = LiveView()
        try:
            self._handle = self._session.untraced(lambda: display(self._shown(), display_id=True))
        except IPyCovError as error:
            raise UsageError(str(error)) from None

    def cell_ended(self, ran: Ran | None) -> None:
        """Bring the view up to date, where one is shown and the outermost cell has ended."""
        if self._handle is None or ran is None or self._session.running:
            return
        labels = [ran.cell.label] if ran.cell is not None and ran.touched else []
        self._handle.update(self._shown(labels))

    def _shown(self, ran: list[str] | None = None) -> Shown:
        try:
            cov, problems = self._session.reports.everything()
        except NothingMeasured:
            return self._view.shown({})
        analyses, states = {}, {}
        for reporter, analysis in Report(cov, ReportOptions()).analysed():
            name = reporter.relative_filename()
            analyses[name], states[name] = analysis, state_of(reporter)
        notes = [*map(str, problems), *self._session.reports.remarks(cov)]
        name, left = self._session.reports.never_run()
        if left:
            cells = "1 cell that has" if left == 1 else f"{left} cells that have"
            notes.append(f"{name} has {cells} not run")
        return self._view.shown(analyses, ran or [], states, notes)
