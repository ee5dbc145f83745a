"""The errors that ipycov's users meet. Each message says what happened and what to do."""

from __future__ import annotations


class IPyCovError(Exception):
    """Something that the user can put right; its message is all they need to see."""


class NothingMeasured(IPyCovError):
    """A report was asked for before anything was measured."""


class CannotReport(IPyCovError):
    """A report could not be made or written."""


def refusal(error: Exception) -> str:
    """Why coverage.py could not be set up, in words that say what to do."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # of os.getcwd
        return "the current directory is gone: go to another with %cd"
    return str(error)


class BadNotebook(IPyCovError):
    """A file that is no notebook, or not one that can be measured."""


class MissingExtra(IPyCovError):
    """A package is needed that only one of ipycov's extras installs."""


class UnderThreshold(IPyCovError):
    """The coverage is below what `--fail-under` demands."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]
