"""Every use that ipycov makes of what coverage.py does not document, each with its reason.

A test per function fails when coverage.py changes what it relies on. Parsing, in
`ipycov.analysis`, and the reporters, in `ipycov.report`, are the other two places.
"""

from __future__ import annotations

import atexit
import copy
import functools
import os
import sys
import threading
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, TypeVar

import coverage
from coverage import CoverageData, pytracer
from coverage.exceptions import ConfigError
from coverage.results import Analysis, Numbers

from ipycov.analysis import Exclusions

T = TypeVar("T")

_PACKAGE = os.path.join(os.path.realpath(os.path.dirname(__file__)), "")
_SUSPENDABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


def core_name(cov: coverage.Coverage) -> str:
    """The core that a started `cov` measures with: ctrace, pytrace or sysmon.

    `[run] core` says what was asked for, not what is used.
    """
    name = cov._collector.tracer_name()  # type: ignore[union-attr]
    return {"CTracer": "ctrace", "PyTracer": "pytrace", "SysMonitor": "sysmon"}.get(name, name)


def always_measure(cov: coverage.Coverage, is_cell: Callable[[str], bool]) -> None:
    """Measure the files that `is_cell` knows whatever `source`, `include` and `omit` say.

    Those options choose among modules. ipycov's own, which run around each cell, are never
    measured. A file tracer could do the same, but it makes the C tracer
    call Python for every line and is not supported by sys.monitoring at all.
    """
    inorout: Any = cov._inorout
    decide = inorout.check_include_omit_etc

    def check(filename: str, frame: FrameType | None) -> str | None:
        if is_cell(filename):
            return None
        if filename.startswith(_PACKAGE):
            return "is part of ipycov"
        return decide(filename, frame)  # type: ignore[no-any-return]

    inorout.check_include_omit_etc = check


def prepare(cov: coverage.Coverage) -> None:
    """Let a `cov` that was never started decide on files, without measuring anything."""
    if cov._inorout is None:
        cov._init()
        cov._init_for_start()
        cov._inited_for_start = True


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


def refusal(cov: coverage.Coverage, filename: str, module: str | None) -> str | None:
    """Why a `cov` that was started does not measure a file, in coverage.py's words.

    `module` is the name that it is imported by, which packages in `source` are compared with. None
    says that nothing is against it.
    """
    inorout: Any = cov._inorout
    frame: Any = SimpleNamespace(f_globals={"__name__": module, "__file__": filename})
    unmatched = list(inorout.source_pkgs_unmatched)
    try:
        disposition = inorout.should_trace(filename, frame if module is not None else None)
    finally:
        inorout.source_pkgs_unmatched = unmatched  # that it was asked about is no import
    return None if disposition.trace else str(disposition.reason)


def omitting(cov: coverage.Coverage, filename: str) -> str | None:
    """The pattern of `omit` that leaves a file out, as the configuration has it."""
    from coverage.files import GlobMatcher, prep_patterns

    patterns = _listed(cov, "run:omit")
    return next((p for p in patterns if GlobMatcher(prep_patterns([p])).match(filename)), None)


def has_c_tracer() -> bool:
    """Whether this coverage.py has its trace function in C."""
    try:
        import coverage.tracer
    except ImportError:
        return False
    return hasattr(coverage.tracer, "CTracer")


def looked_for(cov: coverage.Coverage) -> list[str]:
    """The configuration files that `cov` looked for, in turn, to the one that it read."""
    return list(cov.config.config_files_attempted)


def measures_notebook(cov: coverage.Coverage, path: str) -> bool:
    """Whether `source`, `include` and `omit` of `cov` have the notebook at `path` in.

    They are taken from where the configuration file is: a kernel runs where its notebook is, and
    coverage.py, which takes them from there, would find other directories.
    """
    from coverage.files import GlobMatcher, prep_patterns

    path = os.path.realpath(path)
    base = os.path.dirname(os.path.abspath(config_file(cov) or "."))

    def matches(option: str) -> bool:
        given = _listed(cov, option)
        patterns = [p if p.startswith(("*", "?")) else os.path.join(base, p) for p in given]
        return GlobMatcher(prep_patterns(patterns)).match(path)

    if source := _listed(cov, "run:source") + _listed(cov, "run:source_pkgs"):
        tops = [os.path.realpath(os.path.join(base, each)) for each in source]
        inside = any(path.startswith(os.path.join(top, "")) for top in tops if os.path.isdir(top))
    else:
        inside = not _listed(cov, "run:include") or matches("run:include")
    return inside and not (_listed(cov, "run:omit") and matches("run:omit"))


