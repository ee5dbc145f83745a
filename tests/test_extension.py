"""The extension in a real kernel and in terminal IPython: what is measured, and what is left."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import IPython
import pytest
from kernels import CORES, Kernel, Notebook, needs_cell_ids, source, terminal

F = """
    def f(x):
        if x:
            return 1
        return 2
    """


# ---------------------------------------------------------------- the lines of a cell


def test_cells_are_measured_from_the_next_one_on(bare: Notebook) -> None:
    """The cell that loads the extension is not measured, the next one is."""
    bare.load()
    label = bare.cell("x = 1\nif x == 2:\n    y = 3")
    assert list(bare.report()) == [label]
    assert bare.lines(label) == ([1, 2], [3])


def test_a_later_cell_adds_to_an_earlier_one(notebook: Notebook) -> None:
    """Lines that a later cell runs in an earlier cell's function count there."""
    label = notebook.cell(F)
    assert notebook.lines(label) == ([1], [2, 3, 4])
    notebook.cell("f(1)")
    assert notebook.lines(label) == ([1, 2, 3], [4])
    notebook.cell("f(0)")
    assert notebook.lines(label) == ([1, 2, 3, 4], [])


#: a cell, and its executed and missing lines as the front end numbers them
NUMBERED = [
    ("\n\n\nx = 1\nif x == 2:\n    y = 1", [4, 5], [6]),
    ("\n\n  x = 1\n  if x == 2:\n      y = 1", [3, 4], [5]),
    ("x = 1\n%config \\\n  IPyCov\nif x == 2:\n    y = 1", [1, 2, 4], [5]),
    ("x = 1\n!true \\\n  && true\n!true\nif not x:\n    y = 1", [1, 2, 4, 5], [6]),
    ("x = %config \\\n  IPyCov\nif x is None:\n    y = 1\nelse:\n    y = 2", [1, 3, 4], [6]),
    ("here = %pwd\nif not here:\n    y = 1\n", [1, 2], [3]),
    (">>> x = 1\n>>> if x == 2:\n...     y = 1\n...\n>>> z = 3", [1, 2, 5], [3]),
    ("In [1]: x = 1\n\nIn [2]: if x == 2:\n   ...:     y = 1\n   ...:\n", [1, 3], [4]),
    ("len?\nx = 1\nif x == 2:\n    len??\n", [1, 2, 3], [4]),
    ("x = '''\n%time y\n!ls\n'''\nif not x:\n    y = 1", [1, 5], [6]),
    ("x = 1; y = 2\nif x == 2: y = 1", [1, 2], []),
    ("%time x = 1\nif x == 2:\n    %time y = 1\n    %timeit -n1 -r1 y", [1, 2], [3, 4]),
    ("x = 1\r\nif x == 2:\r\n    y = 1", [1, 2], [3]),
    ("%%cov -q\n\n\n!true\nx = 1\nif x == 2:\n    y = 1", [4, 5, 6], [7]),
    ("\n\n%%time\n\nx = 1\nif x == 2:\n    y = 1", [5, 6], [7]),
    ("%%time\n!true\nx = %pwd\nif not x:\n    y = 1", [2, 3, 4], [5]),
    ("%%time\n%config \\\n  IPyCov\nx = 1\nif x == 2:\n    y = 1", [2, 4, 5], [6]),
    ("%%capture\n>>> x = 1\n>>> if x == 2:\n...     y = 1", [2, 3], [4]),
    ("\n  %%capture\n  %%time\n\n  x = 1\n  if x == 2:\n      y = 1", [5, 6], [7]),
]


@pytest.mark.parametrize(("text", "executed", "missing"), NUMBERED)
def test_lines_are_numbered_as_the_front_end_does(
    notebook: Notebook, text: str, executed: list[int], missing: list[int]
) -> None:
    """Line 1 is the first line as typed, whatever IPython makes of the text."""
    assert notebook.lines(notebook.kernel.run(text).label) == (executed, missing)


BODY = "x = 1\nif x == 2:\n    y = 3\nz = 4"
STACKS = [
    ["%%time"],
    ["%%timeit -n1 -r1"],
    ["%%timeit -n2 -r2 q = 5; w = (lambda: q)()"],
    ["%%capture"],
    ["%%capture out --no-stderr"],
    ["%%cov -q"],
    ["%%time", "%%cov -q"],
    ["%%cov -q", "%%time"],
    ["%%cov", "%%capture"],
    ["%%capture", "%%cov"],
    ["%%capture", "%%time", "%%cov"],
    ["%%time", "%%timeit -n1 -r1"],
    ["%%timeit -n1 -r1", "%%time"],
    ["%%timeit -n1 -r1", "%%capture"],
    ["%%cov -q", "%%timeit -n1 -r1 q = 1", "%%time"],
    ["%%time", "", "%%capture", "", "%%cov -q"],
    ["%%capture", "%%timeit -n1 -r1", "%%time", "%%cov"],
]


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("stack", STACKS, ids=" ".join)
def test_bodies_of_magics_are_measured(bare: Notebook, stack: list[str], branch: bool) -> None:
    """The body under magics that run Python is measured line by line, in any order."""
    bare.load(branch=branch)
    label = bare.cell("\n".join([*stack, BODY]))
    above = len(stack)
    files = bare.report()
    assert files[label]["executed_lines"] == [above + 1, above + 2, above + 4]
    assert files[label]["missing_lines"] == [above + 3]
    if branch:
        assert files[label]["executed_branches"] == [[above + 2, above + 4]]
        assert files[label]["missing_branches"] == [[above + 2, above + 3]]


@pytest.mark.parametrize(
    "stack", [["%%time"], ["%%cov -q"], ["%%cov -q", "%%capture"]], ids=" ".join
)
@pytest.mark.parametrize(("prompt", "others"), [(">>> ", "... "), ("In [3]: ", "   ...: ")])
def test_bodies_below_prompts(bare: Notebook, stack: list[str], prompt: str, others: str) -> None:
    """A magic that was pasted with prompts is what it is without them."""
    bare.load()
    label = bare.cell(prompt + f"\n{others}".join([*stack, *BODY.split("\n")]))
    above = len(stack)
    assert bare.lines(label) == ([above + 1, above + 2, above + 4], [above + 3])


