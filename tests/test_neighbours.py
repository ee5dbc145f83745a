"""Debuggers, profilers and other tools in measured cells, and cells that do what they like."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import IPython
import pytest
from kernels import CORES, MEASURING, Kernel, Notebook
from projects import command, line_of, write_notebook

MONITORS = sys.version_info >= (3, 12)

each_core = pytest.mark.parametrize("core", CORES)
measuring = pytest.mark.parametrize(("core", "branch"), MEASURING)

#: A hook of the user's that runs when ipycov's has, and notes which tools are in place then.
WATCH = """
    import sys, threading
    seen = []
    def watch(result):
        tools = []
        if hasattr(sys, "monitoring"):
            tools = [sys.monitoring.get_tool(id) for id in range(6)]
        seen.append((sys.gettrace(), threading.gettrace(), sys.getprofile(), tools))
    get_ipython().events.register("post_run_cell", watch)
    def trace(*args):
        return None
    """


@pytest.fixture
def watched(fresh: Notebook) -> Iterator[Notebook]:
    """A kernel of the test's own with ipycov, that notes the tools in place after each cell."""
    fresh.load()
    fresh.cell(WATCH)
    yield fresh
    fresh.must("%unload_ext ipycov\nimport coverage")
    assert fresh.must("coverage.Coverage.current() is None").result == "True"


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module} is not installed"
    )


def is_measured(notebook: Notebook) -> bool:
    """Whether the next cell is measured."""
    label = notebook.cell("neighbour = 1\nif neighbour == 2:\n    neighbour = 3")
    return notebook.lines(label) == ([1, 2], [3])


# ---------------------------------------------------------------- what is in place after a cell


@measuring
def test_tools_after_a_cell(watched: Notebook, core: str, branch: bool) -> None:
    """After each cell the trace functions, the profiler and the monitoring tools are as before."""
    watched.cell(f"%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}")
    watched.cell("x = 1")
    watched.run("1 / 0")
    watched.run("x = = 1")
    watched.must("import asyncio\nawait asyncio.sleep(0)")
    reply = watched.must("set(map(str, seen)) == {str((None, None, None, seen[0][3]))}")
    assert reply.result == "True", watched.must("seen").result
    assert watched.must("any(seen[0][3])").result == "False"


@measuring
def test_a_trace_function_of_the_users(watched: Notebook, core: str, branch: bool) -> None:
    """Trace functions that a cell set stay set, until the user takes them off."""
    watched.cell(f"%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}")
    said = watched.must("sys.settrace(trace)").stderr
    assert ("what ran from there on is not measured" in said) is (core != "sysmon")
    reply = watched.must("print(seen[-1][0] is trace, sys.gettrace() is trace)")
    assert reply.stdout == "True True\n"
    assert ("another tool traces this cell" in reply.stderr) is (core != "sysmon")
    watched.must("sys.settrace(None)")
    assert watched.must("seen[-1][0] is None").result == "True"
    assert is_measured(watched)


@measuring
def test_tools_for_threads_of_the_users(watched: Notebook, core: str, branch: bool) -> None:
    """A trace function for new threads stays set too, and new threads start with it."""
    watched.cell(f"%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}")
    watched.cell(
        "calls = []\ndef for_threads(frame, *args):\n    calls.append(frame.f_code.co_name)"
    )
    watched.cell("threading.settrace(for_threads)")
    watched.cell("def work():\n    pass\nt = threading.Thread(target=work)\nt.start()\nt.join()")
    assert watched.must("seen[-1][1] is for_threads, seen[-2][1] is for_threads").result == (
        "(True, True)"
    )
    assert watched.must("'work' in calls").result == "True"
    assert is_measured(watched)
    watched.cell("threading.settrace(None)")
    assert watched.must("seen[-1][1]").result == ""
    assert is_measured(watched)


@each_core
def test_settrace_none(watched: Notebook, core: str) -> None:
    """A cell that takes the trace function off is told that the rest of it is not measured."""
    watched.cell(f"%config IPyCov.core = {core!r}")
    reply = watched.must("import sys\nsys.settrace(None)\ny = 1")
    assert ("is not measured" in reply.stderr) is (core != "sysmon")
    assert is_measured(watched)


