"""A process that a measured cell has started anew: it measures itself.

It keeps what it covers where the cell's process looks, and says nothing.
"""

from __future__ import annotations

import os
from dataclasses import replace

import coverage

from ipycov import coverage_collector
from ipycov.children import Children
from ipycov.launching import ordered
from ipycov.measure import KnownCells, Measurement
from ipycov.taken import Taken

#: What measures this process, until it ends: nothing else holds it.
_children: list[Children] = []


def begin(order: str) -> None:
    """Begin to measure this process, as `order` says.

    Where coverage.py measures it already, that run of the user's own is left alone.
    """
    if coverage.Coverage.current() is not None:
        return
    options, context, directory = ordered(order)
    measurement = Measurement(options, KnownCells(lambda filename: False, lambda filename: None))
    coverage_collector.silence(measurement.coverage)
    measurement.coverage.set_option("run:relative_files", False)  # relative to what

    def forked() -> bool:
        measurement.begin_child()
        return True

    children = Children(
        forked=forked,
        taken=lambda: [_of_files(taken) for taken in measurement.taken()],
        unlock=measurement.unlock,
        measurement=lambda: measurement,
        directory=directory,
    )
    measurement.start(context)
    children.keep()
    _children.append(children)


def _of_files(taken: Taken) -> Taken:
    """What ran of files that are there: this process may be a kernel, whose cells are in none."""
    files = {name: found for name, found in taken.files.items() if os.path.exists(name)}
    return replace(taken, files=files)
