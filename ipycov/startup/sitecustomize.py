"""Begins to measure a Python that a measured cell has started, and leaves no trace of itself.

`ipycov.launching` puts this directory before the others of PYTHONPATH for the moment of starting.
Any Python may find it there, of whatever version, with ipycov installed or without.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [each for each in sys.path if each != here]
sys.path_importer_cache.pop(here, None)
told = os.environ.pop("IPYCOV_PROCESS", None)
others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each != here]
if others:
    os.environ["PYTHONPATH"] = os.pathsep.join(others)
else:
    os.environ.pop("PYTHONPATH", None)
if told is not None:
    try:
        from ipycov.launched import begin

        begin(told)
    except Exception:  # noqa: S110  # the user's process comes first
        pass

del sys.modules[__name__]  # for the one that this one stands before
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
