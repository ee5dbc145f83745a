"""`ipycov doctor`: what would be measured here, how, and what is wrong."""

from __future__ import annotations

import os
import sys

from coverage.exceptions import ConfigError, CoverageException

from ipycov import doctor
from ipycov.app_command import CELL_RAISED, OK, Command, Usage
from ipycov.view import seen
from ipycov.why import Facts, explain


class DoctorApp(Command):
    """Tell what would be measured in this directory, how, and what is wrong, with what to change.

    With a NAME, a module or a path, tell whether it would be measured, and why not. Nothing is run
    and nothing is written. Exits with 1 when there is a problem, or a NAME is not measured.
    """

    name = "ipycov doctor"
    examples = """
    ipycov doctor                      # examine this directory
    ipycov doctor shapes lib/tools.py  # will these be measured?
    """

    def start(self) -> int:  # type: ignore[override]
        """Examine; return the exit code."""
        if not self.extra_args:
            diagnosis = doctor.examine()
            print(seen(diagnosis.text()))
            return CELL_RAISED if diagnosis.troubles else OK
        try:
            facts = Facts(doctor.configured())
        except (ConfigError, CoverageException) as error:
            raise Usage(f"coverage.py refuses its configuration: {error}") from error
        sys.path.insert(0, os.getcwd())  # as in a kernel that starts here
        answers = [explain(name, facts) for name in self.extra_args]
        print(seen("\n".join(map(str, answers))))
        return OK if all(answer.measured for answer in answers) else CELL_RAISED