@pytest.mark.parametrize("stack", [["%%capture"], ["%%time"], ["%%timeit -n1 -r1"]], ids=" ".join)
def test_the_last_statement_under_stacked_magics(bare: Notebook, stack: list[str]) -> None:
    """A statement that a loop of %%timeit's ends with leaves the cell, whatever stands above."""
    bare.load(branch=True)
    label = bare.cell("\n".join([*stack, "%%timeit -n1 -r1", "x = 1", "if x == 2:", "    y = 3"]))
    assert bare.report()[label]["executed_branches"] == [[4, -1]]
    assert bare.report()[label]["missing_branches"] == [[4, 5]]


def test_a_statement_that_failed_and_ran_again(bare: Notebook) -> None:
    """A condition that failed went nowhere, though what is below ran when the cell ran again."""
    bare.load(branch=True)
    assert bare.run("if missing:\n    y = 1\nz = 2", cell_id="again").ename == "NameError"
    bare.cell("missing = True")
    label = bare.cell("if missing:\n    y = 1\nz = 2", cell_id="again")
    assert bare.report()[label]["executed_branches"] == [[1, 2]]
    assert bare.report()[label]["missing_branches"] == [[1, 3]]
    bare.cell("missing = False")
    label = bare.cell("if missing:\n    y = 1\nz = 2", cell_id="again")
    assert bare.report()[label]["missing_branches"] == []


def test_functions_under_a_magic(bare: Notebook) -> None:
    """A function that was defined under a magic keeps its lines when a later cell calls it."""
    bare.load(branch=True)
    label = bare.cell("%%time\ndef f(x): return x\nclass C:\n    def g(self):\n        return 1\n")
    assert bare.lines(label) == ([2, 3, 4], [5])
    bare.cell("C().g()")
    assert bare.lines(label) == ([2, 3, 4, 5], [])


def test_line_magics_in_loops_and_functions(bare: Notebook) -> None:
    """What %time and %timeit run on a line counts on that line, wherever it stands."""
    bare.load(branch=True)
    label = bare.cell(
        """
        for i in range(2):
            %time y = i
            t = %timeit -n1 -r1 -o -q y
        def g(a):
            if a:
                %time b = a
            else:
                %timeit -n1 -r1 b = 2
            return 1
        g(1)
        """
    )
    entry = bare.report()[label]
    assert entry["missing_lines"] == [8]
    assert entry["missing_branches"] == [[5, 8]]
    assert entry["executed_branches"] == [[1, 2], [1, 4], [5, 6]]


@pytest.mark.parametrize("magic", ["bash", "html", "script bash", "writefile a.txt", "python"])
def test_other_magics_are_one_statement(notebook: Notebook, magic: str) -> None:
    """A cell under a magic that is not Python in this kernel counts as one statement."""
    label = notebook.cell(f"%%{magic}\n# a\n# b")
    assert notebook.lines(label) == ([1], [])


def test_a_magic_of_the_users(notebook: Notebook) -> None:
    """A user's own magic that runs its body as a cell is measured line by line."""
    notebook.cell(
        """
        from IPython.core.magic import register_cell_magic
        @register_cell_magic
        def mine(line, cell):
            get_ipython().run_cell(cell)
        """
    )
    label = notebook.cell("%%mine\nx = 1\nif x == 2:\n    y = 3")
    assert notebook.lines(label) == ([2, 3], [4])


def test_cells_run_by_cells(notebook: Notebook) -> None:
    """A text that a cell has IPython run is reported beside the cell, after it."""
    outer = notebook.cell(
        """
        shell = get_ipython()
        _ = shell.run_cell("x = 1\\nif x == 2:\\n    y = 1")
        _ = shell.run_cell("z = 1")
        w = 1
        """
    )
    files = notebook.report()
    assert list(files) == [outer, f"{outer}.1", f"{outer}.2"]
    assert files[outer]["executed_lines"] == [1, 2, 3, 4]
    assert files[f"{outer}.1"]["missing_lines"] == [3]


def test_silent_cells_do_no_harm(notebook: Notebook) -> None:
    """Code that a front end runs silently fires no hooks of cells; the next cell is measured."""
    notebook.kernel.run("x = 1", silent=True)
    label = notebook.cell("y = 1\nif y == 2:\n    z = 1")
    assert notebook.lines(label) == ([1, 2], [3])


def test_empty_cells(notebook: Notebook) -> None:
    """Empty cells and cells of comments are in no report and disturb no other."""
    labels = [notebook.kernel.run(text).label for text in ("", "\n\n", "# nothing", "x = 1")]
    assert list(notebook.report()) == labels[-1:]


# ---------------------------------------------------------------- which cell is which


@needs_cell_ids
def test_an_edited_cell_replaces_its_old_self(notebook: Notebook) -> None:
    """A cell edited and run again replaces its old self."""
    old = notebook.cell("x = 1\nif x == 2:\n    y = 1", "a")
    new = notebook.cell("x = 1\nif x == 2:\n    y = 2\nz = 1", "a")
    files = notebook.report()
    assert old not in files
    assert files[new]["missing_lines"] == [3]


@needs_cell_ids
def test_functions_of_an_old_text(notebook: Notebook) -> None:
    """A function of a cell's old text that still runs does not count in the new text."""
    notebook.cell("def f():\n    return 1", "a")
    notebook.cell("g = f", "b")
    new = notebook.cell("def f():\n    return 2", "a")
    notebook.cell("g()", "c")
    assert notebook.lines(new) == ([1], [2])


@needs_cell_ids
def test_a_cell_run_again_is_one_cell(notebook: Notebook) -> None:
    """The same cell run twice is one cell under its latest count, with the lines of both runs."""
    notebook.cell("flag = True", "f")
    first = notebook.cell("if flag:\n    x = 1\nelse:\n    x = 2", "a")
    notebook.cell("flag = False", "f")
    second = notebook.cell("if flag:\n    x = 1\nelse:\n    x = 2", "a")
    assert first not in notebook.report()
    assert notebook.lines(second) == ([1, 2, 4], [])


