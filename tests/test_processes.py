"""Threads, tasks and processes that cells start: what they run is counted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest
from kernels import CORES, Notebook, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

WORK = """
    def work(x):
        if x == 1:
            return "one"
        return "other"
    """
FORKED = {
    "a process": "p = fork.Process(target=work, args=(1,))\np.start()\np.join()",
    "a pool": (
        "with fork.Pool(2) as pool:\n    pool.map(work, [1, 1])\n    pool.close()\n    pool.join()"
    ),
    "an executor": (
        "with ProcessPoolExecutor(2, mp_context=fork) as pool:\n"
        "    assert pool.submit(work, 1).result() == 'one'"
    ),
    "a pool that is terminated": "with fork.Pool(2) as pool:\n    pool.map(work, [1, 1])",
    "a pool whose workers are killed": (
        "import os, signal\n"
        "with ProcessPoolExecutor(1, mp_context=fork) as pool:\n"
        "    assert pool.submit(work, 1).result() == 'one'\n"
        "    [os.kill(pid, signal.SIGKILL) for pid in pool._processes]"
    ),
    "a process that is terminated": (
        "import time\n"
        "def child(pipe):\n    pipe.send(work(1))\n    while True:\n        time.sleep(0.1)\n"
        "ours, theirs = fork.Pipe()\np = fork.Process(target=child, args=(theirs,))\np.start()\n"
        "assert ours.recv() == 'one'\np.terminate()\np.join()\nassert p.exitcode == -15"
    ),
    "os.fork": (
        "import os\npid = os.fork()\nif pid == 0:\n    work(1)\n    os._exit(7)\n"
        "assert os.waitpid(pid, 0)[1] == 7 << 8"
    ),
    "a child's child": (
        "def child():\n    p = fork.Process(target=work, args=(1,))\n    p.start()\n    p.join()\n"
        "p = fork.Process(target=child)\np.start()\np.join()"
    ),
}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("forked", FORKED)
def test_forked_processes(notebook: Notebook, forked: str, core: str) -> None:
    """A cell's function that a forked process runs is counted, and the process ends as ever."""
    branch = core != "sysmon"
    notebook.must(f"%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}")
    notebook.must(
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "fork = multiprocessing.get_context('fork')"
    )
    work = notebook.cell(WORK)
    reply = notebook.must(FORKED[forked])
    assert "ipycov" not in reply.said
    entry = notebook.report()[work]
    assert entry["missing_lines"] == [4]
    if branch:
        assert entry["missing_branches"] == [[2, 4]]


@pytest.mark.parametrize("core", CORES)
def test_a_pool_that_outlives_its_cell(notebook: Notebook, core: str) -> None:
    """What workers of an earlier cell's pool run is counted as soon as they have a result."""
    notebook.must(f"%config IPyCov.core = {core!r}")
    work = notebook.cell(WORK)
    notebook.must(
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork'))\n"
        "pool.submit(int).result()"
    )
    notebook.must("pool.submit(work, 1).result()")
    assert notebook.report()[work]["missing_lines"] == [4]
    notebook.must("pool.submit(work, 2).result()\npool.shutdown()")
    assert notebook.report()[work]["missing_lines"] == []


def test_a_child_that_leaves_the_cell(notebook: Notebook) -> None:
    """A child says nothing where its parent does, and writes nothing to its files."""
    reply = notebook.must(
        "%%cov\nimport os, sys\npid = os.fork()\nif pid == 0:\n    os._exit(0)\n"
        "print(os.waitpid(pid, 0)[1])"
    )
    assert len(reply.displays) == 1
    assert len(list((notebook.directory / ".ipycov").glob("*.session"))) == 1


def test_nothing_is_left_of_children(fresh: Notebook) -> None:
    """What children wrote is gone with the session."""
    fresh.must("%load_ext ipycov\nimport tempfile, glob, os")
    fresh.must(f"tempfile.tempdir = {str(fresh.directory)!r}")
    fresh.must("pid = os.fork()\nif pid == 0:\n    os._exit(0)\n_ = os.waitpid(pid, 0)")
    assert fresh.must("len(glob.glob('ipycov-*'))").result == "1"
    fresh.must("%unload_ext ipycov")
    assert fresh.must("len(glob.glob('ipycov-*'))").result == "0"


