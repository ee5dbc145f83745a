"""What stays on disk: sessions that many processes write, that are killed, and that are damaged."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
from kernels import Kernel
from projects import command, line_of, write_notebook

from ipycov import store
from ipycov.cells import Cell
from ipycov.errors import IPyCovError
from ipycov.keeping import Keeper
from ipycov.lines import digest
from ipycov.results import Measured
from ipycov.taken import Taken

SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("%load_ext ipycov")
number, cells = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
for at in range(cells):
    assert shell.run_cell(f"x_{number}_{at} = {at}", store_history=True).success
    print(at, flush=True)
"""


def _start(directory: Path, number: int, cells: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SHELL, str(number), str(cells)],
        cwd=directory,
        env={**os.environ, "IPYTHONDIR": str(directory / "ipython")},
        stdout=subprocess.PIPE,
        text=True,
    )


def _texts(directory: Path) -> set[str]:
    """The texts of all cells that have data in the store of a directory."""
    texts = set()
    for session in store.read(str(directory / store.DIRECTORY)):
        assert isinstance(session, store.StoredSession), session
        measured = session.measured()
        texts |= {cell.typed for cell in session.book if cell.filename in measured}
    return texts


def test_many_at_once(tmp_path: Path) -> None:
    """Eight sessions that write in one directory at once lose none of their cells."""
    shells = [_start(tmp_path, number, 100) for number in range(8)]
    for shell in shells:
        shell.communicate(timeout=300)
        assert shell.returncode == 0
    assert _texts(tmp_path) == {f"x_{n}_{at} = {at}" for n in range(8) for at in range(100)}


def test_killed(tmp_path: Path) -> None:
    """After a SIGKILL at any moment, all cells that had ended can be read."""
    chance = random.Random(1)
    for number in range(10):
        shell = _start(tmp_path, number, 100_000)
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.3))
        shell.send_signal(signal.SIGKILL)
        said = shell.stdout.read().split("\n")[:-1]  # a last line without its end is none
        shell.wait()
        if said:
            assert {f"x_{number}_{at} = {at}" for at in said} <= _texts(tmp_path)


def test_killed_at_its_first_cell(tmp_path: Path) -> None:
    """What was begun is no session until its first cell is in it, and is erased with the others."""
    path = _session(tmp_path)
    begun = path.with_name(f"other{path.suffix}.begun")
    begun.touch()
    assert len(list(store.read(str(path.parent)))) == 1
    store.erase(str(path.parent))
    assert not path.parent.exists()