@needs_cell_ids
def test_two_cells_of_the_same_text(notebook: Notebook) -> None:
    """Two cells with the same text are two cells, each with its own lines."""
    text = "def f(x):\n    if x:\n        return 1\n    return 2"
    one = notebook.cell(text, "one")
    notebook.cell("first = f", "x")
    two = notebook.cell(text, "two")
    notebook.cell("first(1)\nf(0)", "y")
    assert notebook.lines(one) == ([1, 2, 3], [4])
    assert notebook.lines(two) == ([1, 2, 4], [3])


def test_without_ids_a_new_text_is_a_new_cell(notebook: Notebook) -> None:
    """Where the front end sends no id, each execution of a new text is a cell."""
    labels = [notebook.cell(text) for text in ("x = 1", "x = 2", "x = 3")]
    assert list(notebook.report()) == labels


# ---------------------------------------------------------------- what outlives its cell


def load_with(bare: Notebook, core: str, branch: bool) -> Notebook:
    bare.load(core=core, branch=branch)
    bare.cell("import asyncio, threading, time, types\nfrom concurrent.futures import *")
    return bare


EVERY_CORE = pytest.mark.parametrize(
    ("core", "branch"), [(core, branch) for core in CORES for branch in (False, True)]
)


@EVERY_CORE
def test_generators_that_outlive_their_cell(bare: Notebook, core: str, branch: bool) -> None:
    """A generator begun in one cell and gone on with in later ones is measured throughout."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(
        """
        def gen():
            a = 1
            yield a
            b = 2
            yield b
            c = 3
        g = gen()
        next(g)
        """
    )
    assert notebook.lines(label) == ([1, 2, 3, 7, 8], [4, 5, 6])
    notebook.cell("next(g)")
    assert notebook.lines(label) == ([1, 2, 3, 4, 5, 7, 8], [6])
    notebook.cell("x = 1")
    notebook.cell("list(g)")
    assert notebook.lines(label)[1] == []


@EVERY_CORE
def test_coroutines_that_outlive_their_cell(bare: Notebook, core: str, branch: bool) -> None:
    """Coroutines and async generators gone on with in a later cell are measured throughout."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(
        """
        @types.coroutine
        def switch():
            yield 1
        async def co():
            a = 1
            await switch()
            b = 2
        async def agen():
            a = 1
            yield a
            b = 2
            yield b
        c = co()
        c.send(None)
        ag = agen()
        await ag.__anext__()
        """
    )
    notebook.cell("try:\n    c.send(None)\nexcept StopIteration:\n    pass")
    assert notebook.lines(label)[1] == [11, 12]
    notebook.cell("await ag.__anext__()")
    assert notebook.lines(label)[1] == []


@EVERY_CORE
def test_tasks_that_outlive_their_cell(bare: Notebook, core: str, branch: bool) -> None:
    """An asyncio task begun in one cell is measured in the later cells that let it go on."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(
        """
        event = asyncio.Event()
        async def work():
            a = 1
            await event.wait()
            b = 2
            await asyncio.sleep(0)
            c = 3
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        """
    )
    assert notebook.lines(label)[1] == [5, 6, 7]
    notebook.cell("x = 1")
    notebook.cell("event.set()\nawait task")
    assert notebook.lines(label)[1] == []


@EVERY_CORE
def test_what_begins_between_two_cells(bare: Notebook, core: str, branch: bool) -> None:
    """A task and a thread that begin when their cell has ended are measured in the next."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(
        """
        import threading
        go_on, begun, event = threading.Event(), threading.Event(), asyncio.Event()
        async def work():
            await event.wait()
            b = 2
            await asyncio.sleep(0)
            c = 3
        def late():
            begun.set()
            go_on.wait()
            d = 4
        def wait():
            first.wait()
            late()
        def start(result):
            get_ipython().events.unregister("post_run_cell", start)
            first.set()
            begun.wait()
        first, thread = threading.Event(), threading.Thread(target=wait)
        thread.start()
        get_ipython().events.register("post_run_cell", start)
        task = asyncio.create_task(work())
        """
    )
    assert set(notebook.lines(label)[1]) >= {5, 6, 7, 11}
    notebook.cell("event.set()\nawait task\ngo_on.set()\nthread.join()")
    assert not set(notebook.lines(label)[1]) & {5, 6, 7, 11}


@EVERY_CORE
def test_threads_that_outlive_their_cell(bare: Notebook, core: str, branch: bool) -> None:
    """Threads and pools started in one cell are measured in later cells."""
    notebook = load_with(bare, core, branch)
    notebook.cell("pool = ThreadPoolExecutor(2)\npool.submit(int).result()")
    label = notebook.cell(
        """
        event = threading.Event()
        def work(x):
            y = x
            return y
        def wait():
            a = 1
            event.wait(20)
            b = 2
        thread = threading.Thread(target=wait)
        thread.start()
        """
    )
    notebook.cell("x = 1")
    notebook.cell("pool.submit(work, 1).result()")
    notebook.cell("event.set()\nthread.join()")
    assert notebook.lines(label)[1] == []
    notebook.cell("pool.shutdown()")


