"""What ipycov relies on in coverage.py though it is not documented: a test for each use."""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest
from coverage.files import set_relative_directory
from coverage.results import Numbers
from kernels import CORES

from ipycov import (
    coverage_beside,
    coverage_collector,
    coverage_files,
    coverage_monitoring,
    coverage_reports,
    coverage_tracers,
)

_NEEDLESS = ["no-data-collected", "module-not-imported", "no-sysmon-context"]

FILE = "/nowhere/cell.py"

each_core = pytest.mark.parametrize("core", CORES)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., coverage.Coverage]]:
    """Makes a `Coverage` of a core; what was started is stopped."""
    made: list[coverage.Coverage] = []

    def make(core: str = CORES[0], **options: Any) -> coverage.Coverage:
        options.setdefault("config_file", False)
        cov = coverage.Coverage(data_file=None, **options)
        cov.set_option("run:core", core)
        cov.set_option("run:disable_warnings", _NEEDLESS)
        made.append(cov)
        return cov

    yield make
    for cov in made:
        if cov is coverage.Coverage.current():
            cov.stop()


def ready(cov: coverage.Coverage) -> coverage.Coverage:
    """`cov` with all that it has once it was started, and stopped."""
    cov.start()
    cov.stop()
    return cov


def run(text: str, space: dict[str, Any] | None = None, name: str = FILE) -> None:
    exec(compile(text, name, "exec"), {} if space is None else space)


@each_core
def test_core_name(make: Callable[..., coverage.Coverage], core: str) -> None:
    """The collector names the tracer that it uses."""
    cov = make(core)
    cov.start()
    name = coverage_tracers.core_name(cov)
    cov.stop()
    assert name == core


@each_core
@pytest.mark.parametrize("option", ["source", "include", "omit"])
def test_always_measure(make: Callable[..., coverage.Coverage], core: str, option: str) -> None:
    """Cells are measured whatever the options say, and other files as they say."""
    cov = ready(make(core, **{option: ["*" if option == "omit" else "/absent"]}))
    coverage_files.always_measure(cov, lambda filename: filename == FILE)
    cov.start()
    run("x = 1\ny = 2")
    run("x = 1", name="/nowhere/other.py")
    cov.stop()
    assert cov.get_data().measured_files() == {FILE}
    assert sorted(cov.get_data().lines(FILE) or []) == [1, 2]