def test_no_room_for_the_first_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that could not be begun leaves nothing, and is begun with the next cell."""
    written = store.Store(str(tmp_path))
    cell = Cell("/tmp/ipykernel_1/2.py", "x = 1", id="one", ran_as="one", count=3)
    covered = {cell.filename: Measured({1}, None)}
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", Mock(side_effect=full))
        with pytest.raises(OSError, match="No space"):
            written.add([cell], "In[3]", covered)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    written.add([cell], "In[4]", covered)
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession)
    assert list(session.covered) == ["In[4]"]


def _session(directory: Path, also: Mapping[str, Measured] | None = None) -> Path:
    """A session of one cell, and of files that it ran, written as a session writes it."""
    cell = Cell(
        "/tmp/ipykernel_1/2.py", "x = 1\nif x > 1:\n    y = 2", id="one", ran_as="one", count=3
    )
    written = store.Store(str(directory / store.DIRECTORY))
    written.add([cell], "In[3]", {cell.filename: Measured({1, 2}, None), **(also or {})})
    (path,) = (directory / store.DIRECTORY).glob("*.session")
    return path


def test_round_trip(tmp_path: Path) -> None:
    """A session is read as it was written."""
    _session(tmp_path)
    (session,) = store.read(str(tmp_path / store.DIRECTORY))
    assert isinstance(session, store.StoredSession)
    (cell,) = session.book
    assert (cell.typed, cell.id, cell.count) == ("x = 1\nif x > 1:\n    y = 2", "one", 3)
    assert session.covered["In[3]"][cell.filename].lines == {1, 2}


def test_branches_round_trip(tmp_path: Path) -> None:
    """Arcs are read as they were written, those of the cell itself included."""
    written = store.Store(str(tmp_path))
    written.add([], "In[1]", {"/a": Measured({1, 2, 9}, {(0, 1), (1, 2), (2, 0), (9, -9)})})
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession)
    data = session.measured()["/a"]
    assert (data.lines, data.arcs) == ({1, 2, 9}, {(0, 1), (1, 2), (2, 0), (9, -9)})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: "", "it is no session of ipycov's"),
        (lambda text: "not json\n", "it is no session of ipycov's"),
        (lambda text: "[]\n", "it is no session of ipycov's"),
        (lambda text: text.replace('"ipycov": 1', '"ipycov": 99'), "format 99"),
        (lambda text: text.replace('"context"', '"con', 1), "line 2 is damaged"),
        (lambda text: text.replace("[1,2]", "[1,99999999999]"), "line 2 is damaged"),
        (lambda text: text.replace("[1,2]", '"x"'), "line 2 is damaged"),
        (lambda text: text.replace('"typed":"x', '"typed":7,"x":"'), "line 2 is damaged"),
        (lambda text: text.replace("[1,2]", "[-4,2]"), "line 2 is damaged"),
        (lambda text: text.replace('"count":3', '"count":1e999'), "line 2 is damaged"),
        (lambda text: text.replace('"files":{"', '"files":{"\\u0000'), "line 2 is damaged"),
        (
            lambda text: text.replace('"pid": ', '"pid": 1e999, "x": '),
            "it is no session of ipycov's",
        ),
    ],
)
def test_damaged(damage: object, said: str, tmp_path: Path) -> None:
    """A damaged session is named with what is wrong; the others are still reported."""
    assert callable(damage)
    path = _session(tmp_path)
    whole = path.with_name(f"whole{path.suffix}")
    whole.write_bytes(path.read_bytes())
    path.write_text(damage(path.read_text()))
    done = command("ipycov", "report", cwd=tmp_path)
    assert path.name in done.stderr
    assert said in done.stderr
    assert "In[3]" in done.stdout


def test_cut_off(tmp_path: Path) -> None:
    """What was written before a line that was cut off is there."""
    path = _session(tmp_path)
    with path.open("a") as file:
        file.write('{"cells":[{"filena')
    (session,) = store.read(str(tmp_path / store.DIRECTORY))
    assert isinstance(session, store.StoredSession)
    assert session.measured()
    for called in ("report", "combine"):
        (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
        done = command("ipycov", called, cwd=tmp_path)
        assert f"the end of .ipycov/{path.name} is" in done.stderr
        assert "it is cut off" in done.stderr


def test_a_full_disk(tmp_path: Path) -> None:
    """What could not be written whole leaves nothing behind, and what comes later is there."""
    written = store.Store(str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number, room in enumerate([20, limits[0], 200, limits[0]]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with nullcontext() if room == limits[0] else pytest.raises(OSError, match="too large"):
                written.add([], "x" * 100, {f"/{number}": Measured({1})})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession), session
    assert set(session.measured()) == {"/1", "/3"}


def test_the_directory_that_a_kernel_ran_in(tmp_path: Path) -> None:
    """What was stored is found by the directory of the kernel, too."""
    _session(tmp_path / "deep")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "In[" in command("ipycov", "report", "../deep", cwd=elsewhere).stdout
    command("ipycov", "erase", "../deep", cwd=elsewhere)
    assert not (tmp_path / "deep" / store.DIRECTORY).exists()


def test_lines_and_branches_are_not_combined(tmp_path: Path) -> None:
    """Sessions of lines are not put into data of branches, which is said in one line."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\nbranch = true\n")
    (tmp_path / "lib.py").write_text("x = 1\n")
    command("coverage", "run", "lib.py", cwd=tmp_path)
    _session(tmp_path)
    done = command("ipycov", "combine", cwd=tmp_path, code=2)
    said = "it has branches and the session lines only"
    assert done.stderr == f"ipycov: can't combine into .coverage: {said}\n"


def test_report_by_notebook(tmp_path: Path) -> None:
    """Cells that are in a notebook on disk are reported as the notebook, the rest by number."""
    write_notebook(tmp_path / "a.ipynb", "x = 1\nif x > 1:\n    y = 2", "never = 1")
    _session(tmp_path)
    command("ipycov", "report", "--json", "r.json", cwd=tmp_path)
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert list(files) == ["a.ipynb"]
    assert files["a.ipynb"]["summary"]["missing_lines"] == 2


