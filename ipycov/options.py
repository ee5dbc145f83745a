"""What to measure and how, and the core that is chosen for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Options:
    """What to measure and how, under coverage.py's names. None leaves it to the config file."""

    branch: bool | None = None
    source: tuple[str, ...] | None = None
    include: tuple[str, ...] | None = None
    omit: tuple[str, ...] | None = None
    concurrency: tuple[str, ...] | None = None
    cover_pylib: bool | None = None
    timid: bool | None = None
    core: str | None = None
    config_file: str | bool = True

    def for_reporting(self) -> Options:
        """The options for a report on what was measured with these.

        What to measure chooses among modules; a report leaves nothing out for it.
        """
        return Options(branch=self.branch, config_file=self.config_file)

    def coverage_arguments(self) -> dict[str, Any]:
        """The arguments of `coverage.Coverage` that say the same."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        del given["core"]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value is not None
        }


def chosen_core(option: Callable[[str], Any], asked: str | None = None) -> tuple[str | None, bool]:
    """The fastest core that measures what is asked for, and whether it is sys.monitoring.

    `option` gives the value of an option of coverage.py's `[run]`; `asked` wins over it. None
    leaves the choice to coverage.py, which is the C trace function where there is one.
    """
    core = asked or option("core") or os.environ.get("COVERAGE_CORE")
    can_monitor = sys.version_info >= (3, 14) or (
        sys.version_info >= (3, 12) and not option("branch")
    )
    threads_only = set(option("concurrency") or ["thread"]) <= {"thread", "multiprocessing"}
    if option("timid"):
        core = "pytrace"
    elif core is None and can_monitor and threads_only:
        core = "sysmon"
    return core, core == "sysmon" and can_monitor and threads_only


def separated(given: Iterable[str]) -> tuple[str, ...]:
    """The values of an option that were given one by one, or with commas between."""
    return tuple(each for value in given for each in value.split(",") if each)