def test_ipycov_itself_is_never_measured(make: Callable[..., coverage.Coverage]) -> None:
    """ipycov's own modules, which run around each cell, are in no report."""
    from ipycov import lines

    cov = ready(make())
    coverage_files.always_measure(cov, lambda filename: False)
    cov.start()
    lines.rows("x")
    cov.stop()
    assert lines.__file__ not in cov.get_data().measured_files()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, True),
        ({"source": ["nbs"]}, True),
        ({"source": ["."]}, True),
        ({"source": ["src"]}, False),
        ({"source": ["package"]}, False),
        ({"include": ["nbs/*"]}, True),
        ({"include": ["*.ipynb"]}, True),
        ({"include": ["*.py"]}, False),
        ({"omit": ["nbs/*"]}, False),
        ({"omit": ["*/b.ipynb"]}, True),
    ],
)
def test_measures_notebook(
    options: dict[str, list[str]], wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`source`, `include` and `omit` mean for a notebook, in the project, what they say."""
    monkeypatch.chdir(tmp_path)
    set_relative_directory()  # as a `Coverage` does when it starts
    for name in ("nbs", "src"):
        (tmp_path / name).mkdir()
    config = tmp_path / ".coveragerc"
    lines = [f"{name} = {', '.join(values)}" for name, values in options.items()]
    config.write_text("\n".join(["[run]", *lines]) + "\n")
    cov = coverage.Coverage(data_file=None, config_file=str(config))
    assert coverage_files.measures_notebook(cov, str(tmp_path / "nbs" / "a.ipynb")) is wanted


def test_data_suffix() -> None:
    """What a `Coverage` was given for the name of its data file can be asked for."""
    cov = coverage.Coverage(data_file=None, config_file=False, data_suffix=".nbval")
    assert coverage_collector.data_suffix(cov) == ".nbval"


def test_coverage_being_configured(
    make: Callable[..., coverage.Coverage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame that configures a plugin is that of a method of the `Coverage`."""
    (tmp_path / "asking_plugin.py").write_text(
        "import sys\nimport coverage\nframes = []\n"
        "class Plugin(coverage.CoveragePlugin):\n"
        "    def configure(self, config):\n"
        "        frames.append(sys._getframe(1))\n"
        "def coverage_init(reg, options):\n    reg.add_configurer(Plugin())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cov = make()
    cov.set_option("run:plugins", ["asking_plugin"])
    ready(cov)
    [frame] = sys.modules.pop("asking_plugin").frames
    assert coverage_collector.coverage_being_configured(frame) is cov
    assert coverage_collector.coverage_being_configured(sys._getframe()) is None


@each_core
@pytest.mark.parametrize("branch", [False, True])
def test_take(make: Callable[..., coverage.Coverage], core: str, branch: bool) -> None:
    """What is taken out of a `Coverage` is what it would have put into its data, and once only."""
    if branch and core == "sysmon" and sys.version_info < (3, 14):
        pytest.skip("sys.monitoring measures no branches here")
    taken = []
    for take in (True, False):
        cov = make(core)
        cov.set_option("run:branch", branch)
        cov.start()
        run("x = 1\nif x:\n    y = 2\ndef f():\n    return 3\nf()")
        if take:
            taken = sorted(coverage_collector.take(cov)[FILE])
            assert FILE not in coverage_collector.take(cov)
        cov.stop()
    data = cov.get_data()
    assert taken == sorted((data.arcs(FILE) if branch else data.lines(FILE)) or [])


@each_core
def test_untraced(make: Callable[..., coverage.Coverage], core: str) -> None:
    """What is called so is not measured by the C tracer; what comes after it is."""
    cov = make(core)
    cov.start()
    space: dict[str, Any] = {"untraced": coverage_tracers.untraced}
    run(
        "def f():\n    return 1\ndef g():\n    x = untraced(f)\n    return x\ny = g()\nz = y", space
    )
    cov.stop()
    lines = set(cov.get_data().lines(FILE) or [])
    assert lines - {2} == {1, 3, 4, 5, 6, 7}
    assert core != "ctrace" or 2 not in lines


def test_settle() -> None:
    """The percentages of settled figures are those that coverage.py computes."""
    for missing in range(4):
        analysis = SimpleNamespace(numbers=Numbers(n_statements=3, n_missing=missing, precision=1))
        plain = replace(analysis.numbers)
        coverage_reports.settle(analysis)  # type: ignore[arg-type]
        assert analysis.numbers.pc_covered == plain.pc_covered
        assert analysis.numbers.pc_covered_str == plain.pc_covered_str
        assert (plain + analysis.numbers).n_missing == 2 * missing


@each_core
def test_forget_flushed(make: Callable[..., coverage.Coverage], core: str) -> None:
    """A stopped `Coverage` whose data was flushed can forget the files, and measure them again."""
    cov = make(core)
    cov.start()
    run("x = 1")
    coverage_collector.take(cov)
    cov.stop()
    coverage_collector.forget_flushed(cov)
    cov.start()
    run("x = 1\ny = 2")
    cov.stop()
    assert sorted(cov.get_data().lines(FILE) or []) == [1, 2]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_forget_flushed_while_a_thread_begins(make: Callable[..., coverage.Coverage]) -> None:
    """A thread that has just put a set for its file finds it: an error would be its own."""
    cov = make("sysmon")
    cov.start()
    run("x = 1")
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    unlock = tracer.unlock_data

    def unlock_late() -> None:
        unlock()
        cov.stop()
        coverage_collector.forget_flushed(cov)

    tracer.unlock_data = unlock_late
    run("def f():\n    return 2\nf()", name="/nowhere/other.py")
    assert not cov._collector.data  # type: ignore[union-attr]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_monitored_code(make: Callable[..., coverage.Coverage]) -> None:
    """What has begun goes on to be measured after a restart of the sysmon core."""
    cov = make("sysmon")
    space: dict[str, Any] = {}
    known = coverage_monitoring.MonitoredCode()
    cov.start()
    run("def gen():\n    yield 1\n    yield 2\n    x = 3\ng = gen()\nnext(g)", space)
    known.keep(cov)
    cov.stop()
    cov.start()
    known.give_back(cov)
    run("next(g)\nlist(g)", space, "/nowhere/later.py")
    cov.stop()
    assert sorted(cov.get_data().lines(FILE) or []) == [1, 2, 3, 4, 5, 6]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_without_monitored_code(make: Callable[..., coverage.Coverage]) -> None:
    """coverage.py itself drops those lines: when it no longer does, the care can go."""
    cov = make("sysmon")
    space: dict[str, Any] = {}
    cov.start()
    run("def gen():\n    yield 1\n    yield 2\n    x = 3\ng = gen()\nnext(g)", space)
    cov.stop()
    cov.start()
    run("list(g)", space, "/nowhere/later.py")
    cov.stop()
    assert sorted(cov.get_data().lines(FILE) or []) == [1, 2, 5, 6]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_forget_callbacks(make: Callable[..., coverage.Coverage]) -> None:
    """A sysmon core that was stopped is freed, and another tool's callbacks stay."""
    cov = make("sysmon")
    cov.start()
    (tracer,) = cov._collector.tracers  # type: ignore[union-attr]
    freed = weakref.ref(tracer)
    cov.stop()
    del cov._collector.tracers[:], tracer  # type: ignore[union-attr]
    line = sys.monitoring.events.LINE
    other = next(id for id in range(6) if sys.monitoring.get_tool(id) is None and id != 1)
    sys.monitoring.register_callback(other, line, print)
    coverage_monitoring.forget_callbacks()
    gc.collect()
    assert freed() is None
    assert sys.monitoring.register_callback(other, line, None) is print


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_halt(make: Callable[..., coverage.Coverage]) -> None:
    """A sysmon core that is halted sees nothing, until it goes on."""
    cov = make("sysmon")
    cov.start()
    run("x = 1")
    coverage_monitoring.halt(cov)
    run("\nx = 2")
    coverage_monitoring.rest(cov)
    coverage_monitoring.go_on(cov)
    run("\n\nx = 3")
    cov.stop()
    assert sorted(cov.get_data().lines(FILE) or []) == [1, 3]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_know_multiline_statements(make: Callable[..., coverage.Coverage]) -> None:
    """A sysmon tracer asks for the multi-line statements of a file by its name."""
    cov = make("sysmon")
    cov.start()
    asked: list[str] = []
    coverage_monitoring.know_multiline_statements(cov, lambda name: asked.append(name) or {2: 1})
    maps = getattr(cov._collector.tracers[0], "multiline_maps", None)  # type: ignore[union-attr]
    cov.stop()
    if maps is None:
        pytest.skip("this coverage.py has no such map")
    assert maps.get(FILE) == {2: 1}
    assert maps.get(FILE) == {2: 1}
    assert asked == [FILE]


def test_unexecuted_files(make: Callable[..., coverage.Coverage], tmp_path: Path) -> None:
    """The files of a source directory that never ran are found."""
    (tmp_path / "never.py").write_text("x = 1\n")
    cov = make(source=[str(tmp_path)])
    assert coverage_files.unexecuted_files(cov) == []
    assert [Path(path).name for path in coverage_files.unexecuted_files(ready(cov))] == ["never.py"]


def test_unimported_source(make: Callable[..., coverage.Coverage]) -> None:
    """A package named as source is known not to have been imported."""
    cov = make(source=["absent_package"])
    assert coverage_files.unimported_source(cov) == []
    assert coverage_files.unimported_source(ready(cov)) == ["absent_package"]


def test_config_file(make: Callable[..., coverage.Coverage], tmp_path: Path) -> None:
    """The configuration file that was read is known."""
    path = tmp_path / "my.ini"
    path.write_text("[run]\nbranch = true\n")
    found = coverage_files.config_file(make(config_file=str(path)))
    assert found is not None
    assert Path(found) == path
    assert coverage_files.config_file(make()) is None


def test_exclusions(make: Callable[..., coverage.Coverage], tmp_path: Path) -> None:
    """Exclusions are those of the configuration, joined to one regex of each kind."""
    path = tmp_path / "my.ini"
    path.write_text("[report]\nexclude_also = a\n  b\npartial_branches = c\n")
    found = coverage_reports.exclusions(make(config_file=str(path)))
    assert found.exclude.endswith("(?:a)|(?:b)")
    assert re.search(found.exclude, "x = 1  # pragma: no cover")
    assert found.partial.startswith("(?:c)|(?:")
    assert re.search(found.partial, "while True:")


def test_renaming(make: Callable[..., coverage.Coverage], tmp_path: Path) -> None:
    """What `[paths]` calls files that exist by their new name; others keep theirs."""
    (tmp_path / "a.ipynb").touch()
    config = tmp_path / "config"
    config.write_text(f"[paths]\nhere =\n    {tmp_path}\n    /elsewhere\n")
    renamed = coverage_files.renaming(make(config_file=str(config)))
    assert renamed("/elsewhere/a.ipynb") == os.path.realpath(tmp_path / "a.ipynb")
    assert renamed("/elsewhere/b.ipynb") == "/elsewhere/b.ipynb"
    assert renamed("/other/a.ipynb") == "/other/a.ipynb"


@pytest.mark.parametrize("name", ["a.py", "sub/b.py", "../c.py"])
def test_page_of_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """coverage.py's HTML report writes a file's page under this name."""
    (tmp_path / "here/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    path = (tmp_path / "here" / name).resolve()
    path.write_text("x = 1\n")
    data = tmp_path / "data"
    stored = coverage.CoverageData(str(data))
    stored.add_lines({str(path): [1]})
    stored.write()
    cov = coverage.Coverage(data_file=str(data), config_file=False)
    cov.load()
    cov.html_report(directory="out")
    called = name if not name.startswith("..") else str(path)
    assert Path("out", coverage_files.page_of_module(called)).exists()


def test_relative_filename() -> None:
    """coverage.py's name for a file is its path from where it started."""
    assert coverage_files.relative_filename(FILE) == FILE


def test_after_saving(make: Callable[..., coverage.Coverage]) -> None:
    """The call comes when the data is read out or saved."""
    cov = make()
    called: list[object] = []
    coverage_collector.after_saving(cov, called.append)
    cov.start()
    run("x = 1")
    cov.stop()
    cov.get_data()
    assert called == [cov]


def test_multiline_map() -> None:
    """Each line of a multi-line statement is mapped to its first, where coverage.py does so."""
    try:
        from coverage.parser import multiline_map_from_text  # noqa: F401
    except ImportError:
        assert coverage_monitoring.multiline_map("x = (1,\n 2)") == {}
    else:
        found = coverage_monitoring.multiline_map("x = (1,\n 2)\ny = 1")
        assert (found[1], found[2]) == (1, 1)
        assert 3 not in found
    assert coverage_monitoring.multiline_map("x = (") == {}


def test_narrowed(make: Callable[..., coverage.Coverage], tmp_path: Path) -> None:
    """An analysis can be narrowed to some of its lines."""
    path = tmp_path / "module.py"
    path.write_text("def f():\n    return 1\ndef g():\n    return 2\nf()\n")
    cov = make(branch=True)
    cov.start()
    run(path.read_text(), name=str(path))
    cov.stop()
    parts = coverage_reports.narrowed(cov._analyze(str(path)), [{2}, {4}, {1, 3, 5}])
    figures = [(part.numbers.n_statements, part.numbers.n_missing) for part in parts]
    assert figures == [(1, 0), (1, 1), (3, 0)]


def test_the_reporters_ask_for_what_is_overridden() -> None:
    """The methods of `Coverage` that ReportingCoverage overrides are there to be asked."""
    for name in ("_get_file_reporters", "_analyze", "_prepare_data_for_reporting", "get_data"):
        assert callable(getattr(coverage.Coverage, name))


@each_core
def test_threads_start_with_the_collectors_function(
    make: Callable[..., coverage.Coverage], core: str
) -> None:
    """A trace function is given to new threads, where the core needs one."""
    cov = make(core)
    cov.start()
    trace = threading.gettrace()
    cov.stop()
    assert (trace is None) is (core == "sysmon")


#: what the Python tracer has measured, and what of it can be stored
LINELESS: list[tuple[set[Any], set[Any]]] = [
    ({(1, 2), (2, -1)}, {(1, 2), (2, -1)}),
    ({(1, 6), (6, None), (None, -1)}, {(1, 6), (6, -1)}),
    ({(6, None)}, set()),
    ({1, 2}, {1, 2}),
]


@pytest.mark.parametrize(("measured", "stored"), LINELESS)
def test_arcs_without_a_line(measured: set[Any], stored: set[Any]) -> None:
    """An arc to no line, which the Python tracer has from Python 3.14 on, leads past it."""
    coverage_tracers.join_lineless_arcs(measured)
    assert measured == stored


def test_put_from_now_on(make: Callable[..., coverage.Coverage]) -> None:
    """Another decides what goes into the data of a Coverage that measures, in which context."""
    found: list[tuple[str, list[int]]] = []
    cov = make("ctrace")
    cov.start()
    coverage_collector.put_from_now_on(
        cov,
        lambda data, files, arcs: found.append(
            (coverage_collector.context_of(cov), sorted(files[FILE]))
        ),
    )
    exec(compile("a = 1\n", FILE, "exec"), {})
    cov.switch_context("later")
    exec(compile("\nb = 2\n", FILE, "exec"), {})
    cov.stop()
    assert not cov.get_data().lines(FILE)
    assert found == [("", [1]), ("later", [2])]


def test_answer_contexts(
    make: Callable[..., coverage.Coverage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reports ask the data for the contexts of lines, and another answers for a file."""
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    cov = make()
    cov.start()
    run(module.read_text(), name=str(module))
    cov.stop()
    coverage_reports.answer_contexts(
        cov, str(module), lambda ask: {1: [*ask(str(module))[1], "more"]}
    )
    cov.json_report(outfile="-", show_contexts=True, include=[str(module)])
    (entry,) = json.loads(capsys.readouterr().out)["files"].values()
    assert entry["contexts"] == {"1": ["", "more"]}


@each_core
def test_renew_locks(make: Callable[..., coverage.Coverage], core: str) -> None:
    """What another thread held when a process was forked keeps nothing from being measured."""
    cov = make(core)
    cov.start()
    (tracer,) = cov._collector.tracers  # type: ignore[union-attr]
    trace = sys.gettrace()
    sys.settrace(None)  # or it would wait for the lock now
    if core == "sysmon":
        coverage_monitoring.halt(cov)
    if hasattr(tracer, "lock_data"):
        tracer.lock_data()
    if hasattr(tracer, "lock"):
        tracer.lock.acquire()
    coverage_tracers.renew_locks(cov, ())
    sys.settrace(trace)
    if core == "sysmon":
        coverage_monitoring.rest(cov)
        coverage_monitoring.go_on(cov)
    run("x = 1\n")
    cov.stop()
    assert cov.get_data().lines(FILE) == [1]


@pytest.mark.skipif("sysmon" not in CORES, reason="this interpreter has no sys.monitoring")
def test_loosen_locks(make: Callable[..., coverage.Coverage]) -> None:
    """A lock that an interrupt left locked keeps nothing from being measured."""
    cov = make("sysmon")
    coverage_collector.prepare(cov)
    coverage_monitoring.loosen_locks(cov)
    cov.start()
    cov._collector.tracers[0].lock_data()  # type: ignore[union-attr]
    run("x = 1\n")
    thread = threading.Thread(target=run, args=("y = 1\n", None, FILE + "2"))
    thread.start()
    thread.join()
    cov.stop()
    assert cov.get_data().lines(FILE) == [1]
    assert cov.get_data().lines(FILE + "2") == [1]


@each_core
def test_beside(make: Callable[..., coverage.Coverage], core: str) -> None:
    """What runs while another Coverage measures is lost to neither, and the first goes on."""
    shared: dict[str, set[Any]] = {}
    cov, other = make(core), make(core)
    ready(cov)
    coverage_beside.Beside(cov, lambda found, arcs: shared.update(found))
    code = compile("def f():\n    return 1\ndef g():\n    return 2\n", FILE, "exec")
    space: dict[str, Any] = {}
    exec(code, space)
    cov.start()
    other.start()
    space["f"]()
    other.stop()
    space["g"]()
    cov.stop()
    assert set(other.get_data().lines(FILE) or ()) == {2}
    assert coverage_files.would_measure(cov, FILE)
    assert coverage_collector.take(cov).get(FILE, set()) | shared.get(FILE, set()) == {2, 4}


@each_core
def test_below(make: Callable[..., coverage.Coverage], core: str) -> None:
    """One that was started first can be stopped first, with what was measured in its place."""
    first, second = make(core), make(core)
    first.start()
    below = coverage_beside.below_one_to_start()
    assert below is not None
    assert coverage_beside.below_one_to_start() is below
    below.begin(lambda: below.give({FILE: {2}, json.__file__: {3}}, False))
    second.start()
    first.stop()
    below.give({FILE: {4}}, False)
    assert coverage.Coverage.current() is second
    second.stop()
    assert coverage.Coverage.current() is None
    assert set(first.get_data().lines(FILE) or ()) == {2}
    assert first.get_data().lines(json.__file__) is None


@each_core
def test_refusal(make: Callable[..., coverage.Coverage], core: str) -> None:
    """Each reason that coverage.py has for leaving a file out is one that is put into words."""
    import json

    stdlib, third = json.__file__, pytest.__file__

    def reason(filename: str, module: str | None = None, **options: Any) -> str:
        cov = make(core, **options)
        coverage_collector.prepare(cov)
        return str(coverage_files.refusal(cov, filename, module))

    assert reason(FILE) == "None"
    assert reason("<string>").endswith("is not real")
    assert "stdlib" in reason(stdlib)
    assert "third-party" in reason(third)
    assert "third-party" in reason(coverage.__file__) or "part of" in reason(coverage.__file__)
    assert "falls outside the --source" in reason(FILE, source=["json"])
    assert reason(stdlib, "json", source=["json"]) == "None"
    assert "falls outside the --include" in reason(FILE, include=["*.txt"])
    assert "--omit" in reason(FILE, omit=["*/cell.py"])


def test_refusal_is_no_import(make: Callable[..., coverage.Coverage]) -> None:
    """A question about a module does not count as its import."""
    import json

    cov = make(source=["json"])
    coverage_collector.prepare(cov)
    assert coverage_files.refusal(cov, json.__file__, "json") is None
    assert coverage_files.unimported_source(cov) == ["json"]


@each_core
def test_prepare(make: Callable[..., coverage.Coverage], core: str) -> None:
    """A `Coverage` that was prepared measures nothing, and can be started as ever."""
    cov = make(core)
    coverage_collector.prepare(cov)
    assert (coverage.Coverage.current(), sys.gettrace()) == (None, None)
    cov.start()
    run("x = 1")
    cov.stop()
    assert cov.get_data().lines(FILE) == [1]


def test_omitting(make: Callable[..., coverage.Coverage]) -> None:
    """The pattern that leaves a file out is the one of the configuration."""
    assert coverage_files.omitting(make(omit=["x*", "*/cell.py"]), FILE) == "*/cell.py"
    assert coverage_files.omitting(make(omit=["x*"]), FILE) is None


def test_looked_for(
    make: Callable[..., coverage.Coverage], monkeypatch: Any, tmp_path: Path
) -> None:
    """The files that coverage.py looks for are known, to the one that it reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COVERAGE_RCFILE", raising=False)
    looked = coverage_files.looked_for(make(config_file=True))
    assert {".coveragerc", "pyproject.toml"} <= {Path(path).name for path in looked}


def test_has_c_tracer() -> None:
    """The C tracer is told to be there where it can be used."""
    assert coverage_tracers.has_c_tracer()


def test_silence(make: Callable[..., coverage.Coverage], recwarn: pytest.WarningsRecorder) -> None:
    """Every warning of coverage.py's goes through one method."""
    cov = make(source=["absent_package"])
    cov.set_option("run:disable_warnings", [])
    coverage_collector.silence(cov)
    ready(cov).get_data()
    assert not list(recwarn)


@pytest.mark.parametrize("relative", [False, True])
def test_filename_in_data(
    make: Callable[..., coverage.Coverage],
    relative: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `relative_files` data has names from where a `Coverage` began."""
    monkeypatch.chdir(tmp_path)
    cov = make()
    cov.set_option("run:relative_files", relative)
    ready(cov)
    path = os.path.join(os.getcwd(), "a.py")
    assert coverage_files.filename_in_data(cov, path) == ("a.py" if relative else path)


@each_core
def test_memory_is_let_go(core: str) -> None:
    """Nothing of coverage.py's holds a `Coverage` that has ended, nor the tracers of its starts."""
    cov = coverage.Coverage(data_file=None, config_file=False)
    cov.set_option("run:core", core)
    cov.set_option("run:disable_warnings", _NEEDLESS)
    coverage_collector.prepare(cov)
    coverage_tracers.register_nothing_at_exit(cov)
    before = atexit._ncallbacks()
    for _ in range(2):
        cov.start()
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        cov.stop()
        coverage_collector.take(cov)
    assert atexit._ncallbacks() == before
    ended = weakref.ref(cov)
    coverage_tracers.let_go(cov)
    del cov
    gc.collect()
    assert ended() is None or core == "sysmon"  # the next start of sys.monitoring lets go of it
