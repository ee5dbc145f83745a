"""Collecting around pieces of code, with every core."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import coverage
import pytest
from kernels import CORES

from ipycov.measure import CannotMeasure, KnownCells, Measurement
from ipycov.measurements import Measurements
from ipycov.options import Options

FILE = "/nowhere/cell.py"
F = "def f(x):\n    if x:\n        return 1\n    return 2\n"

each_core = pytest.mark.parametrize("core", CORES)


def measurement(core: str | None = None, **options: Any) -> Measurement:
    cells = KnownCells(lambda name: name.startswith("/nowhere/cell"), lambda name: {})
    return Measurement(Options(core=core, config_file=False, **options), cells)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Whatever a test does, measuring stops."""
    yield
    assert sys.gettrace() is None
    assert threading.gettrace() is None
    assert coverage.Coverage.current() is None


def run(text: str, space: dict[str, Any], name: str = FILE) -> None:
    exec(compile(text, name, "exec"), space)


@each_core
@pytest.mark.parametrize("branch", [False, True])
def test_each_context_has_its_lines(core: str, branch: bool) -> None:
    """Lines that run again under another context are told again, after stops and switches."""
    if core == "sysmon" and branch and sys.version_info < (3, 14):
        pytest.skip("sys.monitoring tells no branches before Python 3.14")
    measuring, space = measurement(core, branch=branch), dict[str, Any]()
    measuring.start("a")
    run(F, space)
    assert FILE in measuring.stop()
    run("f(0)", space, "/nowhere/cell_off.py")
    measuring.start("b")
    run("f(1)", space, "/nowhere/cell_2.py")
    assert FILE in measuring.switch("c")
    run("f(1)", space, "/nowhere/cell_3.py")
    assert {FILE, "/nowhere/cell_3.py"} <= measuring.stop()
    measuring.close()
    found = measuring.measured.data.contexts_by_lineno(FILE)
    assert {line: sorted(found[line]) for line in (1, 2, 3)} == {
        1: ["a"],
        2: ["b", "c"],
        3: ["b", "c"],
    }
    assert 4 not in (measuring.measured.data.lines(FILE) or [])
    assert measuring.measured.data.has_arcs() is branch


@each_core
def test_a_thread_that_has_ended(core: str) -> None:
    """What is kept of it is let go, and the trace function of this thread stays."""
    measuring = measurement(core)
    measuring.start("a")
    trace = sys.gettrace()
    thread = threading.Thread(target=run, args=("x = 1", {}))
    thread.start()
    thread.join()
    assert FILE in measuring.switch("b")
    now = sys.gettrace()
    assert not measuring.measures_threads
    measuring.stop()
    measuring.close()
    assert now == trace


@pytest.mark.parametrize("core", ["ctrace", "pytrace"])
def test_locks_of_another_process(core: str) -> None:
    """A thread may fork where nothing is active, while another holds a lock."""
    options = Options(core=core, config_file=False)
    measurements = Measurements(lambda options: measurement(core))
    measurements.add(options)
    measurements.start(options, "a")
    measurements.stop()
    cov = measurements[options].coverage
    cov._collector.data_lock.acquire()  # type: ignore[union-attr]
    measurements.unlock()
    assert cov._collector.data_lock.acquire(blocking=False)  # type: ignore[union-attr]
    measurements[options].close()


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_nothing_goes_on_where_another_traces() -> None:
    """Where a cell can't be measured, nothing measures the threads of earlier cells either."""
    both = [Options(core=core, config_file=False) for core in ("sysmon", "ctrace")]
    measurements = Measurements(lambda options: measurement(options.core))
    for options in both:
        measurements.add(options)
    thread = threading.Thread(target=(go := threading.Event()).wait, daemon=True)
    measurements.start(both[0], "a")
    thread.start()
    measurements.stop()
    sys.settrace(lambda *event: None)
    try:
        with pytest.raises(CannotMeasure):
            measurements.start(both[1], "b")
    finally:
        sys.settrace(None)
    assert coverage.Coverage.current() is None
    go.set()
    thread.join()
    for each in measurements.values():
        each.close()


