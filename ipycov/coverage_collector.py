"""What coverage.py collects while it measures, and where it puts it.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import coverage
import coverage.collector
from coverage import CoverageData
from coverage.exceptions import ConfigError

from ipycov.coverage_files import always_measure
from ipycov.coverage_tracers import join_lineless_arcs


def prepare(cov: coverage.Coverage) -> None:
    """Let a `cov` that was never started decide on files, without measuring anything."""
    if cov._inorout is None:
        cov._init()
        with _noting_no_origin():
            cov._init_for_start()
        cov._inited_for_start = True


_collector_module: Any = coverage.collector
_short_stack = getattr(_collector_module, "short_stack", None)


@contextmanager
def _noting_no_origin() -> Iterator[None]:
    """Let a collector not note where it was made, as coverage.py does for those who debug it.

    It would read the source of each frame on the stack: some 40 ms, and over a MiB in `linecache`.
    """
    _collector_module.short_stack = lambda *args, **kwargs: ""
    try:
        yield
    finally:
        _collector_module.short_stack = _short_stack


def load_plugins(cov: coverage.Coverage) -> CoverageData:
    """Load the plugins that the configuration of `cov` names; return its data.

    Raises `ConfigError` where one can't be imported, which coverage.py lets through as it comes.
    """
    try:
        return coverage.Coverage.get_data(cov)
    except ImportError as error:
        raise ConfigError(
            f"[run] plugins: {error}; install it where the cells run, or take it out"
        ) from error


def coverage_being_configured(frame: FrameType) -> coverage.Coverage | None:
    """The `Coverage` that calls a plugin's `configure` from `frame`.

    A plugin is told the configuration and nothing else, but which data is saved where, and what
    the options leave out, the `Coverage` alone knows.
    """
    caller = frame.f_locals.get("self")
    return caller if isinstance(caller, coverage.Coverage) else None


def after_saving(cov: coverage.Coverage, call: Callable[[coverage.Coverage], None]) -> None:
    """Call `call` where `cov` adds the files to its data that could have run and did not.

    coverage.py asks file tracer plugins for such files, and no others.
    """
    original = cov._post_save_work

    def post_save_work() -> None:
        collector: Any = cov._collector
        if collector is not None and isinstance(collector.covdata, Put):
            collector.covdata.choose(branch=bool(collector.branch))
        original()
        call(cov)

    cov._post_save_work = post_save_work  # type: ignore[method-assign]


def put_collected(
    cov: coverage.Coverage,
    is_cell: Callable[[str], bool],
    put: Callable[[CoverageData, Mapping[str, Any], bool], None],
) -> None:
    """Measure cells with `cov`, and have `put` put what it collects into its data.

    `put` is given the data, lines or arcs by filename, and whether they are arcs. coverage.py lets
    plugins translate what a file tracer has seen, and when it reports, but not what goes into its
    data.
    """
    original = cov._init_for_start

    def init_for_start() -> None:
        original()
        always_measure(cov, is_cell)
        put_from_now_on(cov, put)

    cov._init_for_start = init_for_start  # type: ignore[method-assign]


def put_from_now_on(
    cov: coverage.Coverage, put: Callable[[CoverageData, Mapping[str, Any], bool], None]
) -> None:
    """Have `put` put what a `cov` that was started collects into its data."""
    collector: Any = cov._collector
    collector.covdata = Put(collector.covdata, put)


def context_of(cov: coverage.Coverage) -> str:
    """The context that `cov` measures in: it can be told one, and not asked for it."""
    return getattr(cov._data, "_current_context", None) or ""


class Put:
    """Stands before the data of a collector, and lets another put there what was collected."""

    def __init__(
        self,
        data: CoverageData,
        put: Callable[[CoverageData, Mapping[str, Any], bool], None],
    ) -> None:
        self._data = data
        self._put = put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def choose(self, *, branch: bool) -> None:
        """Have the data hold lines or arcs, though it has none yet: files can be touched then."""
        (self._data.add_arcs if branch else self._data.add_lines)({})

    def add_lines(self, found: Mapping[str, Iterable[Any]]) -> None:
        self._put(self._data, found, False)

    def add_arcs(self, found: Mapping[str, Iterable[Any]]) -> None:
        self._put(self._data, found, True)


def data_suffix(cov: coverage.Coverage) -> object:
    """The `data_suffix` that `cov` was made with, which its data file is not named by before."""
    return cov._data_suffix_specified


def is_on_disk(data: CoverageData) -> bool:
    """Whether `data` has a file."""
    return not data._no_disk


def take(cov: coverage.Coverage) -> dict[str, set[Any]]:
    """Take what `cov` has collected out of it: by filename, lines, or arcs where it has branches.

    coverage.py puts it into its database, which takes several times as long as a small cell does.
    """
    collector: Any = cov._collector
    if collector is None:
        return {}
    return _take(collector)


def take_as_named(collector: Any) -> dict[str, set[Any]]:
    """Take what `collector` has collected out of it, by the names that are in the code."""
    collector.cached_mapped_file = lambda name: name
    try:
        return _take(collector)
    finally:
        del collector.cached_mapped_file


def _take(collector: Any) -> dict[str, set[Any]]:
    if sys.version_info >= (3, 14) and collector.tracer_name() == "PyTracer":
        for found in collector.data.copy().values():
            join_lineless_arcs(found)
    own, collector.covdata = collector.covdata, Caught()
    try:
        type(collector).flush_data(collector)
        caught: dict[str, set[Any]] = collector.covdata.files
    finally:
        collector.covdata = own
    return caught


class Caught:
    """Stands where coverage.py puts what it has collected, and keeps it as it comes."""

    def __init__(self) -> None:
        self.files: dict[str, set[Any]] = {}

    def add_lines(self, found: Mapping[str, Iterable[Any]]) -> None:
        self.files = {name: set(each) for name, each in found.items()}

    add_arcs = add_lines

    def add_file_tracers(self, tracers: Mapping[str, str]) -> None:
        """Leave them to be asked for when the data is written."""


def silence(cov: coverage.Coverage) -> None:
    """Let `cov` warn of nothing: it measures a process that is not ours to speak in."""
    cov._warn = lambda *args, **kwargs: None  # type: ignore[method-assign]


def file_tracers(cov: coverage.Coverage) -> dict[str, str]:
    """The names of other plugins' file tracers, by the files that they measured for `cov`."""
    collector: Any = cov._collector
    if collector is None:
        return {}
    tracers: dict[str, str] = collector.mapped_file_dict(collector.file_tracers)
    return tracers


def forget_flushed(cov: coverage.Coverage) -> None:
    """Forget the names of files whose data was put into the CoverageData of a stopped `cov`.

    coverage.py keeps a set for each, and every further flush goes through all of them. Another
    thread may be about to look for the set of its file, so that what it has is left to it.
    """
    cov._collector.data = {}  # type: ignore[union-attr]


def close(data: CoverageData) -> None:
    """Let go of a data file; an older coverage.py does it when the object is gone."""
    if hasattr(data, "close"):
        data.close()