def test_a_cell_that_was_edited_since(tmp_path: Path) -> None:
    """A cell whose text on disk is another than when it ran is said to be so."""
    path = tmp_path / "a.ipynb"
    write_notebook(path, "x = 2")
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["id"] = "one"
    path.write_text(json.dumps(notebook, indent=1))
    _session(tmp_path)
    done = command("ipycov", "report", "--html", "site", cwd=tmp_path)
    assert "a.ipynb, cell 1 was edited since it ran as In[3]: run it again\n" in done.stdout
    assert "stale" in (tmp_path / "site" / "index.html").read_text()
    assert re.search(r"^a\.ipynb +1 +1 +0%$", done.stdout, re.M)


def test_cells_of_two_directories(tmp_path: Path) -> None:
    """Those in no notebook are named by where they ran, and counted in one line."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _session(tmp_path / name)
    done = command("ipycov", "report", "a", "b", cwd=tmp_path)
    assert done.stdout.count("in no notebook on disk") == 1
    assert "2 cells that ran are in no notebook on disk" in done.stdout
    assert re.findall(r"^\S*In\[3\]", done.stdout, re.M) == ["a/In[3]", "b/In[3]"]
    command("ipycov", "report", "a", "b", "--html", "site", cwd=tmp_path)
    index = (tmp_path / "site" / "index.html").read_text()
    for place in ("a", "b"):
        assert f'href="{place}_In.html#cell-3"' in index
        assert f"Cells of {place}" in (tmp_path / "site" / f"{place}_In.html").read_text()
    done = command("ipycov", "report", "a", "b", "--omit", "a/*", cwd=tmp_path)
    assert re.findall(r"^\S*In\[3\]", done.stdout, re.M) == ["b/In[3]"]


def test_missing_lines_by_cell(tmp_path: Path) -> None:
    """Lines that the configuration has listed are said by cell as well."""
    write_notebook(tmp_path / "a.ipynb", "x = 1\nif x > 1:\n    y = 2")
    _session(tmp_path)
    line = "a.ipynb, cell 1: missing "
    assert line not in command("ipycov", "report", cwd=tmp_path).stdout
    (tmp_path / ".coveragerc").write_text("[report]\nshow_missing = true\n")
    assert line in command("ipycov", "report", cwd=tmp_path).stdout


def test_report_of_modules_that_nothing_imported(tmp_path: Path) -> None:
    """Those under `source` of the configuration are reported, as %coverage_report does."""
    (tmp_path / ".coveragerc").write_text("[run]\nsource = lib\nomit = */left_out.py\n")
    (tmp_path / "lib").mkdir()
    for name in ("__init__", "unused", "left_out"):
        (tmp_path / "lib" / f"{name}.py").write_text("x = 1\n" if name != "__init__" else "")
    _session(tmp_path)
    command("ipycov", "report", "--json", "r.json", cwd=tmp_path)
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert set(files) == {"In[3]", "lib/__init__.py", "lib/unused.py"}
    assert files["lib/unused.py"]["missing_lines"] == [1]


def test_combine_leaves_our_own_magics_out(tmp_path: Path) -> None:
    """A cell that holds nothing but ipycov's magics is no part of a program."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    cells = [Cell("/tmp/1.py", "x = 1", count=2), Cell("/tmp/2.py", "%coverage_report", count=3)]
    written = store.Store(str(tmp_path / store.DIRECTORY))
    for cell in cells:
        written.add([cell], cell.label, {cell.filename: Measured({1}, None)})
    command("ipycov", "combine", cwd=tmp_path)
    command("coverage", "json", "-q", cwd=tmp_path)
    (name,) = json.loads((tmp_path / "coverage.json").read_text())["files"]
    assert name.endswith("In[2]")


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        ((), {"a.ipynb", "lib.py"}),
        (("--omit", "lib.py"), {"a.ipynb"}),
        (("--include=l*,*.x", "--include", "y"), {"lib.py"}),
    ],
)
def test_report_on_some_files(options: tuple[str, ...], listed: set[str], tmp_path: Path) -> None:
    """`--include` and `--omit` choose among what is reported, as with `coverage report`."""
    (tmp_path / "lib.py").write_text("x = 1\n")
    write_notebook(tmp_path / "a.ipynb", "x = 1\nif x > 1:\n    y = 2")
    _session(tmp_path, also={str(tmp_path / "lib.py"): Measured({1}, None)})
    done = command("ipycov", "report", "-m", *options, cwd=tmp_path)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][-1] == "Missing"
    assert {row[0] for row in rows if row[0].endswith((".ipynb", ".py"))} == listed