@each_core
def test_a_profiler_of_the_users(watched: Notebook, core: str) -> None:
    """A profile function that a cell set stays set, and the cells are measured."""
    watched.cell(f"%config IPyCov.core = {core!r}")
    watched.cell("def profile(*args): pass\nsys.setprofile(profile)")
    assert is_measured(watched)
    assert watched.must("seen[-1][2] is profile").result == "True"
    watched.cell("sys.setprofile(None)")
    assert is_measured(watched)


@pytest.mark.skipif(not MONITORS, reason="Python has sys.monitoring from 3.12 on")
@pytest.mark.parametrize("taken", [[1], [0, 1, 2, 3, 4, 5]])
def test_monitoring_tool_ids(watched: Notebook, taken: list[int]) -> None:
    """Whoever holds tool ids keeps them; where none is left, it is said once and cells run."""
    watched.cell(
        f"for id in {taken}:\n    sys.monitoring.use_tool_id(id, 'theirs')"
        if 1 not in taken
        else "%coverage_stop"
    )
    watched.cell(f"for id in {taken}:\n    sys.monitoring.use_tool_id(id, f'theirs {{id}}')")
    watched.cell("%coverage_start")
    first, second = watched.must("41 + 1"), watched.must("42 + 1")
    assert (first.result, second.result) == ("42", "43")
    assert second.stderr == ""
    if taken == [0, 1, 2, 3, 4, 5]:
        assert "other tools hold the ids of sys.monitoring" in first.stderr
    named = [f"theirs {id}" if id in taken else None for id in range(6)]
    assert watched.must("seen[-1][3]").result == repr(named)
    watched.must(f"for id in {taken}:\n    sys.monitoring.free_tool_id(id)")
    assert is_measured(watched)


# ---------------------------------------------------------------- profilers and other measurers


@measuring
@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("%prun -q -r work()", ""),
        ("import cProfile\np = cProfile.Profile()\np.enable()\nwork()\np.disable()", ""),
        ("%time work()", "3"),
        ("%timeit -n1 -r1 work()", ""),
    ],
    ids=["prun", "cProfile", "time", "timeit"],
)
def test_profilers(bare: Notebook, core: str, branch: bool, text: str, shows: str) -> None:
    """Profilers work inside a measured cell, and what they run is measured."""
    bare.load(core=core, branch=branch)
    label = bare.cell("def work():\n    x = 1\n    return x + 2")
    reply = bare.must(text)
    assert shows in reply.text
    assert bare.lines(label)[1] == []
    assert is_measured(bare)


@needs("line_profiler")
@measuring
def test_line_profiler(fresh: Notebook, core: str, branch: bool) -> None:
    """line_profiler counts lines in a measured cell, and later cells are measured."""
    fresh.load(core=core, branch=branch)
    fresh.cell("def work():\n    x = 1\n    return x + 2")
    fresh.cell("from line_profiler import LineProfiler\np = LineProfiler(work)")
    fresh.run("p.runcall(work)")
    counted = fresh.must("sorted(t[1] for ts in p.get_stats().timings.values() for t in ts)")
    assert counted.result == "[1, 1]"
    assert is_measured(fresh)


@needs("viztracer")
@measuring
def test_viztracer(fresh: Notebook, core: str, branch: bool) -> None:
    """viztracer traces inside a measured cell, which is measured all the same."""
    fresh.load(core=core, branch=branch)
    label = fresh.cell("def work():\n    x = 1\n    return x + 2")
    fresh.cell("from viztracer import VizTracer\nv = VizTracer(verbose=0)")
    fresh.must("v.start()\nwork()\nv.stop()\nv.save('v.json')")
    events = json.loads((fresh.directory / "v.json").read_text())["traceEvents"]
    assert any(event["name"].startswith("work") for event in events)
    assert fresh.lines(label)[1] == []
    assert is_measured(fresh)


# ---------------------------------------------------------------- debuggers


