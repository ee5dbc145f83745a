"""Threads, tasks and processes that cells start: what they run is counted."""

from __future__ import annotations

import sys

import pytest
from kernels import CORES, Notebook

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
        "def child(pipe):\n    pipe.send(work(1))\n    time.sleep(60)\n"
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