def test_sessions_of_the_same_process_id(tmp_path: Path) -> None:
    """What kernels covered adds up where their cells have the same names, as in containers."""
    text = "def f(x):\n    if x:\n        return 1\n    return 0"
    write_notebook(tmp_path / "a.ipynb", text)
    for line in (3, 4):
        cell = Cell("/tmp/ipykernel_30/2.py", text, count=1)
        written = store.Store(str(tmp_path / store.DIRECTORY))
        written.add([cell], "In[1]", {cell.filename: Measured({1, 2, line})})
    command("ipycov", "report", "--json", "r.json", cwd=tmp_path)
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert files["a.ipynb"]["missing_lines"] == []


def test_a_notebook_of_which_most_was_edited(tmp_path: Path) -> None:
    """Cells that have other texts on disk are known as the notebook's by their ids."""
    path = write_notebook(tmp_path / "a.ipynb", "x = 1", "y = 1", "z = 1")
    ids = [cell["id"] for cell in json.loads(path.read_text())["cells"]]
    written = store.Store(str(tmp_path / store.DIRECTORY))
    for count, text in enumerate(["x = 1", "y = 2", "z = 2"], 1):
        cell = Cell(f"/cells/{count}", text, id=ids[count - 1], ran_as=ids[count - 1], count=count)
        written.add([cell], cell.label, {cell.filename: Measured({1})})
    command("ipycov", "report", "--json", "r.json", cwd=tmp_path)
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert {name: len(file["missing_lines"]) for name, file in files.items()} == {
        "In[2]": 0,
        "In[3]": 0,
        "a.ipynb": 2,
    }


def test_combine(tmp_path: Path) -> None:
    """`ipycov combine` adds a session to coverage.py's data file, beside a test run's data."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    (tmp_path / "lib.py").write_text("x = 1\n")
    write_notebook(tmp_path / "a.ipynb", "x = 1\nif x > 1:\n    y = 2")
    _session(tmp_path)
    command("coverage", "run", "lib.py", cwd=tmp_path)
    command("ipycov", "combine", cwd=tmp_path)
    command("coverage", "json", "-q", cwd=tmp_path)
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    assert files["a.ipynb"]["summary"]["missing_lines"] == 1
    assert files["lib.py"]["summary"]["missing_lines"] == 0


@pytest.mark.parametrize("branch", [False, True])
def test_combine_what_ran_before(branch: bool, tmp_path: Path) -> None:
    """What the cell that loads ipycov has defined and imported is not missed by coverage.py."""
    (tmp_path / ".coveragerc").write_text(f"[run]\nplugins = ipycov\nbranch = {branch}\n")
    loading = "import os\n%load_ext ipycov\ndef f(x):\n    if x:\n        return 1\nx = 1"
    path = write_notebook(tmp_path / "a.ipynb", loading, "f(1)\ny = 2")
    kernel = Kernel(tmp_path)
    try:
        kernel.run(loading)
        kernel.run("f(1)\ny = 2")
    finally:
        kernel.close()
    command("ipycov", "combine", cwd=tmp_path)
    command("coverage", "json", "--show-contexts", "-q", cwd=tmp_path)
    file = json.loads((tmp_path / "coverage.json").read_text())["files"]["a.ipynb"]
    assert file["missing_lines"] == [line_of(path, "x = 1")]
    assert file["contexts"][str(line_of(path, "import os"))] == ["In[1]"]


def test_combine_lines_with_branches(tmp_path: Path) -> None:
    """A session in which branches were measured from some cell on is combined whole."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    write_notebook(tmp_path / "a.ipynb", "x = 1", "if x > 1:\n    y = 2")
    cells = [
        Cell("/tmp/1.py", "x = 1", count=1),
        Cell("/tmp/2.py", "if x > 1:\n    y = 2", count=2),
    ]
    written = store.Store(str(tmp_path / store.DIRECTORY))
    written.add(cells[:1], "In[1]", {"/tmp/1.py": Measured({1}, None)})
    written.add(cells[1:], "In[2]", {"/tmp/2.py": Measured({1}, {(0, 1), (1, 0)})})
    command("ipycov", "combine", cwd=tmp_path)
    command("coverage", "json", "-q", cwd=tmp_path)
    summary = json.loads((tmp_path / "coverage.json").read_text())["files"]["a.ipynb"]["summary"]
    assert (summary["covered_lines"], summary["missing_lines"]) == (2, 1)
    assert (summary["covered_branches"], summary["missing_branches"]) == (1, 1)