class Debugger:
    """JupyterLab's debugger: debug requests on the control channel of a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._number = 0
        self.ask("initialize", clientID="test", adapterID="", linesStartAt1=True)
        self.ask("attach")

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the reply."""
        client = self._kernel.client
        self._number += 1
        content = {
            "type": "request",
            "seq": self._number,
            "command": command,
            "arguments": arguments,
        }
        message = client.session.msg("debug_request", content)
        client.control_channel.send(message)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            reply = client.control_channel.get_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                answer: dict[str, Any] = reply["content"]
                return answer
        raise TimeoutError(command)

    def breakpoint(self, text: str, line: int) -> None:
        """Set a breakpoint on a line of the cell with this text."""
        path = self.ask("dumpCell", code=text)["body"]["sourcePath"]
        self.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
        self.ask("configurationDone")


@needs("debugpy")
@each_core
def test_jupyterlabs_debugger(fresh: Notebook, core: str) -> None:
    """Breakpoints that JupyterLab sets stop a measured cell, and cells after it are measured."""
    fresh.load(core=core)
    debugger = Debugger(fresh.kernel)
    text = "hit = 1\nhit = 2\nhit = 3"
    debugger.breakpoint(text, 2)
    client = fresh.kernel.client
    id = client.execute(text, stop_on_error=False)
    stopped, said, count = False, "", 0
    end = time.monotonic() + 40
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=40)
        if message["msg_type"] == "debug_event" and message["content"]["event"] == "stopped":
            stopped = True
            thread = message["content"]["body"]["threadId"]
            debugger.ask("continue", threadId=thread)
        if message["parent_header"].get("msg_id") != id:
            continue
        if message["msg_type"] == "stream":
            said += message["content"]["text"]
        if message["msg_type"] == "execute_input":
            count = message["content"]["execution_count"]
        if message["content"].get("execution_state") == "idle":
            break
    assert stopped, said
    client.get_shell_msg(timeout=10)
    debugger.ask("disconnect", restart=False, terminateDebuggee=False)
    if core == "sysmon":
        assert said == ""
        assert fresh.lines(f"In[{count}]") == ([1, 2, 3], [])
    elif "not measured" not in said:
        assert f"In[{count}]" in fresh.report()
    fresh.run("import sys\nsys.settrace(None)")
    assert is_measured(fresh)


@each_core
def test_pdb(fresh: Notebook, core: str) -> None:
    """pdb stops, the debugger's commands work, and the next cell is measured."""
    fresh.load(core=core)
    text = "import pdb\ndef f():\n    pdb.set_trace()\n    return 5\nf()"
    replies = iter(["p 40 + 2", "n", "c"])
    client = fresh.kernel.client
    shown: list[str] = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            shown.append(message["content"]["text"])

    reply = client.execute_interactive(
        text,
        allow_stdin=True,
        timeout=40,
        output_hook=take,
        stdin_hook=lambda message: client.input(next(replies, "c")),
    )
    assert reply["content"]["status"] == "ok"
    assert "42" in "".join(shown)
    assert is_measured(fresh)


@each_core
def test_post_mortem(fresh: Notebook, core: str) -> None:
    """%debug after an error looks at its frames, and the next cell is measured."""
    fresh.load(core=core)
    fresh.cell("def f(secret):\n    return secret / 0")
    fresh.run("f(4321)")
    client = fresh.kernel.client
    replies = iter(["p secret", "q"])
    shown: list[str] = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            shown.append(message["content"]["text"])

    reply = client.execute_interactive(
        "%debug",
        allow_stdin=True,
        timeout=40,
        output_hook=take,
        stdin_hook=lambda message: client.input(next(replies, "q")),
    )
    assert reply["content"]["status"] == "ok"
    assert "4321" in "".join(shown)
    assert is_measured(fresh)


# ---------------------------------------------------------------- what cells do