def source_directories(cov: coverage.Coverage) -> list[str]:
    """The directories that `source` of `cov` names, from where the configuration file is."""
    base = os.path.dirname(os.path.abspath(config_file(cov) or "."))
    named = [os.path.join(base, each) for each in _listed(cov, "run:source")]
    return [directory for directory in named if os.path.isdir(directory)]


def _listed(cov: coverage.Coverage, option: str) -> list[str]:
    value = cov.get_option(option)
    return value if isinstance(value, list) else []


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
    collector.covdata = _Put(collector.covdata, put)


def context_of(cov: coverage.Coverage) -> str:
    """The context that `cov` measures in: it can be told one, and not asked for it."""
    return getattr(cov._data, "_current_context", None) or ""


class _Put:
    """Stands before the data of a collector, and lets another put there what was collected."""

    def __init__(
        self,
        data: CoverageData,
        put: Callable[[CoverageData, Mapping[str, Any], bool], None],
        copy: Callable[[Mapping[str, Any], bool], None] | None = None,
    ) -> None:
        self._data = data
        self._put = put
        self.copy = copy  # for what is taken before it comes here

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def add_lines(self, found: Mapping[str, Iterable[Any]]) -> None:
        self._put(self._data, found, False)

    def add_arcs(self, found: Mapping[str, Iterable[Any]]) -> None:
        self._put(self._data, found, True)


def is_on_disk(data: CoverageData) -> bool:
    """Whether `data` has a file."""
    return not data._no_disk


def relative_filename(filename: str) -> str:
    """What coverage.py's reports call a file."""
    from coverage.files import relative_filename as relative

    return relative(filename)


def filename_in_data(cov: coverage.Coverage, path: str) -> str:
    """What the data of `cov` calls a file: by `relative_files`, from where `cov` began."""
    return cov._file_mapper(path)


def answer_contexts(
    cov: coverage.Coverage,
    path: str,
    answer: Callable[[Callable[[str], dict[int, list[str]]]], dict[int, list[str]]],
) -> None:
    """Have reports of `cov` take the contexts of a file's lines from `answer`.

    It is given what the data answers for any file. coverage.py asks a plugin to translate lines
    and arcs, and takes the contexts of lines as they are in the data.
    """
    data = cov.get_data()
    original = data.contexts_by_lineno

    def contexts_by_lineno(filename: str) -> dict[int, list[str]]:
        return answer(original) if filename == path else original(filename)

    data.contexts_by_lineno = contexts_by_lineno  # type: ignore[method-assign]


def renaming(cov: coverage.Coverage) -> Callable[[str], str]:
    """What `[paths]` calls a file of the data: its name here where it has another, else its own."""
    aliases = cov._make_aliases()
    return functools.cache(lambda path: aliases.map(path))


def page_of_module(name: str) -> str:
    """The page that coverage.py's HTML report writes for a file that it calls `name`.

    Its report says so nowhere but in its own index.
    """
    from coverage.files import flat_rootname

    return f"{flat_rootname(name)}.html"


def exclusions(cov: coverage.Coverage) -> Exclusions:
    """The exclusions that the configuration of `cov` names, joined as coverage.py joins them."""

    def joined(*options: str) -> str:
        regexes: list[str] = []
        for option in options:
            value = cov.get_option(option)
            regexes += value if isinstance(value, list) else []
        return "|".join(f"(?:{regex})" for regex in regexes)

    return Exclusions(
        joined("report:exclude_lines"),
        joined("report:partial_branches", "report:partial_branches_always"),
    )


def take(cov: coverage.Coverage) -> dict[str, set[Any]]:
    """Take what `cov` has collected out of it: by filename, lines, or arcs where it has branches.

    coverage.py puts it into its database, which takes several times as long as a small cell does.
    """
    collector: Any = cov._collector
    if collector is None:
        return {}
    if sys.version_info >= (3, 14) and core_name(cov) == "pytrace":
        for found in collector.data.copy().values():
            join_lineless_arcs(found)
    own, collector.covdata = collector.covdata, _Caught()
    try:
        collector.flush_data()
        caught: dict[str, set[Any]] = collector.covdata.files
    finally:
        collector.covdata = own
    if caught and isinstance(own, _Put) and own.copy is not None:
        own.copy(caught, bool(collector.branch))
    return caught


