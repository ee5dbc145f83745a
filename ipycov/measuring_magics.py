"""`%coverage_start`, `%coverage_stop` and `%coverage_erase`: whether and since when to measure."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class

from ipycov.magic_arguments import no_arguments
from ipycov.session import Session


@magics_class
class MeasuringMagics(Magics):
    """Switches of what measures cells."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    @line_magic
    def coverage_start(self, line: str) -> None:
        """Measure cells again, from the next one on."""
        no_arguments("coverage_start", line)
        self._session.measuring = True

    @line_magic
    def coverage_stop(self, line: str) -> None:
        """Stop measuring cells; what was measured is kept."""
        no_arguments("coverage_stop", line)
        self._session.measuring = False

    @line_magic
    def coverage_erase(self, line: str) -> None:
        """Forget all that was measured so far, in this session and by `ipycov report`."""
        no_arguments("coverage_erase", line)
        self._session.erase()