@each_core
def test_run_and_reload(bare: Notebook, core: str) -> None:
    """%run of a script and importlib.reload are measured."""
    bare.load(core=core)
    bare.write("script_run.py", "a = 1\nif a == 2:\n    a = 3")
    bare.cell("%run script_run.py")
    bare.write("mod_reload.py", "x = 1")
    bare.cell("import sys; sys.modules.pop('mod_reload', None)\nimport mod_reload, importlib")
    time.sleep(0.01)
    bare.write("mod_reload.py", "x = 1\nyy = 22\nif yy == 1:\n    zz = 3")
    bare.cell("importlib.reload(mod_reload)")
    files = bare.report()
    assert files["script_run.py"]["missing_lines"] == [3]
    assert files["mod_reload.py"]["missing_lines"] == [4]


@each_core
def test_run_of_a_notebook(bare: Notebook, core: str) -> None:
    """%run of a notebook is measured, and reported as the file with who ran each line."""
    bare.load(core=core)
    bare.cell("x = 1")  # as a cell of the notebook's
    cells = "x = 1", "def f(y):\n    if y:\n        return 1\n    return 2", "%%time\nf(x)"
    path = write_notebook(bare.directory / "sub" / "other.ipynb", *cells)
    ran = bare.cell("%run sub/other.ipynb\nz = 3")
    called = bare.cell("f(0)")
    bare.write("setup.ipy", "here = %pwd\nif not here:\n    here = 2")
    script = bare.cell("%run setup.ipy")
    files = bare.report("--show-contexts")
    assert files[ran]["executed_lines"] == [1, 2]
    assert files[f"{script}.1"]["missing_lines"] == [3]
    entry = files["sub/other.ipynb"]
    assert entry["missing_lines"] == []
    assert entry["summary"]["num_statements"] == 6
    assert entry["contexts"][str(line_of(path, "    return 1"))] == [ran]
    assert entry["contexts"][str(line_of(path, "    return 2"))] == [called]
    why = bare.must("%coverage_report --why sub/other.ipynb").stdout
    assert why == "sub/other.ipynb is measured: a cell has run it with %run.\n"
    done = command("ipycov", "report", "--json", "stored.json", cwd=bare.directory)
    assert "sub/other.ipynb" in done.stdout
    stored = json.loads((bare.directory / "stored.json").read_text())["files"]
    assert stored["sub/other.ipynb"]["executed_lines"] == entry["executed_lines"]
    bare.must("%unload_ext ipycov\nassert 'safe_execfile_ipy' not in vars(get_ipython())")
    bare.must("%run sub/other.ipynb")


@pytest.mark.skipif(
    IPython.version_info < (8,) and sys.version_info >= (3, 12),
    reason="IPython 7's autoreload needs the module imp, which this Python does not have",
)
@pytest.mark.parametrize("first", ["ipycov", "autoreload"])
def test_autoreload(fresh: Notebook, first: str) -> None:
    """What %autoreload imports again is measured, whichever of the two was loaded first."""
    autoreload = "%load_ext autoreload\n%autoreload 2"
    if first == "autoreload":
        fresh.cell(autoreload)
    fresh.load()
    if first == "ipycov":
        fresh.cell(autoreload)
    path = fresh.write("mod_auto.py", "def f():\n    return 1")
    fresh.cell("import mod_auto; mod_auto.f()")
    time.sleep(1.1)
    path.write_text("def f():\n    x = 2\n    return x\ndef g():\n    return 3\n")
    assert fresh.must("mod_auto.f()").result == "2"
    assert fresh.lines("mod_auto.py") == ([1, 2, 3, 4], [5])


@pytest.mark.parametrize(
    "text",
    [
        "%reset -f",
        "import os, tempfile; os.chdir(tempfile.mkdtemp())",
        "import sys; sys.path[:] = [p for p in sys.path if p]",
        "display = coverage = ipycov = print = sys = os = None",
        "import builtins; del globals()['__builtins__']",
        "import sys; sys.modules.pop('ipycov'); sys.modules.pop('coverage')",
        "import warnings; warnings.simplefilter('error')",
        "import gc; gc.disable(); gc.collect()",
        "import linecache; linecache.cache.clear()",
        "import locale, os; os.environ.clear()",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    ],
)
def test_cells_that_change_the_world(fresh: Notebook, text: str) -> None:
    """Whatever a cell changes around it, the next ones run and are measured."""
    fresh.load()
    fresh.must(text)
    assert fresh.must("41 + 1").result == "42"
    assert fresh.must("if 1 == 2:\n    y = 3").stderr == ""
    fresh.must(f"%coverage_report json -o {fresh.directory / 'o.json'}")
    files = json.loads((fresh.directory / "o.json").read_text())["files"]
    assert [file["missing_lines"] for file in files.values()][-1] == [2]
    fresh.must("%unload_ext ipycov")