def test_relative_files(tmp_path: Path) -> None:
    """Modules that a kernel names from its own directory are found from any other."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\nrelative_files = true\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "lib.py").write_text("x = 1\nif x > 1:\n    y = 2\n")
    write_notebook(tmp_path / "deep" / "a.ipynb", "x = 1\nif x > 1:\n    y = 2")
    written = _session(tmp_path / "deep", also={"lib.py": Measured({1, 2}, None)})
    written.write_text(written.read_text().replace(f'"{os.getcwd()}"', f'"{tmp_path}/deep"'))
    for report in (
        ("ipycov", "report", "deep"),
        ("ipycov", "combine", "deep"),
        ("coverage", "report"),
    ):
        done = command(*report, cwd=tmp_path)
        if report[1] == "report":
            assert re.search(r"^deep/lib.py +3 +1 +67%$", done.stdout, re.M)
            assert re.search(r"^deep/a.ipynb +3 +1 +67%$", done.stdout, re.M)


def test_combine_cells_of_one_count(tmp_path: Path) -> None:
    """Cells that are in no notebook and share a number are reported each by its name."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    stored = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
    for nested, text in enumerate(["x = 1", "x = 2\ny = 3"]):
        cell = Cell(f"/cells/{nested}", text, count=1, nested=nested)
        stored.add([cell], "In[1]", {cell.filename: Measured({1})})
    stored.close()
    command("ipycov", "combine", cwd=tmp_path)
    done = command("coverage", "report", cwd=tmp_path)
    assert re.findall(r"In\S+ +\d", done.stdout) == ["In[1]         1", "In[1].1       2"]


def test_cells_of_one_number_in_two_kernels(tmp_path: Path) -> None:
    """Each has a name of its own in every report, and counts."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    for text in ("x = 1", "x = 2\ny = 3"):
        stored = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
        stored.add([Cell("/cells/a", text, count=1)], "In[1]", {"/cells/a": Measured({1})})
        stored.close()
    command("ipycov", "combine", cwd=tmp_path)
    command("coverage", "json", "-q", cwd=tmp_path)
    report = json.loads((tmp_path / "coverage.json").read_text())
    names = {name.rpartition(":")[2] for name in report["files"]}
    assert names == {"In[1]", "In[1] (2)"}
    counted = sum(each["summary"]["num_statements"] for each in report["files"].values())
    assert counted == report["totals"]["num_statements"] == 3


def test_a_cell_that_was_edited(tmp_path: Path) -> None:
    """Of a cell that ran with two texts the last is reported, and nothing is said of the other."""
    stored = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
    for count, text in enumerate(["x = 1", "x = 2\ny = 3"], 1):
        cell = Cell(f"/cells/{count}", text, id="a", ran_as="a", count=count)
        stored.add([cell], cell.label, {cell.filename: Measured({1})})
    stored.close()
    done = command("ipycov", "report", cwd=tmp_path)
    assert re.findall(r"^In.*", done.stdout, flags=re.M) == ["In[2]       2      1    50%"]
    assert done.stderr == ""


def test_combine_needs_the_plugin(tmp_path: Path) -> None:
    """Combining where coverage.py could not report says what to add, and writes nothing."""
    _session(tmp_path)
    done = command("ipycov", "combine", cwd=tmp_path, code=2)
    assert "plugins = ipycov" in done.stderr
    assert not (tmp_path / ".coverage").exists()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel that has ipycov loaded and stores what it measures."""
    kernel = Kernel(tmp_path)
    try:
        kernel.run("%load_ext ipycov")
        yield kernel
    finally:
        kernel.close()