@EVERY_CORE
def test_work_of_threads_between_cells(bare: Notebook, core: str, branch: bool) -> None:
    """What a thread does after measuring was stopped is not counted."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(
        """
        event = threading.Event()
        def wait():
            event.wait(20)
            b = 2
        thread = threading.Thread(target=wait)
        thread.start()
        """
    )
    notebook.cell("%coverage_stop")
    notebook.cell("event.set()\nthread.join()")
    executed, missing = notebook.lines(label)
    if core == "sysmon":
        assert missing == [4]
    assert 3 in executed


@EVERY_CORE
def test_each_line_knows_its_cells(bare: Notebook, core: str, branch: bool) -> None:
    """Each line keeps the full list of the cells that ran it, with every core."""
    notebook = load_with(bare, core, branch)
    label = notebook.cell(F)
    labels = [notebook.cell(text) for text in ("f(1)", "f(0)", "f(1); x = 2", "%cov -q f(1)")]
    contexts = notebook.report("--show-contexts")[label]["contexts"]
    assert contexts["1"] == [label]
    assert contexts["2"] == labels
    assert contexts["3"] == [labels[0], labels[2], labels[3]]
    assert contexts["4"] == [labels[1]]


# ---------------------------------------------------------------- cells that end badly


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("if x: raise SystemExit(3)", "SystemExit"),
        ("if x: raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("if x: raise BaseException('x')", "BaseException"),
        ("await coro()", "ValueError"),
    ],
)
@pytest.mark.parametrize("above", ["", "%%cov -q\n", "%%time\n"])
def test_a_cell_that_fails_is_measured(
    notebook: Notebook, ending: str, name: str, above: str
) -> None:
    """A cell that fails keeps what it ran, stays failed, and the next cell is measured."""
    if "time" in above and IPython.version_info < (8,):
        pytest.skip("IPython 7's %%time shows the error and goes on")
    if "await" in ending and "time" in above:
        above = ""  # %%time runs no await
    notebook.cell("async def coro():\n    raise ValueError")
    reply = notebook.run(f"{above}x = 1\n{ending}\ny = 2")
    assert (reply.status, reply.ename) == ("error", name)
    first = 1 + above.count("\n")
    assert notebook.lines(reply.label) == ([first, first + 1], [first + 2])
    label = notebook.cell("z = 1\nif z == 2:\n    y = 1")
    assert notebook.lines(label) == ([1, 2], [3])


@pytest.mark.parametrize(
    "text", ["x =", "def f(:", "return 1", "x = 1\nif x:\ny = 2", "%%cov -q\nx =", "%cov x ="]
)
def test_a_cell_that_does_not_compile(notebook: Notebook, text: str) -> None:
    """A cell that did not compile is named with the reason, and the others are reported."""
    good = notebook.cell("x = 1")
    bad = notebook.run(text)
    assert bad.status == "error"
    shown = notebook.must("%coverage_report").text
    assert f"{bad.label} is not in the report: it did not compile: " in shown
    assert "Error" in shown.rsplit("compile: ")[-1]
    assert list(notebook.report()) == [good]


def test_the_line_that_does_not_compile(notebook: Notebook) -> None:
    """The error of a cell that did not compile tells the line that the front end shows."""
    notebook.run("\n\n%config \\\n  IPyCov\nx = 1\nx =\n")
    assert "(line 6)" in notebook.must("x = 1\n%coverage_report").text


@needs_cell_ids
def test_a_cell_that_compiles_at_last(notebook: Notebook) -> None:
    """A cell that is put right is reported, and its error is forgotten."""
    notebook.run("x =", "a")
    label = notebook.cell("x = 1", "a")
    shown = notebook.must("%coverage_report").text
    assert label in shown
    assert "not in the report" not in shown


def test_an_interrupt_ends_the_cell_and_nothing_else(notebook: Notebook) -> None:
    """An interrupted cell keeps what it ran; the next cell is measured."""

    def interrupt() -> None:
        for _ in range(200):
            if (notebook.directory / "running").exists():
                break
            time.sleep(0.05)
        notebook.kernel.manager.interrupt_kernel()

    thread = threading.Thread(target=interrupt)
    thread.start()
    reply = notebook.run(
        """
        import time
        open('running', 'w').close()
        for _ in range(2000):
            time.sleep(0.01)
        y = 2
        """
    )
    thread.join()
    assert reply.ename == "KeyboardInterrupt"
    assert notebook.lines(reply.label) == ([1, 2, 3, 4], [5])
    label = notebook.cell("z = 1\nif z == 2:\n    y = 1")
    assert notebook.lines(label) == ([1, 2], [3])


# ---------------------------------------------------------------- modules


def test_modules_from_their_import_on(notebook: Notebook) -> None:
    """A local module is measured from its import on; what is installed is not."""
    notebook.write("lib_imported.py", "def f(x):\n    if x:\n        return 1\n    return 2")
    notebook.cell("import json, lib_imported\nlib_imported.f(1)\njson.dumps({})")
    files = notebook.report()
    assert [name for name in files if not name.startswith("In[")] == ["lib_imported.py"]
    assert files["lib_imported.py"]["missing_lines"] == [4]
    notebook.cell("lib_imported.f(0)")
    assert notebook.lines("lib_imported.py")[1] == []


def test_a_module_that_changes(notebook: Notebook) -> None:
    """A module that was edited is reported with the lines it has now."""
    notebook.write("lib_changed.py", "x = 1")
    notebook.cell("import lib_changed")
    assert notebook.lines("lib_changed.py") == ([1], [])
    notebook.write("lib_changed.py", "x = 1\ny = 22")
    assert notebook.lines("lib_changed.py") == ([1], [2])


@pytest.mark.parametrize("text", [None, "def (:", "\x00\x01"])
def test_a_module_that_is_gone(notebook: Notebook, text: str | None) -> None:
    """A module that was deleted or broken after its import is named; the others are reported."""
    path = notebook.write("lib_gone.py", "x = 1")
    label = notebook.cell("import sys; sys.modules.pop('lib_gone', None)\nimport lib_gone")
    path.unlink()
    if text is not None:
        path.write_text(text)
    for _ in range(2):
        shown = notebook.must("%coverage_report").text
        assert label in shown
        assert "lib_gone.py is not in the report" in shown
    for format in ("json", "xml", "lcov", "html", "markdown", "text"):
        assert notebook.must(f"%coverage_report {format} -o out_{format}").status == "ok"


def test_the_directory_changes(notebook: Notebook) -> None:
    """A cell may change the directory: names are those from where the session began."""
    notebook.write("lib_moved.py", "x = 1\nif x == 2:\n    y = 1")
    notebook.write("sub/lib_there.py", "x = 1")
    notebook.cell("import os, sys\nos.chdir('sub')\nsys.path.append('.')")
    label = notebook.cell(
        "sys.path.append('..')\nimport lib_moved, lib_there\nsys.path[-2:] = []\nx = 1"
    )
    files = notebook.report()
    assert {label, "lib_moved.py", os.path.join("sub", "lib_there.py")} <= set(files)
    assert files["lib_moved.py"]["missing_lines"] == [3]


@pytest.mark.parametrize("core", CORES)
def test_everything_is_included(core: str, bare: Notebook) -> None:
    """Where `include` has all files in, coverage.py's own too, cells run, beside threads."""
    bare.must("%load_ext ipycov")
    bare.must(f"%config IPyCov.core = {core!r}\n%config IPyCov.include = ['*']")
    bare.must("import threading\nended = threading.Event()")
    bare.must("thread = threading.Thread(target=ended.wait)\nthread.start()")
    label = bare.must("x = 1\nif x == 2:\n    y = 3").label
    bare.must("ended.set()\nthread.join()")
    report = bare.must(f"%coverage_report -m --include {label}")
    assert "67%" in report.text


