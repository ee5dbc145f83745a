"""The command line: what it runs, and what it says of wrong usage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from projects import LIB, command, line_of, write_notebook


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with notebooks of every kind, a module, and a file that is no notebook."""
    directory = tmp_path_factory.mktemp("project")
    (directory / "lib.py").write_text(LIB)
    write_notebook(directory / "ok.ipynb", "import lib", "if lib.sign(1) < 0:\n    x = 1")
    write_notebook(directory / "deep" / "raises.ipynb", "x = 1", "1 / 0", "y = 2")
    write_notebook(directory / "slow.ipynb", "import time", "time.sleep(60)", "y = 2")
    r = {"name": "ir", "display_name": "R", "language": "R"}
    write_notebook(directory / "deep" / "r.ipynb", "x <- 1", kernelspec=r)
    (directory / "broken.ipynb").write_text("{ not json")
    return directory


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "say what to do: run, report, combine, erase"),
        (["nope"], "there is no command 'nope'"),
        (["run"], "name at least one notebook"),
        (["run", "--nope"], "there is no option --nope"),
        (["run", "ok.ipynb", "--bran"], "did you mean --branch?"),
        (["run", "ok.ipynb", "--html"], "--html needs a value"),
        (["run", "ok.ipynb", "--html", "a", "--html=b"], "--html is given twice"),
        (["run", "ok.ipynb", "-j2"], "there is no option -j2; did you mean -j?"),
        (
            ["run", "ok.ipynb", "--fail-under", "most"],
            "--fail-under can't be most: Exit with 2 when",
        ),
        (["run", "ok.ipynb", "-j", "0"], "-j can't be 0: How many notebooks"),
        (["run", "ok.ipynb", "--fail-under=101"], "--fail-under can't be 101: Exit with 2 when"),
        (["run", "ok.ipynb", "--fail-under", "-3"], "--fail-under can't be -3: Exit with 2 when"),
        (["run", "ok.ipynb", "--precision", "-3"], "--precision can't be -3: Digits"),
        (["run", "ok.ipynb", "--sort", "size"], "there is no column 'size'"),
        (["run", "ok.ipynb", "--branch=yes"], "--branch takes no value"),
        (["run", "ok.ipynb", "--timeout", "-1"], "--timeout takes a number of seconds above 0"),
        (["run", "ok.ipynb", "--cell-timeout", "0"], "--cell-timeout takes a number of seconds"),
        (["run", "ok.ipynb", "--output-dir", "lib.py"], "lib.py is a file"),
        (["run", "ok.ipynb", "--output-dir", "."], "would take the place of ok.ipynb"),
        (["run", "ok.ipynb", "lib.py/../ok.ipynb", "--output-dir", "/dev/null/a"], "/dev/null"),
        (["run", "absent.ipynb"], "can't read absent.ipynb"),
        (["run", "broken.ipynb"], "broken.ipynb is not a notebook"),
        (["run", "deep/r.ipynb"], "a notebook in r, not in Python"),
        (["run", "nothing*"], "can't read nothing*|holds no notebook"),
        (["run", "ok.ipynb", "--xml", "lib.py/x.xml"], "can't write lib.py/x.xml"),
        (["run", "ok.ipynb", "--json", "deep"], "deep is a directory"),
        (["run", "ok.ipynb", "--html", "lib.py"], "lib.py is a file"),
        (["run", "ok.ipynb", "--xml", "ok.ipynb"], "ok.ipynb is no report and is not written over"),
        (["run", "ok.ipynb", "--json", "lib.py"], "lib.py is no report and is not written over"),
        (["run", "ok.ipynb", "--json", "r", "--xml", "./r"], "--xml and --json name the same"),
    ],
)
def test_bad_usage(args: list[str], said: str, project: Path) -> None:
    """Wrong usage is one line that says what to do, exit code 2, and runs nothing."""
    done = command("ipycov", *args, cwd=project, code=2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert any(each in done.stderr for each in said.split("|"))


def test_a_directory(project: Path, tmp_path: Path) -> None:
    """A directory is all notebooks in it, several at a time; what was executed is written."""
    done = command(
        *["ipycov", "run", "ok.ipynb", "deep", "-j", "2", "--show-missing"],
        *["--output-dir", str(tmp_path)],
        cwd=project,
        code=1,
    )
    assert "deep/raises.ipynb: cell 2 (In[2]) raised ZeroDivisionError" in done.stdout
    assert "deep/r.ipynb is a notebook in r, not in Python: left out" in done.stderr
    missed = line_of(project / "ok.ipynb", "    x = 1")
    assert f"ok.ipynb, cell 2: missing {missed}" in done.stdout
    assert "lib.py" in done.stdout
    written = nbformat.read(tmp_path / "deep" / "raises.ipynb", as_version=4)
    assert written.cells[1].outputs[0].ename == "ZeroDivisionError"


def test_a_notebook_that_unloads_ipycov(tmp_path: Path) -> None:
    """That what it runs from there on is not measured is said."""
    write_notebook(tmp_path / "a.ipynb", "%unload_ext ipycov", "x = 1")
    done = command("ipycov", "run", "a.ipynb", cwd=tmp_path)
    said = "a.ipynb: it unloads ipycov: what runs from there on is not measured"
    assert said in done.stderr
    assert "is ipycov installed" not in done.stderr


def test_two_copies_of_one_name(project: Path, tmp_path: Path) -> None:
    """Executed copies that would be one file are refused before anything runs."""
    names = [str(tmp_path / place / "a.ipynb") for place in ("one", "two")]
    for name in names:
        write_notebook(Path(name), "x = 1")
    done = command("ipycov", "run", *names, "--output-dir", "out", cwd=project, code=2)
    assert f"would take the place of that of {names[0]}" in done.stderr
    assert not (project / "out").exists()


def test_copies_are_not_run_again(tmp_path: Path) -> None:
    """A directory's notebooks are not those that an earlier run has executed."""
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    for _ in range(2):
        done = command("ipycov", "run", ".", "--output-dir", "done", cwd=tmp_path)
        assert [line.split()[0] for line in done.stdout.splitlines()[2:3]] == ["a.ipynb"]
        assert "done" not in done.stdout


@pytest.mark.parametrize("called", [["run", "a.ipynb"], ["report"], ["combine"]], ids=" ".join)
def test_a_broken_configuration(called: list[str], tmp_path: Path) -> None:
    """A configuration that coverage.py refuses is one line, with what coverage.py says."""
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    (tmp_path / ".coveragerc").write_text("[run]\nbranch = perhaps\n")
    done = command("ipycov", *called, cwd=tmp_path, code=2)
    assert done.stderr.startswith("ipycov: coverage.py refuses its configuration: ")
    assert done.stderr.count("\n") == 1


def test_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    """A plugin that can't be imported is one line; one that is in the directory is found."""
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = mine\n")
    done = command("ipycov", "run", "a.ipynb", cwd=tmp_path, code=2)
    assert "[run] plugins: No module named 'mine'; install it" in done.stderr
    assert done.stderr.count("\n") == 1
    (tmp_path / "mine.py").write_text("def coverage_init(registry, options): pass\n")
    assert "100%" in command("ipycov", "run", "a.ipynb", cwd=tmp_path).stdout


def test_a_cell_that_does_not_compile(tmp_path: Path) -> None:
    """A cell that is no Python is named by its number, and the notebook's others are reported."""
    write_notebook(tmp_path / "a.ipynb", "x = 1", "x =")
    done = command("ipycov", "run", "a.ipynb", cwd=tmp_path, code=1)
    assert "a.ipynb, cell 2 is not in the report: it can't be analysed" in done.stderr
    assert "a.ipynb       1      0   100%" in done.stdout


def test_a_notebook_without_code(tmp_path: Path) -> None:
    """A notebook of comments measures nothing, which is not worth a word."""
    write_notebook(tmp_path / "a.ipynb", "# nothing yet", "")
    assert command("ipycov", "run", "a.ipynb", cwd=tmp_path).stderr == ""


def test_where_ipython_loads_ipycov(tmp_path: Path) -> None:
    """IPython's configuration may load ipycov too; the command's options win, and its store."""
    write_notebook(tmp_path / "a.ipynb", "x = 1\nif x == 2:\n    y = 1")
    config = tmp_path / "ipython" / "profile_default" / "ipython_config.py"
    config.parent.mkdir(parents=True)
    config.write_text("c.InteractiveShellApp.extensions = ['ipycov']\nc.IPyCov.branch = False\n")
    env = {"IPYTHONDIR": str(tmp_path / "ipython")}
    done = command("ipycov", "run", "a.ipynb", "--branch", cwd=tmp_path, env=env)
    assert "60%" in done.stdout
    assert not (tmp_path / ".ipycov").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [("--timeout", "did not end within 4 s"), ("--cell-timeout", "cell 2 (In[2]) did not end")],
)
def test_timeouts(option: str, said: str, project: Path) -> None:
    """A notebook or a cell that takes too long is ended, named, and reported as far as it came."""
    done = command("ipycov", "run", "slow.ipynb", option, "4", cwd=project, code=1)
    assert said in done.stdout
    assert "67%" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt(number: int, code: int, project: Path) -> None:
    """An interrupt, or a SIGTERM, stops the kernels and reports what was done."""
    running = subprocess.Popen(
        [sys.executable, "-m", "ipycov", "run", "slow.ipynb"],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(8)  # for the kernel to come to the cell that sleeps
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert "slow.ipynb: interrupted in cell" in out
    assert "TOTAL" in out


def test_cells_that_a_cell_runs(tmp_path: Path) -> None:
    """Cells that a cell of the notebook runs are in no notebook: they are listed and counted."""
    write_notebook(tmp_path / "a.ipynb", "get_ipython().run_cell('if 1 > 2:\\n    y = 1');")
    done = command("ipycov", "run", "a.ipynb", cwd=tmp_path)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["In[1].1", "2", "1", "50%"] in rows
    assert done.stdout.endswith("1 cell that ran is in no notebook on disk, and listed by number\n")


def test_sources_with_commas(project: Path) -> None:
    """Sources may be given with commas between; one that was never imported is said to be so."""
    done = command("ipycov", "run", "ok.ipynb", "--source", "lib,absent", cwd=project)
    assert "no module of the source 'absent' was imported" in done.stderr
    assert "'lib'" not in done.stderr


@pytest.mark.parametrize("package", ["nbclient", "tqdm"])
def test_a_missing_extra(package: str, project: Path) -> None:
    """Where a package that runs notebooks is not installed, one line says which extra has it."""
    program = f"import sys; sys.modules[{package!r}] = None; import ipycov.__main__"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "ok.ipynb"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert package in done.stderr
    assert "pip install -e '.[run]'" in done.stderr
    assert done.stderr.strip().count("\n") == 0


def kernelspec(directory: Path, *argv: str) -> dict[str, str]:
    """Install a kernel `other` that is started by `argv`; the environment that has it found."""
    home = directory / "jupyter" / "kernels" / "other"
    home.mkdir(parents=True)
    spec = {"argv": [*argv, "{connection_file}"], "display_name": "o", "language": "python"}
    (home / "kernel.json").write_text(json.dumps(spec))
    return {"JUPYTER_PATH": str(directory / "jupyter")}


def write_for_other(directory: Path) -> None:
    """Write a notebook for the kernel `other`, and one for python3."""
    other = {"name": "other", "display_name": "o", "language": "python"}
    write_notebook(directory / "other.ipynb", "x = 1", kernelspec=other)
    write_notebook(directory / "z.ipynb", "y = 2")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/gone/python"], ["could not be started: [Errno 2] No such file or directory"]),
        (
            [sys.executable, "-c", "import sys; sys.exit('no module named x')"],
            ["kernel: no module named x", "could not be started: Kernel died before replying"],
        ),
    ],
)
def test_a_kernel_that_does_not_start(argv: list[str], said: list[str], tmp_path: Path) -> None:
    """It is one line, and the other notebooks are run."""
    env = kernelspec(tmp_path, *argv)
    write_for_other(tmp_path)
    done = command("ipycov", "run", "other.ipynb", "z.ipynb", cwd=tmp_path, env=env, code=1)
    lines = (done.stderr + done.stdout).splitlines()
    assert len(lines) == len(said) + 6  # of the table
    for text in said:
        assert [line for line in lines if line.startswith("other.ipynb: ") and text in line]
    assert [line for line in lines if line.split() == ["z.ipynb", "1", "0", "100%"]]


def test_a_kernel_whose_port_another_took(tmp_path: Path) -> None:
    """It is started once more, on other ports."""
    script = tmp_path / "start.py"
    script.write_text(
        "import os, sys\n"
        "if not os.path.exists('started'):\n"
        "    open('started', 'w').close()\n"
        "    sys.exit('zmq.error.ZMQError: Address already in use')\n"
        "from ipykernel.kernelapp import launch_new_instance\n"
        "launch_new_instance(['-f', sys.argv[1]])\n"
    )
    env = kernelspec(tmp_path, sys.executable, str(script))
    write_for_other(tmp_path)
    done = command("ipycov", "run", "other.ipynb", cwd=tmp_path, env=env)
    assert (tmp_path / "started").exists()
    assert done.stdout.splitlines()[-1].split() == ["TOTAL", "1", "0", "100%"]
    assert done.stderr == ""


def test_a_notebook_that_erases(tmp_path: Path) -> None:
    """What a notebook has its own session forget is reported all the same."""
    write_notebook(tmp_path / "a.ipynb", "x = 1", "%load_ext ipycov", "%coverage_erase")
    assert "100%" in command("ipycov", "run", "a.ipynb", cwd=tmp_path).stdout