def reported(directory: Path) -> dict[str, list[int]]:
    """The missing lines of each file, as `ipycov report` tells them."""
    command("ipycov", "report", "--json", "all.json", cwd=directory)
    files = json.loads((directory / "all.json").read_text())["files"]
    return {name: file["missing_lines"] for name, file in files.items()}


def test_a_text_that_did_not_compile(session: Kernel, tmp_path: Path) -> None:
    """A cell is reported as it ran, though its latest text did not compile."""
    session.run("def f(x):\n    if x:\n        return 1", cell_id="a")
    session.run("f(0)", cell_id="b")
    session.run("def f(:", cell_id="a")
    session.run("f(0)", cell_id="c")
    assert reported(tmp_path) == {"In[2]": [3], "In[3]": [], "In[5]": []}


def test_cells_of_one_text(session: Kernel, tmp_path: Path) -> None:
    """Cells that a front end tells apart are apart, though their text is the same."""
    for id, x in (("a", 1), ("b", 0)):
        session.run("def f(x):\n    if x:\n        return 1\n    return 2", cell_id=id)
        session.run(f"f({x})", cell_id=f"call {id}")
    assert reported(tmp_path) == {"In[2]": [4], "In[3]": [], "In[4]": [3], "In[5]": []}


def test_texts_that_come_back(session: Kernel, tmp_path: Path) -> None:
    """What a cell holds in the end is reported, after it was typed back, erased, and rerun."""
    texts = [f"def f(x):\n    if x:\n        return {n}" for n in (1, 2)]
    for text in (texts[0], texts[1], texts[0]):
        session.run(text, cell_id="a")
    session.run("f(0)", cell_id="b")
    session.run("%coverage_erase", cell_id="c")
    session.run("f(0)", cell_id="d")
    assert reported(tmp_path) == {"In[4]": [1, 3], "In[7]": []}
    session.run(texts[1], cell_id="a")
    session.run("%rerun 4", cell_id="e")
    session.run("x = 1", cell_id="f")
    session.run("%coverage_report json -o live.json")
    live = json.loads((tmp_path / "live.json").read_text())["files"]
    kept = reported(tmp_path)
    assert {"In[4]", "In[8]"} <= kept.keys()
    assert kept == {name: file["missing_lines"] for name, file in live.items()}


def test_what_was_erased(session: Kernel, tmp_path: Path) -> None:
    """%coverage_erase forgets what was stored too; what is measured later is stored."""
    session.run("def f(x):\n    if x:\n        return 1\n    return 2", cell_id="a")
    session.run("f(0)", cell_id="b")
    assert session.run("%coverage_erase", cell_id="c").said == ""
    assert "measured nothing" in command("ipycov", "report", cwd=tmp_path, code=2).stderr
    session.run("f(1)", cell_id="d")
    assert reported(tmp_path) == {"In[2]": [1, 4], "In[5]": []}


def test_cells_of_two_stores(tmp_path: Path) -> None:
    """Cells of one number that two stores hold, in no notebook, are two."""
    for name, ran in (("a", {1, 2}), ("b", {1, 2, 3})):
        written = store.Store(str(tmp_path / name / store.DIRECTORY))
        text = f"{name} = 1\nif {name}:\n    x = 2"
        cell = Cell("/tmp/ipykernel_1/2.py", text, count=2)
        written.add([cell], "In[2]", {cell.filename: Measured(ran, None)})
    command("ipycov", "report", "a", "b", "--json", "all.json", cwd=tmp_path)
    files = json.loads((tmp_path / "all.json").read_text())["files"]
    assert [file["missing_lines"] for file in files.values()] == [[3], []]


def test_erase(tmp_path: Path) -> None:
    """`ipycov erase` removes what was stored and leaves a user's own files."""
    stored = _session(tmp_path)
    kernels = stored.parent / "kernels"
    kernels.mkdir()
    (kernels / stored.name).write_text("cut off")
    (tmp_path / ".coverage").write_text("the user's")
    command("ipycov", "erase", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".coverage"]


@pytest.mark.parametrize("called", [["report"], ["combine"], ["erase"]])
def test_nothing_stored(called: list[str], tmp_path: Path) -> None:
    """A store that is not there is said to be so, in one line."""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ipycov\n")
    done = command("ipycov", *called, cwd=tmp_path, code=2)
    assert done.stderr.startswith("ipycov: there is no directory .ipycov")
    assert done.stderr.count("\n") == 1