def test_options_that_change_in_another_directory(bare: Notebook) -> None:
    """The configuration and names stay those of where the session began."""
    bare.write(".coveragerc", "[run]\nomit = */lib_left.py\n[report]\nexclude_also = left out\n")
    bare.write("sub/.coveragerc", "[report]\nprecision = 3\n")
    bare.write("lib_kept.py", "x = 1\nif x == 2:  # left out\n    y = 1\n")
    bare.write("lib_left.py", "x = 1\n")
    bare.must("%load_ext ipycov")
    bare.must("import os\nos.chdir('sub')")
    bare.must("%config IPyCov.branch = True")
    bare.must(
        "import sys\nsys.path.append(os.path.dirname(os.getcwd()))\nimport lib_kept, lib_left"
    )
    bare.must("sys.path.pop()")
    files = bare.report()
    assert files["lib_kept.py"]["excluded_lines"] == [2, 3]
    assert not [name for name in files if "lib_left" in name]
    assert "100%" in bare.must("%coverage_report").text
    assert os.path.basename(bare.must("os.getcwd()").result.strip("'")) == "sub"


# ---------------------------------------------------------------- traits and config files


def test_branch_takes_effect_from_the_next_cell(notebook: Notebook) -> None:
    """%config IPyCov.branch = True measures branches from the next cell on."""
    before = notebook.cell("for i in [1]:\n    x = i")
    notebook.cell("%config IPyCov.branch = True")
    after = notebook.cell("for i in [1]:\n    y = i\nz = 1")
    files = notebook.report()
    assert files[after]["executed_branches"] == [[1, 2], [1, 3]]
    assert files[before]["summary"]["num_branches"] == 0, "its branches were not measured"
    assert files[before]["missing_branches"] == []
    notebook.cell("%config IPyCov.branch = False")
    assert notebook.lines(notebook.cell("x = 1")) == ([1], [])


@pytest.mark.parametrize("format", ["text", "markdown", "xml", "lcov", "html"])
def test_branches_of_some_cells(notebook: Notebook, format: str) -> None:
    """Every format can report cells with branches beside cells without."""
    notebook.cell("for i in [1]:\n    x = i")
    notebook.cell("%config IPyCov.branch = True")
    notebook.cell("for i in [1]:\n    y = i\n    break")
    notebook.must(f"%coverage_report {format} -o out")
    notebook.must("%coverage_report html")


LIBS = ("lib_one", "lib_two", "lib_three")


@pytest.fixture
def libs(bare: Notebook) -> Iterator[Notebook]:
    """A notebook beside three modules that were not imported yet."""
    for name in LIBS:
        bare.write(f"{name}.py", "x = 1\nif x == 2:\n    y = 1")
    yield bare
    bare.must(f"import sys\nfor name in {LIBS}:\n    sys.modules.pop(name, None)")


def modules(notebook: Notebook) -> set[str]:
    notebook.cell("import lib_one, lib_two, lib_three")
    return {name.removesuffix(".py") for name in notebook.report() if "In[" not in name}


@pytest.mark.parametrize(
    ("trait", "value", "measured"),
    [
        ("source", ["lib_one"], {"lib_one"}),
        ("source", "lib_one,lib_two", {"lib_one", "lib_two"}),
        ("source", ["."], set(LIBS)),
        ("include", ["*/lib_t*"], {"lib_two", "lib_three"}),
        ("omit", ["*/lib_t*", "*one.py"], set()),
        ("omit", ["*/lib_t*"], {"lib_one"}),
        ("timid", True, set(LIBS)),
        ("concurrency", ["thread"], set(LIBS)),
        ("config_file", False, set(LIBS)),
    ],
)
def test_traits(libs: Notebook, trait: str, value: object, measured: set[str]) -> None:
    """Each trait means what coverage.py's option of that name means; the cells stay in."""
    libs.load(**{trait: value})
    label = libs.cell("cell = 1")
    assert modules(libs) == measured
    assert label in libs.report()


def test_installed_packages_on_request(notebook: Notebook) -> None:
    """cover_pylib measures the standard library too."""
    notebook.cell("%config IPyCov.cover_pylib = True")
    notebook.cell("import textwrap\ntextwrap.dedent('x')")
    assert any(name.endswith("textwrap.py") for name in notebook.report())
    assert not any("ipycov" in Path(name).parts for name in notebook.report())


@pytest.mark.parametrize("core", CORES)
def test_the_core_that_is_asked_for(bare: Notebook, core: str) -> None:
    """The trait core chooses what measures."""
    bare.load(core=core)
    said = bare.must(
        """
        import sys
        tool = sys.monitoring.get_tool(1) if sys.version_info >= (3, 12) else None
        print(type(getattr(sys.gettrace(), '__self__', sys.gettrace())).__name__, tool)
        """
    ).stdout
    expected = {"ctrace": "CTracer", "pytrace": "PyTracer", "sysmon": "coverage.py"}
    assert expected[core] in said


CONFIG = "branch = {true}\nomit = {omit}\n"
FILES = {
    ".coveragerc": "[run]\nbranch = true\nomit = */lib_t*\n"
    "[report]\nexclude_also = if x == 3\nprecision = 2\nshow_missing = true\n",
    "setup.cfg": "[coverage:run]\nbranch = true\nomit = */lib_t*\n"
    "[coverage:report]\nexclude_also = if x == 3\nprecision = 2\nshow_missing = true\n",
    "tox.ini": "[coverage:run]\nbranch = true\nomit = */lib_t*\n"
    "[coverage:report]\nexclude_also = if x == 3\nprecision = 2\nshow_missing = true\n",
    "pyproject.toml": '[tool.coverage.run]\nbranch = true\nomit = ["*/lib_t*"]\n'
    '[tool.coverage.report]\nexclude_also = ["if x == 3"]\nprecision = 2\nshow_missing = true\n',
}


