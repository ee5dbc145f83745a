"""What stays on disk: sessions that many processes write, that are killed, and that are damaged."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from projects import command, write_notebook

from ipycov import store
from ipycov.cells import Cell
from ipycov.errors import IPyCovError
from ipycov.lines import digest
from ipycov.results import Measured

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


def _session(directory: Path) -> Path:
    """A session of one cell, written as a session writes it."""
    cell = Cell("/tmp/ipykernel_1/2.py", "x = 1\nif x > 1:\n    y = 2", id="one", count=3)
    written = store.Store(str(directory / store.DIRECTORY))
    written.add([cell], "In[3]", {cell.filename: Measured({1, 2}, None)})
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
    written.add([], "In[1]", {"a": Measured({1, 2, 9}, {(0, 1), (1, 2), (2, 0), (9, -9)})})
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession)
    data = session.measured()["a"]
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
                written.add([], "x" * 100, {str(number): Measured({1})})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (session,) = store.read(str(tmp_path))
    assert isinstance(session, store.StoredSession), session
    assert set(session.measured()) == {"1", "3"}


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
        cell = Cell(f"/cells/{count}", text, id=ids[count - 1], count=count)
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


def test_a_cell_that_was_edited(tmp_path: Path) -> None:
    """Of a cell that ran with two texts the last is reported, and nothing is said of the other."""
    stored = store.Store(str(tmp_path / ".ipycov"), str(tmp_path))
    for count, text in enumerate(["x = 1", "x = 2\ny = 3"], 1):
        cell = Cell(f"/cells/{count}", text, id="a", count=count)
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