@pytest.mark.parametrize("core", CORES)
def test_a_thread_that_outlives_its_cell(notebook: Notebook, core: str) -> None:
    """What a thread of an earlier cell runs while a later cell does is counted."""
    notebook.must(f"%config IPyCov.core = {core!r}")
    work = notebook.cell(WORK)
    notebook.must(
        "import threading\ngo = threading.Event()\n"
        "def wait():\n    go.wait()\n    work(1)\n"
        "thread = threading.Thread(target=wait)\nthread.start()"
    )
    notebook.must("go.set()\nthread.join()")
    assert notebook.report()[work]["missing_lines"] == [4]


@pytest.mark.parametrize("core", CORES)
def test_a_thread_that_outlives_erasing(notebook: Notebook, core: str) -> None:
    """What a thread of an earlier cell runs after %coverage_erase is counted, and that alone."""
    notebook.must(f"%config IPyCov.core = {core!r}")
    work = notebook.cell(WORK)
    notebook.must(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "threads = ThreadPoolExecutor(1)\nthreads.submit(work, 0).result()"
    )
    notebook.must("%coverage_erase")
    label = notebook.cell("threads.submit(work, 1).result()")
    report = notebook.report()
    assert report[work]["executed_lines"] == [2, 3]
    assert label in report
    notebook.must("%coverage_erase\nthreads.submit(work, 0).result()")
    assert notebook.report()[work]["executed_lines"] == [2, 4]
    notebook.must("threads.shutdown()")


@pytest.mark.parametrize("core", [None, *CORES])
@pytest.mark.parametrize("ends", [False, True])
def test_a_thread_that_outlives_options(notebook: Notebook, core: str | None, ends: bool) -> None:
    """What a thread of an earlier cell runs in cells with other options is counted, and after."""
    notebook.must(f"%config IPyCov.core = {core!r}")
    work = notebook.cell(WORK)
    notebook.must(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "threads = ThreadPoolExecutor(1)\nthreads.submit(int).result()"
    )
    end = "threads.shutdown()" if ends else ""
    reply = notebook.must(f"%%cov --branch\nthreads.submit(work, 1).result()\n{end}")
    assert work in reply.displays[-1]["text/plain"]
    found = notebook.report("--show-contexts")[work]
    assert found["missing_lines"] == [4]
    (label,) = found["contexts"]["3"]
    if ends:
        return
    again = notebook.cell("threads.submit(work, 2).result()\nthreads.submit(work, 1).result()")
    found = notebook.report("--show-contexts")[work]
    assert found["missing_lines"] == []
    assert found["contexts"]["3"] == [label, again]
    assert found["contexts"]["4"] == [again]
    other = notebook.cell("%%cov --branch --omit=none\nthreads.submit(work, 1).result()")
    assert notebook.report("--show-contexts")[work]["contexts"]["3"] == [label, again, other]
    notebook.must("%coverage_erase")
    other = notebook.cell("%%cov --branch\nthreads.submit(work, 1).result()")
    assert notebook.report("--show-contexts")[work]["contexts"]["3"] == [other]
    notebook.must("threads.shutdown()")


@pytest.mark.parametrize("core", [None, *CORES])
def test_a_thread_that_traces(notebook: Notebook, core: str | None) -> None:
    """The trace function that a thread has set for itself stays, whatever the options."""
    notebook.must(f"%config IPyCov.core = {core!r}\nimport sys")
    notebook.must(
        "from concurrent.futures import ThreadPoolExecutor\nthreads = ThreadPoolExecutor(1)\n"
        "def trace(*event):\n    return trace\nthreads.submit(sys.settrace, trace).result()"
    )
    notebook.must("%%cov --branch\nthreads.submit(int).result()")
    assert notebook.must("threads.submit(sys.gettrace).result() is trace").result == "True"
    notebook.must("threads.shutdown()")