@pytest.mark.parametrize("name", FILES)
def test_config_files(libs: Notebook, name: str) -> None:
    """coverage.py's configuration files are honoured as coverage.py honours them."""
    (libs.directory / name).write_text(FILES[name])
    libs.load()
    label = libs.cell("x = 1\nif x == 2:\n    y = 1\nz = 1\nif x == 3:\n    y = 2\n")
    assert modules(libs) == {"lib_one"}
    entry = libs.report()[label]
    assert entry["excluded_lines"] == [5, 6]
    assert entry["missing_branches"] == [[2, 3]]
    shown = libs.must("%coverage_report").text
    assert "Missing" in shown
    assert "60.00%" in shown


def test_a_trait_wins(libs: Notebook) -> None:
    """A trait that is set wins over the configuration file, and None gives way to it."""
    (libs.directory / ".coveragerc").write_text("[run]\nbranch = true\nomit = */lib_t*\n")
    libs.load(branch=False, omit=["*/lib_one*"])
    assert modules(libs) == {"lib_two", "lib_three"}
    label = libs.cell("if 1 == 2:\n    x = 1")
    assert libs.report()[label]["summary"].get("num_branches", 0) == 0


def test_another_config_file(libs: Notebook) -> None:
    """config_file names the file to read, or that none is read."""
    (libs.directory / ".coveragerc").write_text("[run]\nomit = *\n")
    (libs.directory / "other.ini").write_text("[run]\nomit = */lib_one*\n")
    libs.load(config_file="other.ini")
    assert modules(libs) == {"lib_two", "lib_three"}


def test_the_environments_config_file(tmp_path: Path) -> None:
    """COVERAGE_RCFILE names the configuration file, as for coverage.py."""
    (tmp_path / "other.ini").write_text("[report]\nprecision = 3\n")
    done = terminal(
        "%load_ext ipycov\nx = 1\n%coverage_report",
        tmp_path,
        COVERAGE_RCFILE=str(tmp_path / "other.ini"),
    )
    assert "100.000%" in done.stdout


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("branch = 'perhaps'", "branch"),
        ("core = 'fast'", "sysmon"),
        ("source = 5", "source"),
        ("config_file = 7", "config_file"),
        ("nope = 1", "nope"),
    ],
)
def test_a_wrong_trait(notebook: Notebook, setting: str, said: str) -> None:
    """A wrong trait is one clear line, changes nothing, and later cells are measured."""
    reply = notebook.run(f"%config IPyCov.{setting}")
    assert said in reply.said
    assert "ipycov/" not in reply.said
    label = notebook.cell("x = 1\nif x == 2:\n    y = 1")
    assert notebook.lines(label) == ([1, 2], [3])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("config_file = 'absent.ini'", "absent.ini"),
        ("config_file = 'plugin.ini'", "[run] plugins: No module named 'absent'"),
        ("concurrency = ['nope']", "nope"),
        ("concurrency = ['gevent']", "gevent"),
    ],
)
def test_what_coverage_refuses(notebook: Notebook, setting: str, said: str) -> None:
    """What coverage.py refuses is said once in one line, and the cells run all the same."""
    notebook.write("plugin.ini", "[run]\nplugins = absent")
    assert notebook.must(f"%config IPyCov.{setting}\n%coverage_erase").stderr == ""
    first, second = notebook.must("x = 1\nprint(x)"), notebook.must("x = 2\nprint(x)")
    assert first.stdout == "1\n"
    assert first.stderr.startswith("ipycov: not measured: ")
    assert said in first.stderr
    assert first.stderr.count("\n") == 1
    assert (second.stdout, second.stderr) == ("2\n", "")
    reply = notebook.run("%coverage_report")
    assert reply.said.startswith("UsageError: ")
    assert said in reply.said
    assert reply.said.strip().count("\n") == 0
    notebook.run("%config IPyCov.config_file = True\n%config IPyCov.concurrency = None")
    assert notebook.lines(notebook.cell("x = 3")) == ([1], [])


def test_a_broken_config_file(bare: Notebook) -> None:
    """A config file that can't be read is said in one line; the cells run all the same."""
    (bare.directory / ".coveragerc").write_text("[run]\nbranch = perhaps\n")
    bare.load()
    reply = bare.must("print(1)")
    assert reply.stdout == "1\n"
    assert reply.stderr.startswith("ipycov: not measured: ")
    assert ".coveragerc" in reply.stderr
    assert reply.stderr.count("\n") == 1
    report = bare.run("%coverage_report")
    assert report.status == "error"
    assert "ipycov/" not in report.said


def test_traits_in_ipython_config(tmp_path: Path) -> None:
    """The extension loads from ipython_config.py, with its traits."""
    profile = tmp_path / ".ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(
        "c.InteractiveShellApp.extensions = ['ipycov']\n"
        "c.IPyCov.branch = True\nc.IPyCov.omit = ['*/lib_*']\n"
    )
    (tmp_path / "lib_one.py").write_text("x = 1\n")
    terminal("if 1 == 2:\n    x = 1\n\nimport lib_one\n%coverage_report json -o o.json", tmp_path)
    files = json.loads((tmp_path / "o.json").read_text())["files"]
    assert list(files) == ["In[1]", "In[2]"]
    assert files["In[1]"]["missing_lines"] == [2]


def test_traits_on_the_command_line(tmp_path: Path) -> None:
    """Traits can be given on IPython's command line, lists too."""
    for name in LIBS:
        (tmp_path / f"{name}.py").write_text("x = 1\n")
    terminal(
        "import lib_one, lib_two, lib_three\n%coverage_report json -o o.json",
        tmp_path,
        "--ext=ipycov",
        "--IPyCov.branch=True",
        "--IPyCov.source=lib_one,lib_two",
        "--IPyCov.core=pytrace",
    )
    report = json.loads((tmp_path / "o.json").read_text())
    assert list(report["files"]) == ["In[1]", "lib_one.py", "lib_two.py"]
    assert report["meta"]["branch_coverage"]