def test_no_current_directory(fresh: Notebook) -> None:
    """Where a cell has removed the current directory, cells are measured and reported as ever."""
    fresh.load()
    fresh.cell("import os, tempfile\nos.chdir(tempfile.mkdtemp())\nos.rmdir(os.getcwd())")
    label = fresh.cell("x = 1\nif x == 2:\n    y = 1")
    assert fresh.lines(label) == ([1, 2], [3])
    assert "none of" not in fresh.must("%%cov\nx = 2").said
    fresh.must("%unload_ext ipycov")
    said = fresh.run("%load_ext ipycov").said
    assert "the current directory is gone: go to another with %cd" in said
    assert "Traceback" not in said
    fresh.must("import os; os.chdir('/')\n%load_ext ipycov")


def test_a_directory_that_is_gone(fresh: Notebook) -> None:
    """Where coverage.py can't begin anew for it, cells run, and it is said what to do."""
    fresh.load()
    fresh.must("import os\nos.mkdir('there')\nos.chdir('there')\nos.rmdir('../there')")
    fresh.must("%config IPyCov.branch = True")
    said = "not measured: the current directory is gone: go to another with %cd\n"
    assert fresh.must("x = 1").stderr == f"ipycov: {said}"
    assert fresh.must("%%cov\nx = 1").stdout == said
    for magic in ("%coverage_report", "%coverage_report --why In[1]"):
        assert fresh.run(magic).said.strip() == f"UsageError: {said[14:-1]}"
    fresh.must("os.chdir('..')")
    assert fresh.lines(fresh.cell("y = 1")) == ([1], [])


RAISE_ON_LINE_1 = ["class A(undefined):\n    x = 1", "sorted([1], key=lambda: 0)"]


@pytest.mark.parametrize("text", RAISE_ON_LINE_1)
def test_a_traceback_from_line_1(fresh: Notebook, text: str) -> None:
    """The lines of a cell's first statement are those of a traceback without ipycov."""

    def shown() -> str:
        return re.sub(r"In\[\d+\]|0x\w+|\d+\.py", "", fresh.run(text).traceback)

    plain = shown()
    fresh.load(branch=True)
    assert shown() == plain
    fresh.must("%unload_ext ipycov")
    assert shown() == plain


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_tool_ids_that_a_cell_frees(fresh: Notebook) -> None:
    """A cell that frees ids of sys.monitoring which are not its own breaks nothing."""
    fresh.load(core="sysmon", branch=False)
    fresh.must("import sys\nfor number in range(6):\n    sys.monitoring.free_tool_id(number)")
    label = fresh.cell("def f():\n    return 1\nf()")
    assert fresh.lines(label) == ([1, 2, 3], [])
    fresh.must("%unload_ext ipycov")
    assert fresh.must("sys.monitoring.get_tool(1) is None").result == "True"


def test_threads_that_can_not_be_counted(fresh: Notebook) -> None:
    """No tracer is left where a cell breaks what tells of other threads."""
    fresh.load(core="ctrace")
    fresh.must(
        "import sys, threading\nreal = threading.enumerate\nthreading.enumerate = lambda: 1 / 0"
    )
    fresh.must("x = 1")
    fresh.must("threading.enumerate = real")
    fresh.must("%unload_ext ipycov")
    assert fresh.must("sys.gettrace(), threading.gettrace()").result == "(None, None)"


def test_a_module_called_coverage(fresh: Notebook) -> None:
    """A file of the user's that hides coverage.py is named when ipycov is loaded."""
    path = fresh.write("coverage.py", "x = 1")
    said = fresh.run("%load_ext ipycov").said
    assert f"{path} has its name: rename it" in said
    assert "Traceback" not in said