class _Caught:
    """Stands where coverage.py puts what it has collected, and keeps it as it comes."""

    def __init__(self) -> None:
        self.files: dict[str, set[Any]] = {}

    def add_lines(self, found: Mapping[str, Iterable[Any]]) -> None:
        self.files = {name: set(each) for name, each in found.items()}

    add_arcs = add_lines

    def add_file_tracers(self, tracers: Mapping[str, str]) -> None:
        """Leave them to be asked for when the data is written."""


def measure_beside(
    cov: coverage.Coverage, share: Callable[[Mapping[str, set[Any]], bool], None]
) -> None:
    """Lose nothing of what runs while a `Coverage` measures that a measured cell has started.

    coverage.py pauses the one that measures when another is started. Where sys.monitoring can have
    both, `cov` goes on; else what the other collects is given to `share` too, with whether it is
    arcs.
    """
    collector: Any = cov._collector
    pause, resume = collector.pause, collector.resume
    taps: list[_Tap] = []

    def paused() -> None:
        other = sys._getframe(1).f_locals.get("self")
        if other is collector or not isinstance(other, type(collector)):
            pause()
            return
        beside = collector.tracer_name() == "SysMonitor" and (
            other.tracer_name() != "SysMonitor" or _takes_any_tool_id(other)
        )
        taps.append(_Tap(other, None if beside else share))
        if not beside:
            pause()

    def resumed() -> None:
        tap = taps.pop() if taps else None
        if tap is not None and tap.share is None:
            return
        if tap is not None:
            tap.take_off()
        resume()

    collector.pause, collector.resume = paused, resumed


def _takes_any_tool_id(collector: Any) -> bool:
    """Whether its sysmon core starts where another has the first tool id of sys.monitoring.

    An older coverage.py raises what its start does not catch.
    """
    return "ValueError" in collector.core.tracer_class.start.__code__.co_names


class _Tap:
    """Gives what the collector `other` collects to `share` too, until it is taken off."""

    def __init__(
        self, other: Any, share: Callable[[Mapping[str, set[Any]], bool], None] | None
    ) -> None:
        self.share = share
        self._other = other
        self._data = other.covdata
        if share is not None:
            other.covdata = _Put(self._data, self._put, self._copy)

    def _put(self, data: CoverageData, found: Mapping[str, Any], arcs: bool) -> None:
        self._copy(found, arcs)
        (data.add_arcs if arcs else data.add_lines)(found)

    def _copy(self, found: Mapping[str, Any], arcs: bool) -> None:
        if self.share is not None:
            self.share({os.path.abspath(name): set(each) for name, each in found.items()}, arcs)

    def take_off(self) -> None:
        """Give what was collected and not asked for yet, and leave it where it is.

        A flush would take it out and forget that anything ran, without which nothing is saved.
        """
        other = self._other
        if isinstance(other.covdata, _Put):
            other.covdata = self._data
        if any(tracer.activity() for tracer in other.tracers):
            self._copy(_flushed_copy(other), bool(other.branch))


def _flushed_copy(collector: Any) -> dict[str, set[Any]]:
    """What a collector would put into its data now, which it keeps."""
    peeked = copy.copy(collector)
    peeked.data = {name: set(found) for name, found in collector.data.copy().items()}
    peeked.tracers = [SimpleNamespace(activity=lambda: True, reset_activity=lambda: None)]
    peeked.covdata = caught = _Caught()
    peeked.flush_data()
    return caught.files


def after_fork(cov: coverage.Coverage) -> None:
    """Let a `cov` that measured in the parent measure in a child.

    Locks that another thread held are held for good there.
    """
    collector: Any = cov._collector
    if getattr(collector, "data_lock", None):
        collector.data_lock = threading.Lock()
    for tracer in collector.tracers:
        if hasattr(tracer, "lock"):
            tracer.lock = threading.Lock()


def silence(cov: coverage.Coverage) -> None:
    """Let `cov` warn of nothing: it measures a process that is not ours to speak in."""
    cov._warn = lambda *args, **kwargs: None  # type: ignore[method-assign]