@pytest.mark.parametrize("core", ["ctrace", "pytrace"])
def test_a_thread_between_cells(notebook: Notebook, core: str) -> None:
    """What a thread runs between two cells is of the first; nothing is while measuring is off."""
    notebook.must(f"%config IPyCov.core = {core!r}\nimport os, threading, time")
    work = notebook.cell(WORK)
    first = notebook.cell(
        f"""
        def wait_for(name):
            while not os.path.exists(os.path.join({str(notebook.directory)!r}, name)):
                time.sleep(0.01)

        def wait():
            for name, what in ("go1", 1), ("go2", 2):
                wait_for(name)
                work(what)
                open(os.path.join({str(notebook.directory)!r}, "did_" + name), "w").close()

        thread = threading.Thread(target=wait)
        thread.start()
        """
    )

    def let(name: str) -> None:
        notebook.write(name, "")
        while not (notebook.directory / f"did_{name}").exists():
            time.sleep(0.01)

    let("go1")
    second = notebook.must("%%cov\npass")
    assert work not in second.displays[-1]["text/plain"]
    assert notebook.report("--show-contexts")[work]["contexts"]["3"] == [first]
    notebook.must("%coverage_stop")
    let("go2")
    notebook.must("thread.join()")
    notebook.must("%coverage_start")
    notebook.must("pass")
    assert notebook.report()[work]["missing_lines"] == [4]


@pytest.mark.parametrize("core", CORES)
def test_a_task_that_outlives_its_cell(notebook: Notebook, core: str) -> None:
    """What a task of an earlier cell runs while a later cell does is counted."""
    notebook.must(f"%config IPyCov.core = {core!r}\nimport asyncio")
    task = notebook.cell(
        """
        async def later():
            await asyncio.sleep(0)
            await go_on.wait()
            x = 1
            await asyncio.sleep(0)
            y = 2

        go_on = asyncio.Event()
        task = asyncio.ensure_future(later())
        await asyncio.sleep(0)
        """
    )
    notebook.must("go_on.set()\nawait task")
    entry = notebook.report()[task]
    assert {2, 4, 5, 6} <= set(entry["executed_lines"])


@pytest.mark.parametrize("concurrency", ["thread", "thread, multiprocessing"])
def test_a_package_named_as_source(notebook: Notebook, concurrency: str) -> None:
    """What a child covers of a package is counted, and leaves no data file where it ran."""
    notebook.write("forking/__init__.py", "")
    notebook.write("forking/work.py", "def work():\n    return 1")
    notebook.must(f"%config IPyCov.concurrency = {concurrency!r}")
    notebook.must("%config IPyCov.source = 'forking'\nimport sys")
    notebook.must(f"sys.path.insert(0, {str(notebook.directory)!r})\nimport forking.work")
    notebook.must(
        "import multiprocessing\np = multiprocessing.get_context('fork').Process("
        "target=forking.work.work)\np.start()\np.join()\ndel sys.path[0]\n"
        "del sys.modules['forking'], sys.modules['forking.work']"
    )
    assert notebook.report()["forking/work.py"]["missing_lines"] == []
    assert not list(notebook.directory.glob(".coverage*"))


MODULE = """
    import os
    import subprocess
    import sys
    import time

    def work(x):
        if x == 1:
            return "one"
        return "other"

    def and_wait(pipe):
        pipe.send(work(1))
        while True:  # Python forgets a signal that comes as a wait begins
            time.sleep(0.1)

    def by_a_fork():
        pid = os.fork()
        if pid == 0:
            work(1)
            os._exit(0)
        os.waitpid(pid, 0)

    def by_a_program():
        subprocess.run([sys.executable, "-c", "import worked; worked.work(1)"], check=True)
    """
SCRIPT = """
    import json
    import os
    import sys

    import worked

    worked.work(1)
    print(json.dumps([sys.argv, sys.path, dict(os.environ), sorted(globals())]))
    """