@each_core
def test_a_thread_that_waits(core: str) -> None:
    """Work given to a thread of an earlier start is measured."""
    measuring, space = measurement(core), dict[str, Any]()
    jobs: Queue[Any] = Queue()
    done: Queue[Any] = Queue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            job()
            done.put(None)

    measuring.start("a")
    thread = threading.Thread(target=work)
    thread.start()
    run(F, space)
    measuring.stop()
    measuring.start("b")
    jobs.put(lambda: space["f"](1))
    done.get(timeout=20)
    measuring.stop()
    jobs.put(None)
    thread.join()
    measuring.close()
    assert sorted(measuring.measured.data.lines(FILE) or []) == [1, 2, 3]


@each_core
def test_stopping_twice(core: str) -> None:
    """Stopping and closing what does not measure does nothing."""
    measuring = measurement(core)
    measuring.close()
    measuring.start("a")
    measuring.stop()
    measuring.close()
    measuring.close()


@each_core
def test_the_core(core: str) -> None:
    """The core that is asked for is used."""
    measuring = measurement(core)
    measuring.start("a")
    assert measuring.core == core
    measuring.stop()
    measuring.close()


#: options, and the core that is chosen on an interpreter with sys.monitoring for lines alone
CHOSEN = [
    ({}, "sysmon"),
    ({"branch": True}, "ctrace"),
    ({"timid": True}, "pytrace"),
    ({"timid": True, "core": "sysmon"}, "pytrace"),
    ({"concurrency": ("thread",)}, "sysmon"),
    ({"core": "pytrace"}, "pytrace"),
]


@pytest.mark.parametrize(("options", "core"), CHOSEN)
def test_the_fastest_core_is_chosen(
    options: dict[str, Any], core: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the fastest core measures that can measure what is asked for."""
    monkeypatch.delenv("COVERAGE_CORE", raising=False)
    if "sysmon" not in CORES and core == "sysmon":
        core = "ctrace"
    if sys.version_info >= (3, 14) and core == "ctrace":
        core = "sysmon"
    measuring = measurement(**options)
    measuring.start("a")
    assert measuring.core == core
    measuring.stop()
    measuring.close()


def test_the_environment_names_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """COVERAGE_CORE chooses the core, as for coverage.py."""
    monkeypatch.setenv("COVERAGE_CORE", "pytrace")
    measuring = measurement()
    measuring.start("a")
    assert measuring.core == "pytrace"
    measuring.stop()
    measuring.close()


def test_another_trace_function() -> None:
    """Where another tool traces, nothing is started, and its function stays."""

    def trace(*args: object) -> None:
        return None

    measuring = measurement("ctrace")
    sys.settrace(trace)
    try:
        with pytest.raises(CannotMeasure, match="another tool"):
            measuring.start("a")
        assert sys.gettrace() is trace
    finally:
        sys.settrace(None)
    measuring.close()


def test_options_are_coverages() -> None:
    """Only options that are set are given to coverage.py, under its names."""
    assert Options().coverage_arguments() == {"config_file": True}
    assert Options(source=("a",), branch=True, core="ctrace").coverage_arguments() == {
        "config_file": True,
        "source": ["a"],
        "branch": True,
    }


def test_what_the_config_file_says_of_contexts(tmp_path: Any) -> None:
    """Contexts are the cells: what a configuration file says of contexts is for its own runs."""
    path = tmp_path / "my.ini"
    path.write_text("[run]\ncontext = mine\ndynamic_context = test_function\nparallel = true\n")
    cells = KnownCells(lambda name: name == FILE, lambda name: {})
    measuring = Measurement(Options(config_file=str(path)), cells)
    measuring.start("a")
    run("x = 1", {})
    measuring.stop()
    measuring.close()
    assert measuring.measured.data.contexts_by_lineno(FILE) == {1: ["a"]}