# ---------------------------------------------------------------- what goes wrong in ipycov


BREAKAGES = {
    "no place to write": "_store = _s._keeper._store\n"
    "_store._directory = __import__('pathlib').Path('/proc/nowhere')\n_store.close()",
    "full disk": "import ipycov.store as st\nclass _os:\n"
    "    def __getattr__(self, name): return getattr(os, name)\n"
    "    def write(self, *a): raise OSError(28, 'No space left on device')\nst.os = _os()",
    "no collector": "import ipycov.coverage_collector as ci\n"
    "def take(cov): raise AttributeError('no flush_data')\nci.take = take",
    "no decision": "import ipycov.coverage_monitoring as ci\n"
    "ci.MonitoredCode.give_back = ci.MonitoredCode.keep = lambda *a: 1 / 0",
    "no start": "import coverage\ncoverage.Coverage.start = lambda self: 1 / 0",
    "no stop": "import coverage\ncoverage.Coverage.stop = lambda self: 1 / 0",
    "no collector at all": "import coverage.collector\ndel coverage.collector.Collector.flush_data",
    "no tracer": "import coverage.sysmon\ncoverage.sysmon.SysMonitor.start = lambda self: 1 / 0",
    "no begin": "_s.begin = lambda *a: 1 / 0",
    "no end": "_s.end = lambda *a: 1 / 0",
    "no name": "_s.compiler.name = lambda *a: 1 / 0",
    "no lines": "import ipycov.cells\nipycov.cells.translate = lambda *a, **k: 1 / 0",
    "no analysis": "from ipycov import session_reports as _r\n_r.CellAnalysis = lambda *a: 1 / 0",
    "no store": "_s._keeper._store.add = lambda *a: 1 / 0",
    "no mark": "_s.compiler.mark = lambda *a: 1 / 0",
    "no place": "_s.compiler.place = _s.compiler.place_timed = lambda *a: 1 / 0",
    "no options": "_s.options = lambda: 1 / 0",
    "nothing said": "_s._say = lambda *a: 1 / 0",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_errors_of_our_own(fresh: Notebook, breakage: str) -> None:
    """Whatever breaks in ipycov, cells give their results, and it is said in one line."""
    fresh.load()
    fresh.cell("import os, sys, coverage\n_s = get_ipython()._ipycov.session\nx = 1")
    fresh.must(BREAKAGES[breakage])
    said = ""
    for number in range(3):
        reply = fresh.must(f"y = {number}\n%time y + 40")
        assert reply.result == str(number + 40)
        said += reply.stderr
        assert fresh.run("1 / 0").ename == "ZeroDivisionError"
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) <= 2, said
    assert all(line.startswith("ipycov: ") for line in lines), said
    assert (
        fresh.must("sys.gettrace() is None or 'overage' in repr(sys.gettrace())").result == "True"
    )
    reply = fresh.must("%unload_ext ipycov\n'gone'")
    assert reply.result == "'gone'"
    left = fresh.must("print(sys.gettrace(), '_ipycov' in vars(get_ipython().compile))").stdout
    assert left == "None False\n"


def test_a_report_when_coverage_has_changed(fresh: Notebook) -> None:
    """A report that can't be made fails its own cell only."""
    fresh.load()
    fresh.cell("x = 1\nimport coverage.results")
    fresh.cell("import ipycov.report as r\nr.analysis_from_file_reporter = None")
    assert fresh.run("%coverage_report").status == "error"
    assert fresh.must("40 + 2").result == "42"


# ---------------------------------------------------------------- interrupts


@each_core
def test_interrupts_at_random_moments(core: str) -> None:
    """After an interrupt at any moment, in a hook or in the cell, the next cell is measured."""
    script = Path(__file__).parent / "stress" / "interrupts.py"
    done = subprocess.run(
        [sys.executable, str(script), "60", core],
        capture_output=True,
        text=True,
        timeout=120,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["wrong"] == []
    assert len(result["outcomes"]) > 1