STARTED = {
    "a process": "p = how.Process(target=work, args=(1,))\np.start()\np.join()",
    "a pool": "with how.Pool(2) as pool:\n    assert pool.map(work, [1, 1]) == ['one', 'one']",
    "an executor": (
        "with ProcessPoolExecutor(2, mp_context=how) as pool:\n"
        "    assert pool.submit(work, 1).result() == 'one'"
    ),
    "a process that is terminated": (
        "ours, theirs = how.Pipe()\n"
        "p = how.Process(target=worked.and_wait, args=(theirs,))\np.start()\n"
        "assert ours.recv() == 'one'\np.terminate()\np.join()\nassert p.exitcode == -15"
    ),
    "a child's fork": "p = how.Process(target=worked.by_a_fork)\np.start()\np.join()",
    "a child's program": "p = how.Process(target=worked.by_a_program)\np.start()\np.join()",
}
PROGRAMS = {
    "run": "subprocess.run([sys.executable, 'script.py'], check=True)",
    "a shell": "subprocess.run(f'{sys.executable} script.py', shell=True, check=True)",
    "!": "!{sys.executable} script.py",
    "system": "assert os.system(f'{sys.executable} script.py') == 0",
    "popen": "os.popen(f'{sys.executable} script.py').read()",
    "an environment": (
        "subprocess.run([sys.executable, 'script.py'], check=True, env={**os.environ, 'A': 'b'})"
    ),
    "an empty environment": "subprocess.run([sys.executable, 'script.py'], check=True, env={})",
    "another path": (
        "subprocess.run([sys.executable, 'script.py'], check=True, env={'PYTHONPATH': 'other'})"
    ),
    "another directory": (
        "subprocess.run([sys.executable, '../script.py'], check=True, cwd='other')"
    ),
    "open files": "subprocess.run([sys.executable, 'script.py'], check=True, close_fds=False)",
    "asyncio": (
        "import asyncio\np = await asyncio.create_subprocess_exec(sys.executable, 'script.py')\n"
        "assert await p.wait() == 0"
    ),
    "%%script": "%%script {sys.executable} script.py\n1",
    "a module": "subprocess.run([sys.executable, '-m', 'script'], check=True)",
}


@pytest.fixture
def launching(notebook: Notebook) -> Iterator[Notebook]:
    """A notebook beside a module and a script, which its processes find."""
    notebook.write("worked.py", MODULE)
    notebook.write("script.py", SCRIPT)
    (notebook.directory / "other").mkdir()
    notebook.must(f"import os, subprocess, sys\nsys.path.insert(0, {str(notebook.directory)!r})")
    notebook.must("__spec__ = None")  # `%reset` takes it away, and multiprocessing needs it
    yield notebook
    notebook.must(
        "import sys\ndel sys.path[0]\n"
        "for name in ('worked', 'pack', 'pack.work'):\n    sys.modules.pop(name, None)"
    )


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", ["spawn", "forkserver"])
@pytest.mark.parametrize("started", STARTED)
def test_started_processes(launching: Notebook, started: str, how: str, core: str) -> None:
    """A module's function that a process runs is counted which begins anew."""
    branch = core != "sysmon"
    launching.must(f"%config IPyCov.core = {core!r}\n%config IPyCov.branch = {branch}")
    launching.must(
        "import multiprocessing, worked\nfrom worked import work\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        f"how = multiprocessing.get_context({how!r})"
    )
    reply = launching.must(STARTED[started])
    assert not reply.said
    entry = launching.report()["worked.py"]
    assert {7, 8} <= set(entry["executed_lines"])
    assert 9 in entry["missing_lines"]
    if branch:
        assert [7, 9] in entry["missing_branches"]


@pytest.mark.parametrize("started", PROGRAMS)
def test_python_programs(launching: Notebook, started: str) -> None:
    """A Python script that a cell starts is counted, however it is started."""
    launching.must(PROGRAMS[started])
    files = launching.report()
    assert files["script.py"]["missing_lines"] == []
    assert {7, 8} <= set(files["worked.py"]["executed_lines"])


#: A pool that is terminated does so to workers that have just begun.
ENDING = """
    import os
    import signal
    import time

    for _ in range(200):
        pid = os.fork()
        if pid == 0:
            time.sleep(2)
            os._exit(0)
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == signal.SIGTERM
    """


def test_forks_that_are_terminated_at_once(launching: Notebook) -> None:
    """A fork of a program that a cell starts is ended by the first SIGTERM, whenever it comes."""
    launching.write("script.py", ENDING)
    launching.must(PROGRAMS["run"])


def test_a_started_process_measures_as_the_cell_does(launching: Notebook) -> None:
    """Branches, source and omit are the cell's, in whatever directory a process starts."""
    launching.must("%config IPyCov.branch = True\n%config IPyCov.omit = 'script.py'")
    launching.must(PROGRAMS["another directory"])
    files = launching.report()
    assert "script.py" not in files
    assert [7, 9] in files["worked.py"]["missing_branches"]