def test_a_wrong_trait_at_the_start(tmp_path: Path) -> None:
    """A wrong trait in a configuration file is one clear line, and the rest takes effect."""
    done = terminal(
        "x = 1\n%coverage_report json -o o.json",
        tmp_path,
        "--ext=ipycov",
        "--IPyCov.branch=True",
        "--IPyCov.core=fast",
    )
    said = [line for line in done.stderr.splitlines() if "fast" in line]
    assert len(said) == 1
    assert said[0].startswith("ipycov: ")
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "o.json").read_text())["meta"]["branch_coverage"]


# ---------------------------------------------------------------- on and off

PROBE = source(
    """
    import sys, threading, json, gc
    sh = get_ipython()
    print(json.dumps([
        {k: len(v) for k, v in sh.events.callbacks.items()},
        [len(getattr(sh, name)) for name in (
            'ast_transformers', 'input_transformers_post', 'input_transformers_cleanup',
            'configurables')],
        [str(sys.gettrace()), str(threading.gettrace())],
        [sys.monitoring.get_tool(n) for n in range(6)] if sys.version_info >= (3, 12) else [],
        type(sh.compile).__name__, type(sh.compile).__module__, sorted(vars(sh.compile)),
        str(sh.compile.get_code_name.__func__ is type(sh.compile).get_code_name),
        sorted(m for kind in sh.magics_manager.magics.values() for m in kind if 'cov' in m),
        sorted(n for n in sh.magics_manager.registry if 'Cov' in n),
        sorted(n for n in vars(sh) if 'cov' in n.lower()),
    ]))
    """
)

STATES = {
    "nothing ran": [],
    "a cell ran": ["x = 1"],
    "branches": ["%config IPyCov.branch = True", "x = 1"],
    "stopped": ["x = 1", "%coverage_stop"],
    "erased": ["x = 1", "%coverage_erase"],
    "erased and stopped": ["%coverage_stop", "%coverage_erase"],
    "a cell failed": ["1 / 0"],
    "a cell did not compile": ["x ="],
    "loaded twice": ["%load_ext ipycov", "x = 1"],
    "reloaded": ["%reload_ext ipycov", "x = 1"],
    "with %cov": ["%cov 1 + 1", "%%cov\n1 / 0", "x = 1\n%cov 1 / 0", "%%cov --branch\nx = 1"],
    "after a report": ["x = 1", "%coverage_report", "%coverage_report html"],
    "a thread runs": [
        "import threading\ne = threading.Event()\nt = threading.Thread(target=e.wait); t.start()"
    ],
    "every core": [f"%config IPyCov.core = {core!r}\nx = 1" for core in CORES],
    "not measured": ["%config IPyCov.concurrency = ['nope']", "x = 1"],
}


@pytest.mark.parametrize("state", STATES)
def test_unloading_leaves_no_trace(bare: Notebook, state: str) -> None:
    """Unloading takes off every hook, magic and patch, whatever went before; loading works."""
    bare.load(branch=False)  # IPython's own magics join the shell when they are first used
    bare.must("%unload_ext ipycov")
    before = bare.must(PROBE).stdout
    bare.load()
    for code in STATES[state]:
        bare.run(code)
    bare.must("%unload_ext ipycov")
    after = bare.must(PROBE).stdout
    assert after == before
    if state == "a thread runs":
        bare.must("e.set(); t.join()")
    bare.load()
    label = bare.cell("x = 1\nif x == 2:\n    y = 1")
    assert bare.lines(label) == ([1, 2], [3])


def test_unloading_in_the_middle_of_a_cell(bare: Notebook) -> None:
    """A cell may unload the extension on any line; the rest of it runs."""
    before = bare.must(PROBE).stdout
    bare.load()
    reply = bare.must("x = 1\n%unload_ext ipycov\nprint(x)")
    assert (reply.stdout, reply.stderr) == ("1\n", "")
    assert bare.must(PROBE).stdout == before


def test_unloading_leaves_the_users_own(bare: Notebook) -> None:
    """What the user put on the shell beside ipycov stays on it."""
    bare.must("sh = get_ipython()\nsh.input_transformers_post.append(mine := lambda lines: lines)")
    bare.load()
    bare.must("%unload_ext ipycov")
    said = bare.must(
        "sh = get_ipython()\nprint(len(sh.input_transformers_post))\n"
        "sh.input_transformers_post.clear()"
    ).stdout
    assert said == "1\n"


def test_reloading_keeps_the_traits(notebook: Notebook) -> None:
    """%reload_ext begins anew, with the traits that %config set."""
    old = notebook.cell("%config IPyCov.branch = True")
    notebook.cell("%reload_ext ipycov")
    label = notebook.cell("if 1 == 2:\n    x = 1")
    files = notebook.report()
    assert old not in files
    assert "missing_branches" in files[label]


def test_an_error_of_our_own_spares_the_cell(notebook: Notebook) -> None:
    """Whatever goes wrong in ipycov, the cell runs, gives its result, and the user is told once."""
    notebook.cell("get_ipython()._ipycov.session.begin = lambda *a: 1 / 0")
    first, second = notebook.must("41 + 1"), notebook.must("42 + 1")
    assert (first.result, second.result) == ("42", "43")
    assert first.stderr.startswith("ipycov: ")
    assert second.stderr == ""


def test_a_debugger_in_the_cell(fresh: Notebook) -> None:
    """Where another tool traces, the cell runs and the user is told that it is not measured."""
    fresh.load(core="ctrace")
    fresh.cell("import sys\ntrace = lambda *a: None")
    said = fresh.must("sys.settrace(trace)").stderr
    reply = fresh.must("print(sys.gettrace() is trace)\nsys.settrace(None)")
    assert "what ran from there on is not measured" in said
    assert reply.stdout == "True\n"
    assert "not measured" in reply.stderr
    assert fresh.lines(fresh.cell("x = 1")) == ([1], [])


