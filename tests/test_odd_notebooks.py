"""Odd notebook files under `ipycov run`: the right answer, or a line that says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import command


def code(source: Any, **more: Any) -> dict[str, Any]:
    """A code cell of a notebook file."""
    empty = {"metadata": {}, "outputs": [], "execution_count": None}
    return {"cell_type": "code", "source": source, **empty, **more}


def written(path: Path, cells: Any, **more: Any) -> Path:
    """Write a notebook file as it is given, sound or not."""
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **more}
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path


OLD = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": ["x = 1\n", "if x == 2:\n", "    y = 1"],
                    "language": "python",
                    "metadata": {},
                    "outputs": [],
                }
            ],
        }
    ],
}
IF = ["x = 1\n", "if x == 2:\n", "    y = 1"]

RIGHT = {
    "version 3": (None, OLD),
    "no ids": ([code(IF)], {}),
    "one id twice": ([code(["z = 1"], id="a"), code(IF, id="a")], {}),
    "a long id": ([code(IF, id="a" * 1000)], {}),
    "a kernel that is a path": ([code(IF)], {"metadata": {"kernelspec": {"name": "../../x"}}}),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_odd_notebooks_that_run(tmp_path: Path, kind: str) -> None:
    """Whatever its version and its ids are, a notebook that nbformat reads is measured."""
    cells, more = RIGHT[kind]
    written(tmp_path / "a.ipynb", cells, **more)
    done = command("ipycov", "run", "a.ipynb", "--json", "a.json", cwd=tmp_path)
    summary = json.loads((tmp_path / "a.json").read_text())["files"]["a.ipynb"]["summary"]
    assert summary["missing_lines"] == 1
    assert "Warning" not in done.stderr


WRONG = {
    "no metadata": {"metadata": None},
    "metadata that is a list": {"metadata": []},
    "a version that is a text": {"nbformat": "4"},
    "a version to come": {"nbformat": 99},
    "a source that is a number": {"cells": [code(5)]},
    "parts of a source that are numbers": {"cells": [code(["x = 1", 3, None])]},
    "cells that are none": {"cells": [3, None, {}]},
}


@pytest.mark.parametrize("kind", WRONG)
def test_notebooks_of_wrong_types(tmp_path: Path, kind: str) -> None:
    """What nbformat can't read is said in one line, with the name of the file."""
    written(tmp_path / "a.ipynb", **{"cells": [code(IF)], **WRONG[kind]})
    done = command("ipycov", "run", "a.ipynb", cwd=tmp_path, code=2)
    assert done.stderr.startswith("ipycov: a.ipynb can't be run: nbformat does not read it: ")
    assert done.stderr.count("\n") == 1


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    """A cell that no message can hold fails its notebook; the others run and are reported."""
    written(tmp_path / "a.ipynb", [code(["x = 1"]), code(["y = '\ud800'"]), code(["z = 1"])])
    heading = {"cell_type": "markdown", "metadata": {}, "source": "# \udfff"}
    written(tmp_path / "b.ipynb", [heading, code(IF)])
    options = ("--html", "site", "--json", "all.json", "--xml", "all.xml", "--output-dir", "out")
    done = command("ipycov", "run", "a.ipynb", "b.ipynb", *options, cwd=tmp_path, code=1)
    said = "a.ipynb: cell 2 holds half a surrogate pair, which no kernel can be sent\n"
    assert said in done.stdout
    assert "a.ipynb: no executed copy is written: UTF-8 can't hold its text\n" in done.stderr
    assert "UnicodeEncodeError" not in done.stdout + done.stderr
    files = json.loads((tmp_path / "all.json").read_text())["files"]
    assert files["a.ipynb"]["summary"]["covered_lines"] == 1
    assert files["b.ipynb"]["summary"]["missing_lines"] == 1


NAMES = ["a b", "'\"", "a\nb", "<b>x", "a;b", "[a]", "per%cent", "\x1b[31m", "\u202e", "-dash"]


def test_odd_names(tmp_path: Path) -> None:
    """Notebooks of any name run, and their names are shown as text."""
    for name in NAMES:
        written(tmp_path / f"{name}.ipynb", [code(IF)])
    (tmp_path / "target").mkdir()
    (tmp_path / "link.ipynb").symlink_to(written(tmp_path / "target" / "real.txt", [code(IF)]))
    options = ("--html", "site", "--json", "all.json", "--output-dir", "out", "-j", "2")
    done = command("ipycov", "run", ".", *options, cwd=tmp_path)
    shown = done.stdout + done.stderr
    assert not {"\x1b", "\u202e"} & set(shown)
    files = json.loads((tmp_path / "all.json").read_text())["files"]
    assert {entry["summary"]["missing_lines"] for entry in files.values()} == {1}
    assert files.keys() == {f"{name}.ipynb" for name in [*NAMES, "link"]}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files.keys()
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "<b>x" not in index
    for name in ([], ["\x1b[31m.ipynb"]):
        diagnosed = command("ipycov", "doctor", *name, cwd=tmp_path, code=None)
        assert not {"\x1b", "\u202e"} & set(diagnosed.stdout)