SOURCES = [
    "%config IPyCov.source = 'pack'",
    "%config IPyCov.source = '.'",
    "%config IPyCov.include = 'pack/*'",
    "%config IPyCov.concurrency = 'thread, multiprocessing'",
    "open('.coveragerc', 'w').write('[run]\\nrelative_files = true\\nsigterm = true')",
]


@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.parametrize("options", SOURCES)
def test_options_in_children(launching: Notebook, options: str, how: str) -> None:
    """What a cell measures is what its children do, whatever the options name it by."""
    launching.write("pack/__init__.py", "")
    launching.write("pack/work.py", "def work():\n    return 1")
    launching.must(options)
    launching.must("import multiprocessing, pack.work")
    launching.must(
        f"p = multiprocessing.get_context({how!r}).Process(target=pack.work.work)\n"
        "p.start()\np.join()"
    )
    assert launching.report()["pack/work.py"]["missing_lines"] == []
    assert not list(launching.directory.glob(".coverage.*"))


def test_who_started_it(launching: Notebook) -> None:
    """What a process covers is counted for the cell that started it."""
    cell = launching.cell(PROGRAMS["run"])
    launching.must("1")
    contexts = launching.report("--show-contexts")["worked.py"]["contexts"]
    assert contexts["8"] == [cell]


@pytest.mark.parametrize("env", ["None", "{}", "{'PYTHONPATH': 'a:b', 'IPYCOV': '1'}"])
def test_a_program_sees_nothing_of_it(launching: Notebook, env: str) -> None:
    """A program's arguments, path, environment and output are what they are without ipycov."""
    run = (
        "done = subprocess.run([sys.executable, 'script.py', 'a'], capture_output=True, env="
        f"{env})\nprint(done.stdout.decode(), done.stderr.decode())"
    )
    measured = launching.must(run).stdout
    launching.must("%coverage_stop")
    assert launching.must(run).stdout == measured
    assert "worked.py" in launching.report()


def test_a_cell_sees_nothing_of_it(launching: Notebook) -> None:
    """A cell's environment and a failing start's traceback are what they are without ipycov."""
    before = launching.must("%coverage_stop\nprint(dict(os.environ))").stdout
    launching.must("%coverage_start")
    seen = "pid = os.fork()\nif pid == 0:\n    os._exit(0)\n_ = os.waitpid(pid, 0)\n"
    assert launching.must(seen + "print(dict(os.environ))").stdout == before
    for env in ("None", "{}"):
        reply = launching.run(f"subprocess.run(['/no/such/program'], env={env})")
        assert reply.ename == "FileNotFoundError"
        assert "ipycov" not in reply.traceback
    launching.must("import pickle\nassert pickle.loads(pickle.dumps(os.system)) is os.system")


def test_other_programs_are_given_their_environment(launching: Notebook) -> None:
    """A program that is no Python finds exactly the environment that a cell gives it."""
    assert launching.must("subprocess.check_output(['env'], env={'A': 'b'})").result == "b'A=b\\n'"


def test_nothing_is_started_for_what_is_not_measured(launching: Notebook) -> None:
    """While measuring is off, processes are not measured."""
    launching.must("%coverage_stop")
    launching.must(PROGRAMS["run"])
    launching.must("%coverage_start")
    assert "script.py" not in launching.report()


def test_unloading_leaves_starting_as_it_was(fresh: Notebook) -> None:
    """What is replaced to tell processes is put back."""
    kept = "import os, subprocess\nfrom multiprocessing import spawn\ndef state():\n    return ["
    kept += "subprocess._fork_exec, subprocess._USE_POSIX_SPAWN, os.system, os._exit, "
    fresh.must(kept + "spawn.get_preparation_data]\nbefore = state()")
    fresh.must("%load_ext ipycov")
    assert fresh.must("state() == before").result == "False"
    fresh.must("%unload_ext ipycov")
    assert fresh.must("state() == before").result == "True"


def test_a_python_without_ipycov(launching: Notebook) -> None:
    """A Python that has no ipycov, or does not look at its environment, runs as ever."""
    for option in ("-I", "-S", "-E"):
        run = f"subprocess.run([sys.executable, {option!r}, '-c', 'print(1)'], capture_output=True)"
        reply = launching.must(f"done = {run}\nprint(done.stdout, done.stderr)")
        assert reply.stdout == "b'1\\n' b''\n"