def is_monitoring(cov: coverage.Coverage) -> bool:
    """Whether the sysmon core of `cov` goes on, beside another `Coverage` or after it."""
    tracers: Any = cov._collector.tracers  # type: ignore[union-attr]
    return bool(tracers) and bool(tracers[0].sysmon_on)


def halt(cov: coverage.Coverage) -> None:
    """Have the sysmon core of `cov` look on no more, so that what stops it costs less."""
    if is_monitoring(cov):
        _look_on(cov, sys.monitoring.events.NO_EVENTS)


def look_on(cov: coverage.Coverage) -> None:
    """Have the sysmon core of `cov` look on again that was halted and not stopped."""
    _look_on(cov, sys.monitoring.events.PY_START)
    sys.monitoring.restart_events()


def _look_on(cov: coverage.Coverage, events: int) -> None:
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    sys.monitoring.set_events(tracer.myid, events)


def would_measure(cov: coverage.Coverage, filename: str) -> bool:
    """Whether a `cov` that was started measures a file."""
    return bool(cov._should_trace(filename, None).trace)  # type: ignore[arg-type]


def file_tracers(cov: coverage.Coverage) -> dict[str, str]:
    """The names of other plugins' file tracers, by the files that they measured for `cov`."""
    collector: Any = cov._collector
    if collector is None:
        return {}
    tracers: dict[str, str] = collector.mapped_file_dict(collector.file_tracers)
    return tracers


def untraced(call: Callable[[], T]) -> T:
    """Call `call` where coverage.py's C tracer does not see it, which makes it twice as fast.

    The tracer's methods are C functions: none of them is a Python call that it sees begin or end
    alone, so that it finds its stack as it left it.
    """
    tracer: Any = sys.gettrace()
    if type(tracer).__name__ != "CTracer":
        return call()
    tracer.stop()
    try:
        return call()
    finally:
        tracer.start()


def join_lineless_arcs(measured: set[Any]) -> None:
    """Lead arcs to and from no line at all, which can't be stored, past it.

    From Python 3.14 on code may return where it has no line, as after an `except*`, and the
    Python tracer takes it for one.
    """
    into = [arc for arc in measured.copy() if isinstance(arc, tuple) and arc[1] is None]
    for start, _ in into:
        out = [arc for arc in measured.copy() if isinstance(arc, tuple) and arc[0] is None]
        measured.update((start, end) for _, end in out)
    measured -= {arc for arc in measured.copy() if isinstance(arc, tuple) and None in arc}


def forget_flushed(cov: coverage.Coverage) -> None:
    """Forget the names of files whose data was put into the CoverageData of a stopped `cov`.

    coverage.py keeps a set for each, and every further flush goes through all of them.
    """
    cov._collector.data.clear()  # type: ignore[union-attr]


def let_go(cov: coverage.Coverage) -> None:
    """Let the memory of a `cov` be freed that measures no more.

    What it has registered for the end of the process, to stop and to save, holds it until then, and
    so does a cache of file names, which all collectors share. The garbage collector does not see
    into tracers in C, which hold it too.
    """
    atexit.unregister(cov._atexit)
    collector: Any = cov._collector
    if collector is not None:
        collector.tracers = []
    clear = getattr(getattr(collector, "cached_mapped_file", None), "cache_clear", None)
    if clear is not None:
        clear()


def free_tracers(cov: coverage.Coverage) -> None:
    """Have the Python tracers of a prepared `cov` register nothing for the end of the process.

    Each start and each thread makes one, and what it registers, which only PyPy needs, would hold
    it, and `cov`, until then.
    """
    core: Any = cov._collector.core  # type: ignore[union-attr]
    tracer_class = core.tracer_class
    if tracer_class is not pytracer.PyTracer:
        return

    def init(tracer: Any) -> None:
        registry: Any = pytracer
        registry.atexit = SimpleNamespace(register=lambda *args: None)
        try:
            tracer_class.__init__(tracer)
        finally:
            registry.atexit = atexit

    names = {"__init__": init, "__module__": tracer_class.__module__}
    core.tracer_class = type(tracer_class.__name__, (tracer_class,), names)