def test_no_store(tmp_path: Path) -> None:
    """Reading where nothing is raises an error that says so."""
    with pytest.raises(IPyCovError, match="there is no directory"):
        list(store.read(str(tmp_path / "absent")))


def test_texts_of_cells(tmp_path: Path) -> None:
    """A cell's text is found by its digest where it was kept, and nowhere else."""
    cell = Cell("<a>", "x = 'é'\n")
    store.keep_texts([cell], str(tmp_path))
    assert store.kept_text(digest(cell.typed), str(tmp_path)) == cell.typed
    assert store.kept_text("0" * 16, str(tmp_path)) is None
    assert store.kept_text(digest(cell.typed), str(tmp_path / "elsewhere")) is None


def test_an_empty_store_that_another_removed(tmp_path: Path) -> None:
    """Of two processes that end at once, the later finds nothing left to remove."""
    store.remove_if_empty(tmp_path / "gone")
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "of_another.session").touch()
    store.remove_if_empty(tmp_path / "kernels")
    assert (tmp_path / "kernels" / "of_another.session").exists()


def test_a_cell_that_ran_while_measuring_was_off(tmp_path: Path) -> None:
    """It is stored when something measured runs what it has defined."""
    shell = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for text in ('%load_ext ipycov', '%coverage_stop', 'def f():\\n    return 1',\n"
        "             '%coverage_start', 'f()'):\n"
        "    assert shell.run_cell(text, store_history=True).success\n"
    )
    env = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    subprocess.run([sys.executable, "-c", shell], cwd=tmp_path, env=env, check=True)
    done = command("ipycov", "report", "-m", cwd=tmp_path)
    assert not done.stderr
    assert re.search(r"^In\[3\] +1 +0 +100%$", done.stdout, re.M)
    assert "In[3]: ran before measuring began: 1\n" in done.stdout


class FullDisk(store.Store):
    """A store whose disk is full from time to time."""

    full = False

    def add(self, cells: Iterable[Cell], context: str, covered: Mapping[str, Measured]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().add(cells, context, covered)


def test_a_disk_that_was_full(tmp_path: Path) -> None:
    """What could not be written is, when there is room again; once the user is told."""
    disk, said = FullDisk(str(tmp_path)), []
    keeper = Keeper(disk, said.append)
    for number in range(4):
        disk.full = number in (1, 2)
        cell = Cell(f"{number}.py", f"x = {number}", count=number)
        keeper.ran(cell)
        keeper.keep([Taken(cell.label, {cell.filename: {1}}, branch=False)])
    assert set(said) == {
        "ipycov: what is measured is kept in memory until it can be saved: No space left on device"
    }
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession), session
    assert [cell.typed for cell in session.book] == ["x = 0", "x = 1", "x = 2", "x = 3"]
    assert list(session.covered) == ["In[0]", "In[1]", "In[2]", "In[3]"]


def test_a_store_that_was_removed(tmp_path: Path) -> None:
    """Its user is told once, and the cells of before have their texts where they run again."""
    said: list[str] = []
    cells = [Cell(f"{number}.py", f"x = {number}", count=number) for number in range(3)]
    keeper = Keeper(store.Store(str(tmp_path / "in")), said.append)
    for cell in cells:
        keeper.ran(cell)
        keeper.keep([Taken(cell.label, {"0.py": {1}, cell.filename: {1}}, branch=False)])
        if cell is cells[0]:
            shutil.rmtree(tmp_path / "in")
    assert len(said) == 1
    assert "was removed" in said[0]
    (session,) = store.read(str(tmp_path / "in"))
    assert isinstance(session, store.StoredSession), session
    assert [cell.typed for cell in session.book] == ["x = 0", "x = 1", "x = 2"]
    assert list(session.covered) == ["In[1]", "In[2]"]


def test_no_place_to_write(tmp_path: Path) -> None:
    """Where nothing could ever be written nothing is kept for it."""
    (tmp_path / "file").touch()
    said: list[str] = []
    keeper = Keeper(store.Store(str(tmp_path / "file" / "in")), said.append)
    for _ in range(2):
        keeper.keep([Taken("In[1]", {"a.py": {1}}, branch=False)])
    assert len(said) == 1
    assert said[0].startswith("ipycov: what is measured is kept in memory only: Not a directory: ")
