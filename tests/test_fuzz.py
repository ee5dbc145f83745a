"""Texts, notebooks and data files of all kinds: the right answer or a clear error, never more."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from coverage.exceptions import NotPython
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ipycov import notebooks, store
from ipycov.analysis import CellAnalysis, Exclusions
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.lines import digest, rows, translate
from ipycov.results import Measured

quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_PIECES = [
    *(
        "x = 1",
        "if x:",
        "    y",
        "%%time",
        "%%cov --branch",
        "%matplotlib inline",
        "!ls",
        "?x",
        "x?",
    ),
    *("%%bash", "%cov f()", "await g()", "async for a in b: pass", "def f():", "    return 1"),
    *(">>> x", "... y", "In [1]: x", "'''", '"""', "(", ")", "\\", "\f", "\t", "\0", "\ufeff"),
    *("# -*- coding: latin-1 -*-", "\ud800", "\r", "\x1b[31m", "</pre><script>", "\u2028", "\x85"),
    *("# pragma: no cover", "match x:", "    case 1: pass", "a = %time 1", "é = 1", "x = = 1"),
]
lines = st.lists(st.sampled_from(_PIECES) | st.text(max_size=20), max_size=12)
texts = st.builds(lambda parts, end: end.join(parts), lines, st.sampled_from(["\n", "\r\n", "\r"]))
json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "cell_type", "source", "id", "metadata", "worksheets", "input", ""]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@quick
@given(texts)
@example("\ud800 = 1")
@example("x = 1\0")
@example("%%time\n\f\n%%cov")
@example("\ufeffx = 1")
@example("(" * 300 + ")" * 300)
def test_any_text_is_translated(text: str) -> None:
    """Each typed row has a row of Python, and each compiled row comes from a typed one."""
    translation = translate(text)
    assert all(1 <= number <= len(rows(text)) for number in translation.origin)
    digest(text)


@quick
@given(texts)
@example("\ud800 = 1")
@example("x = '\ud800'")
@example("x = 1\0")
@example("\ufeffx = 1")
@example("x = " + "[" * 150 + "]" * 150)
@example("x = " + "-" * 5000 + "1")
def test_any_text_is_analysed_or_refused(text: str) -> None:
    """The analysis gives statements that are rows of the text, or says that it is no Python."""
    try:
        analysis = CellAnalysis(translate(text).python, "In[1]", Exclusions("", ""))
    except NotPython:
        return
    assert all(1 <= line <= len(rows(text)) + 1 for line in analysis.statements)


@quick
@given(json_values | st.builds(lambda cells: {"cells": cells}, json_values))
def test_any_json_is_a_notebook_or_refused(value: Any) -> None:
    """A notebook's cells have a line of the file for each row; all else is refused."""
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        try:
            notebook = notebooks.parse(text, "n.ipynb")
        except (BadNotebook, json.JSONDecodeError):
            continue
        for cell in notebook.cells:
            assert len(cell.file_lines) == len(rows(cell.text))
            assert all(1 <= line <= text.count("\n") + 1 for line in cell.file_lines)


@quick
@given(st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000)
@example(b'{"cells":' * 50_000)
@example(b'{"cells": [' + b"1" * 5000 + b"]}")
def test_any_file_is_a_notebook_or_refused(octets: bytes) -> None:
    """A file that is no notebook is one clear error."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "n.ipynb"
        path.write_bytes(octets)
        with pytest.raises(BadNotebook):
            notebooks.read(str(path))


def session_file() -> bytes:
    """A file of a session, as a kernel leaves it."""
    with tempfile.TemporaryDirectory() as directory:
        kept = store.Store(directory)
        cell = Cell("/tmp/cell.py", "x = 1\n\ud800", "x = 1", "id", 1)
        kept.add([cell], "In[1]", {"/tmp/cell.py": Measured({1, 2, 9}, {(-1, 1), (1, -1)}, -1)})
        kept.add([], "In[2]", {"/tmp/cell.py": Measured({1, 2}, None, -1)})
        kept.close()
        (path,) = Path(directory).glob("*.session")
        return path.read_bytes()


WHOLE = session_file()


@quick
@given(
    st.integers(0, len(WHOLE)),
    st.binary(max_size=12),
    st.integers(0, 30),
)
def test_damaged_sessions(at: int, put: bytes, removed: int) -> None:
    """A session that is cut off or changed gives what it can or says that it is damaged."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.session"
        path.write_bytes(WHOLE[:at] + put + WHOLE[at + removed :])
        for session in store.read(directory):
            if not isinstance(session, store.UnreadableStore):
                session.measured()
                session.lives()


@quick
@given(st.lists(json_values | json_values.map(lambda v: {"cells": [], "context": "", "files": v})))
@example([{"cells": [], "context": "", "files": {"/x": [1, 10**12]}}])
@example([{"cells": [], "context": "", "files": {"/x": [1, 10**7] * 1000}}])
@example([{"cells": [], "context": "", "files": {"/x": [1]}}])
def test_sessions_from_elsewhere(records: list[Any]) -> None:
    """Records that no session of ours wrote are refused, or read as far as they make sense."""
    with tempfile.TemporaryDirectory() as directory:
        text = "\n".join(json.dumps(each) for each in [{"ipycov": 1}, *records]) + "\n"
        (Path(directory) / "x.session").write_text(text)
        for session in store.read(directory):
            if not isinstance(session, store.UnreadableStore):
                session.measured()


CORPUS = sorted((Path(__file__).parent / "stress" / "corpus").iterdir())


def test_what_the_fuzzer_kept(tmp_path: Path) -> None:
    """Files that led the fuzzer to new ways are read, or said to be wrong."""
    assert CORPUS
    for path in CORPUS:
        octets = path.read_bytes()
        (tmp_path / "x.ipynb").write_bytes(octets)
        with suppress(BadNotebook):
            for cell in notebooks.read(str(tmp_path / "x.ipynb")).cells:
                assert len(cell.file_lines) == len(rows(cell.text))
        (tmp_path / "x.session").write_bytes(b'{"ipycov": 1}\n' + octets)
        for session in store.read(str(tmp_path)):
            if not isinstance(session, store.UnreadableStore):
                session.measured()
