"""The cells of its own that nbval runs in a kernel, to measure it for `pytest --nbval --cov`."""

from __future__ import annotations

from typing import Any

from ipycov import coverage_collector

#: What nbval's first cell has in it; see nbval's `_cover5`, which gives no other sign.
_SETUP = ("__cov = coverage.Coverage(", "data_suffix='.nbval'")
_TEARDOWN = "__cov.stop()\n__cov.save()"
_SUFFIX = ".nbval"


class NbvalCells:
    """Tells nbval's own cells from the notebook's, where both come to the same kernel.

    `began` tells whether it has run the first of them.
    """

    def __init__(self, *, began: bool) -> None:
        self._began = began

    def __contains__(self, typed: object) -> bool:
        """Whether a text that is about to run is nbval's: the last only after the first."""
        if not isinstance(typed, str):
            return False
        if all(part in typed for part in _SETUP):
            self._began = True
            return True
        return self._began and typed.strip() == _TEARDOWN


def is_nbvals(cov: Any) -> bool:
    """Whether nbval has made the `Coverage`, to measure the notebook that it runs."""
    return coverage_collector.data_suffix(cov) == _SUFFIX