def test_another_sitecustomize(launching: Notebook) -> None:
    """A sitecustomize of the user's is run as ever."""
    launching.write("other/sitecustomize.py", "print('mine')")
    run = "subprocess.check_output([sys.executable, '-c', 'import sitecustomize; print({0})'], {1})"
    run = run.format("sitecustomize.__file__", "env={'PYTHONPATH': 'other'}")
    measured = launching.must(f"print({run})").stdout
    assert "mine" in measured
    launching.must("%coverage_stop")
    assert launching.must(f"print({run})").stdout == measured


def test_a_terminal_of_ipython(launching: Notebook) -> None:
    """Processes that terminal IPython starts are counted."""
    done = terminal(
        "%load_ext ipycov\nimport subprocess, sys\n!{sys.executable} script.py\n%coverage_report",
        launching.directory,
    )
    assert "script.py" in done.stdout


def test_a_process_that_coverage_measures(launching: Notebook) -> None:
    """A program that coverage.py runs is counted by it and by the cell."""
    launching.must("subprocess.run([sys.executable, '-m', 'coverage', 'run', 'script.py'])")
    assert launching.report()["script.py"]["missing_lines"] == []
    launching.must(
        "subprocess.run([sys.executable, '-m', 'coverage', 'json', '-o', 'theirs.json'])"
    )
    theirs = (launching.directory / "theirs.json").read_text()
    assert '"script.py": {"executed_lines": [1, 2, 3, 5, 7, 8]' in theirs


def test_a_kernel_that_a_cell_starts(launching: Notebook) -> None:
    """Modules that another kernel runs are counted, and its own report is what it would be."""
    launching.write(
        "inner.py",
        """
        import nbformat, nbclient
        texts = ["%load_ext ipycov", "import worked; worked.work(1)", "%coverage_report"]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(t) for t in texts])
        nbclient.NotebookClient(notebook, kernel_name="python3").execute()
        print(notebook.cells[2].outputs)
        """,
    )
    reply = launching.must("!{sys.executable} inner.py")
    assert "In[2]" in reply.stdout
    assert "worked.py" in reply.stdout
    report = launching.must("%coverage_report").text
    assert "inner.py" in report
    assert "worked.py" in report
    assert "ipykernel" not in report
    assert not reply.stderr


def test_pytest_in_another_process(launching: Notebook) -> None:
    """Tests that a program runs are counted, by pytest-cov too."""
    launching.write("test_it.py", "import worked\ndef test_it():\n    assert worked.work(1)")
    reply = launching.must("!{sys.executable} -m pytest -q --cov=worked test_it.py")
    assert "worked.py" in reply.stdout
    files = launching.report()
    if "sysmon" in CORES:  # else pytest-cov takes the trace function, and has `worked` alone
        assert files["test_it.py"]["missing_lines"] == []
    assert 8 in files["worked.py"]["executed_lines"]


@pytest.mark.parametrize("live", [True, False])
def test_a_run_that_coverage_has_measure_processes(launching: Notebook, live: bool) -> None:
    """What coverage.py's `patch = subprocess` measures is its own, whether ipycov is loaded."""
    launching.write(
        "outer.py",
        """
        import sys
        import nbformat, nbclient
        texts = ["import subprocess, sys", "subprocess.run([sys.executable, 'script.py'])"]
        if len(sys.argv) > 1:
            texts = ["%load_ext ipycov", *texts, "%coverage_report"]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(t) for t in texts])
        nbclient.NotebookClient(notebook, kernel_name="python3").execute()
        """,
    )
    launching.write(
        "rc", "[run]\nplugins = ipycov\npatch = subprocess\nparallel = true\ndata_file = their"
    )
    launching.must("%coverage_stop")
    run = "subprocess.run([sys.executable, '-m', 'coverage', {0}], check=True)"
    live_or_not = ["'live'"] if live else []
    launching.must(run.format(", ".join(["'run', '--rcfile=rc', 'outer.py'", *live_or_not])))
    launching.must(run.format("'combine', '--rcfile=rc'"))
    launching.must(run.format("'json', '--rcfile=rc', '-o', 'their.json'"))
    theirs = json.loads((launching.directory / "their.json").read_text())["files"]
    assert theirs["script.py"]["missing_lines"] == []
    assert {7, 8} <= set(theirs["worked.py"]["executed_lines"])