def test_a_coverage_of_the_users(notebook: Notebook) -> None:
    """A user's own Coverage inside a cell works, and ours carries on after it."""
    notebook.write("lib_own.py", "def one():\n    return 1")
    reply = notebook.must(
        """
        import coverage, lib_own
        c = coverage.Coverage(data_file=None)
        c.start()
        lib_own.one()
        c.stop()
        print(sorted(c.get_data().lines(lib_own.__file__)))
        """
    )
    assert reply.stdout == "[2]\n"
    label = notebook.cell("x = 1\nif x == 2:\n    y = 1")
    assert notebook.lines(label) == ([1, 2], [3])


def test_nothing_of_the_users_is_touched(notebook: Notebook) -> None:
    """Measuring and reporting write to a directory of their own, that git ignores."""
    notebook.cell("x = 1")
    notebook.must("%coverage_report")
    notebook.must("%coverage_report html")
    notebook.must("%%cov\nx = 1")
    assert [path.name for path in notebook.directory.iterdir()] == [".ipycov"]
    assert (notebook.directory / ".ipycov" / ".gitignore").read_text().split() == ["*"]


# ---------------------------------------------------------------- terminal IPython


def test_the_terminal(tmp_path: Path) -> None:
    """Terminal IPython, whose cells have no file, is measured and reported like a notebook."""
    done = terminal(
        """
        %load_ext ipycov
        %config IPyCov.branch = True
        def f(x):
            if x:
                return 1
            return 2

        f(1)
        %cov f(0)
        1 / 0
        import asyncio
        await asyncio.sleep(0)
        %%cov
        x = 1
        if x == 2:
            y = 1


        %%time
        if x == 2:
            y = 1


        %coverage_report -m
        %coverage_report html
        %coverage_report json -o o.json
        """,
        tmp_path,
    )
    assert done.stderr == ""
    files = json.loads((tmp_path / "o.json").read_text())["files"]
    assert [name for name in files if files[name]["missing_lines"]] == ["In[9]", "In[10]"]
    assert files["In[3]"]["executed_branches"] == [[2, 3], [2, 4]]
    assert files["In[9]"]["missing_branches"] == [[3, 4]]
    assert files["In[10]"]["missing_lines"] == [3]
    assert "In[9]  60%, 3 statements, 1 missed, 2 branches, 1 partial: 4" in done.stdout
    assert "TOTAL" in done.stdout
    assert "<table" not in done.stdout
    assert done.stdout.count("Traceback") == 1


def test_a_terminal_without_a_name(tmp_path: Path) -> None:
    """`ipython file.ipy` and -c run with the extension loaded."""
    (tmp_path / "lib_one.py").write_text("x = 1\nif x == 2:\n    y = 1\n")
    (tmp_path / "script.ipy").write_text(
        "%load_ext ipycov\nimport lib_one\n%coverage_report json -o o.json\n"
    )
    terminal("", tmp_path, "script.ipy")
    done = terminal("", tmp_path, "-c", "%load_ext ipycov\nimport lib_one\nx = 1\nprint(x)")
    assert "1\n" in done.stdout


def test_a_kernel_started_with_ipycov(tmp_path: Path) -> None:
    """A kernel whose configuration loads the extension measures from its first cell."""
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.extensions = ['ipycov']\n")
    kernel = Kernel(tmp_path, {"IPYTHONDIR": str(tmp_path / "ipython")})
    try:
        notebook = Notebook(kernel, tmp_path)
        label = notebook.cell("x = 1\nif x == 2:\n    y = 1")
        assert notebook.lines(label) == ([1, 2], [3])
    finally:
        kernel.close()


def test_unloading_frees_the_memory(fresh: Notebook) -> None:
    """Sessions that have ended are not kept, nor what %coverage_erase has forgotten."""
    for core in CORES:
        fresh.load(core=core)
        fresh.cell("x = 1")
        fresh.must("%coverage_erase")
        fresh.cell("y = 1")
        fresh.must("%unload_ext ipycov")
    kept = fresh.must(
        "import gc; gc.collect()\n"
        "print([type(o).__name__ for o in gc.get_objects() if type(o).__name__ in "
        "('Session', 'Measurement', 'CellBook') and type(o).__module__.startswith('ipycov')])"
    )
    assert kept.stdout.count("Session") <= 1  # the latest, which a core may hold until it starts
    assert kept.stdout.count("Measurement") <= 1


def test_unloading_frees_the_cells(fresh: Notebook) -> None:
    """The cells of sessions that have ended do not wait for Python's garbage collector."""
    fresh.must("import gc; gc.disable()")
    for session in range(3):
        fresh.load()
        for number in range(5):
            fresh.cell(f"x{session} = {number}")
        fresh.must("%unload_ext ipycov")
    held = fresh.must(
        "import gc; [o.typed[:2] for o in gc.get_objects() "
        "if (type(o).__module__, type(o).__name__) == ('ipycov.cells', 'Cell')]"
    )
    assert "x0" not in held.result  # the latest's, a core may hold until it starts
    assert "x1" not in held.result


def test_a_macro(fresh: Notebook) -> None:
    """A line that IPython makes several statements of counts as the line that was typed."""
    fresh.load()
    number = fresh.must("y = 1\nprint(y)").count
    fresh.must(f"%macro mm {number}")
    label = fresh.must("x = 1\nmm").label
    assert fresh.lines(label) == ([1, 2], [])
    number = fresh.must("# told\ny = 1\nz = 2").count
    fresh.must(f"%macro nn {number}")
    label = fresh.must("nn").label
    assert fresh.lines(label)[1] == []


def test_a_transformer_of_one_line(fresh: Notebook) -> None:
    """Lines below one that a transformer made several of keep their numbers, with branches too."""
    fresh.load(branch=True)
    fresh.must(
        "def twice(lines):\n"
        "    return [each for line in lines for each in"
        " (['q = 1\\n', 'q = 2\\n'] if line == 'DUP\\n' else [line])]\n"
        "get_ipython().input_transformers_post.append(twice)"
    )
    label = fresh.must("x = 1\nDUP\nif x == 2:\n    z = 1\nw = 1").label
    file = fresh.report()[label]
    assert (file["executed_lines"], file["missing_lines"]) == ([1, 2, 3, 5], [4])
    assert file["missing_branches"] == [[3, 4]]