class MonitoredCode:
    """What a sysmon core has learnt of code objects, carried from one start to the next.

    Each start makes a tracer that knows nothing. Generators, coroutines and functions of other
    threads get no start event when they go on, and a tracer that has not seen code start drops its
    lines. Code that is not measured, such as IPython's, would be looked at anew for each cell.
    """

    def __init__(self) -> None:
        self._untraced: dict[int, Any] = {}
        self._kept_alive: list[CodeType] = []  # for their ids to mean them
        self._unfinished: list[CodeType] = []

    def keep(self, cov: coverage.Coverage) -> None:
        """Take over what the running `cov` knows before it is stopped."""
        tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
        running = {id(frame.f_code) for frame in _frames()}
        self._unfinished = []
        for code in list(tracer.code_objects):
            info = tracer.code_infos[id(code)]
            if not info.tracing:
                if not code.co_filename.startswith("<"):
                    self._untraced[id(code)] = info
                    self._kept_alive.append(code)
            elif code.co_flags & _SUSPENDABLE or id(code) in running:
                self._unfinished.append(code)

    def give_back(self, cov: coverage.Coverage) -> None:
        """Let a `cov` that was just started know it again."""
        tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
        tracer.code_infos.update(self._untraced)
        for code in self._unfinished:
            tracer.sysmon_py_start(code, 0)


def know_multiline_statements(
    cov: coverage.Coverage, map_for: Callable[[str], dict[int, int] | None]
) -> None:
    """Let a sysmon `cov` that measures branches know the multi-line statements of cells.

    It reads them from the source file, and a cell has none.
    """
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    if hasattr(tracer, "multiline_maps"):
        tracer.multiline_maps = _MultilineMaps(map_for)


class _MultilineMaps(dict[str, dict[int, int]]):
    def __init__(self, map_for: Callable[[str], dict[int, int] | None]) -> None:
        self._map_for = map_for

    def get(self, filename: str, default: Any = None) -> Any:
        known = super().get(filename)
        if known is None:
            known = self._map_for(filename)
            if known is not None:
                self[filename] = known
        return default if known is None else known


def unexecuted_files(cov: coverage.Coverage) -> list[str]:
    """The files under `source` that a report lists though nothing of them ran.

    coverage.py adds them when it saves, with a search of all directories that a cell can't wait
    for.
    """
    if cov._inorout is None:
        return []
    return [path for path, plugin in cov._inorout.find_possibly_unexecuted_files() if not plugin]


def config_file(cov: coverage.Coverage) -> str | None:
    """The path of the configuration file that `cov` has read, if it has read one."""
    return cov.config.config_file


def unimported_source(cov: coverage.Coverage) -> list[str]:
    """The packages named as `source` that were never measured."""
    return list(cov._inorout.source_pkgs_unmatched) if cov._inorout else []


def close(data: CoverageData) -> None:
    """Let go of a data file; an older coverage.py does it when the object is gone."""
    if hasattr(data, "close"):
        data.close()


def multiline_map(text: str) -> dict[int, int]:
    """Which line starts the statement that each line of a multi-line statement belongs to."""
    try:
        from coverage.parser import multiline_map_from_text
    except ImportError:  # an older coverage.py, whose tracer has no such map either
        return {}
    try:
        return multiline_map_from_text(text)
    except (tokenize.TokenError, SyntaxError):
        return {}


class _SettledNumbers(Numbers):
    """The figures of a file that is analysed: coverage.py computes a percentage at each look."""

    @functools.cached_property
    def pc_covered(self) -> float:
        return super().pc_covered

    @functools.cached_property
    def pc_covered_str(self) -> str:
        return super().pc_covered_str


def settle(analysis: Analysis) -> None:
    """Let percentages of an analysis be computed once."""
    analysis.numbers.__class__ = _SettledNumbers


def narrowed(analysis: Analysis, regions: Sequence[set[int]]) -> list[Analysis]:
    """The analysis of each of `regions`, sets of lines that share none."""
    try:
        from coverage.results import AnalysisNarrower
    except ImportError:  # an older coverage.py, whose analyses do it themselves
        return [analysis.narrow(region) for region in regions]  # type: ignore[attr-defined]
    narrower = AnalysisNarrower(analysis)
    narrower.add_regions(regions)
    return [narrower.narrow(region) for region in regions]


def _frames() -> Iterable[FrameType]:
    """Every frame of every thread."""
    for frame in sys._current_frames().values():
        at: FrameType | None = frame
        while at is not None:
            yield at
            at = at.f_back
