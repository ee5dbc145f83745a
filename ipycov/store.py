"""What stays on disk of a session: its cells, and what each run of one covered.

A session appends to a file of its own, `NAME.session`: a line of JSON for each cell that has run,
written when it has ended, and lines for many cells that ran before it began. Nothing that was
written is touched again, so that whatever ends the kernel, all lines but the last are whole. The
file has its name only when its first cell is in it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipycov.cells import Cell, CellBook
from ipycov.errors import IPyCovError
from ipycov.lines import digest
from ipycov.results import Chosen, Measured

#: Where live sessions store, in the directory that they started in.
DIRECTORY = ".ipycov"

_SUFFIX = ".session"
#: What the name of a file ends with until its first cell is in it.
_BEGUN = f"{_SUFFIX}.begun"
#: The cells of one record: a kernel may have run thousands before ipycov was loaded.
_CELLS_AT_ONCE = 100
_encode = json.JSONEncoder(separators=(",", ":")).encode
_VERSION = 1


class UnreadableStore(IPyCovError):
    """A file of a store is cut off, of another version or none of ours: which, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} can't be read: {why}")
        self.path = str(path)
        self.why = why


class Store:
    """The file that one session writes, in `directory`. `ran_in` is where its cells run."""

    def __init__(self, directory: str, ran_in: str | None = None) -> None:
        self._ran_in = ran_in if ran_in is not None else os.getcwd()
        self._directory = Path(directory).absolute()
        name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}{_SUFFIX}"
        self._path = self._directory / name
        self._pid = os.getpid()
        self._file: int | None = None
        self._written: dict[Cell, None] = {}
        self.began = False  # whether there ever was a file, whatever was in it

    @property
    def removed(self) -> bool:
        """Whether someone has removed the file, so that the next is a new one."""
        return self._file is not None and not os.fstat(self._file).st_nlink

    def add(self, cells: Iterable[Cell], context: str, covered: Mapping[str, Measured]) -> None:
        """Append what a run called `context` covered, and the cells that it compiled.

        A file in the place of one that was removed has the cells of that one again, for what comes
        may run them. Does nothing in a child of the process. Raises `OSError` when it can't write.
        """
        if os.getpid() != self._pid:
            return
        if self.removed:
            self.close()
        new = [*(self._written if self._file is None else ()), *cells]
        whole = len(new) - len(new) % _CELLS_AT_ONCE
        octets = b"".join(
            [
                *(
                    _record(new[at : at + _CELLS_AT_ONCE], context, {})
                    for at in range(0, whole, _CELLS_AT_ONCE)
                ),
                _record(new[whole:], context, covered),
            ]
        )
        if self._file is None:
            head = {"ipycov": _VERSION, "ran_in": self._ran_in, "pid": self._pid}
            self._file = self._begin(f"{json.dumps(head)}\n".encode("ascii") + octets)
        else:
            _append(self._file, octets)
        for cell in new:  # the latest run of a cell decides what its id stands for
            self._written.pop(cell, None)
            self._written[cell] = None

    def erase(self) -> None:
        """Have readers forget what was covered so far. Raises `OSError` when it can't write."""
        if self._file is not None and os.getpid() == self._pid:
            _append(self._file, _record((), "", {}, erased=True))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None and os.getpid() == self._pid:
            os.close(self._file)
        self._file = None

    def remove(self) -> None:
        """Remove what was written, for it is kept elsewhere now."""
        if self._file is None:
            return
        self.close()
        self._path.unlink(missing_ok=True)
        remove_if_empty(self._directory)

    def _begin(self, octets: bytes) -> int:
        """A file that has its name, the first or in the place of one that was removed."""
        with suppress(FileNotFoundError):
            return self._create(octets)
        return self._create(octets)  # another has removed the directory, empty until now

    def _create(self, octets: bytes) -> int:
        self._prepare()
        begun = self._path.with_suffix(_BEGUN)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(begun, flags, 0o666)
        self.began = True
        try:
            _append(file, octets)
            begun.rename(self._path)
        except BaseException:
            os.close(file)
            begun.unlink(missing_ok=True)
            raise
        return file

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        ignore = self._directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")


@dataclass
class StoredSession:
    """One session as it was left in a store: its cells, and by context what was covered.

    `path` is the file, `ran_in` the directory that it ran in, `pid` the process. `cut_off` tells
    that the last record in the file is not whole.
    """

    path: str = ""
    ran_in: str = ""
    pid: int = 0
    cut_off: bool = False
    book: CellBook = field(default_factory=CellBook)
    covered: dict[str, dict[str, Measured]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the session, as that of its file."""
        return os.path.basename(self.path).removesuffix(_SUFFIX)

    def lives(self) -> bool:
        """Whether its process may still write: it is one of this machine and has not ended."""
        if not self.name.startswith(f"{socket.gethostname()}."):
            return False
        try:
            os.kill(self.pid, 0)
            # one that has ended and was not waited for yet will not write either
            return ") Z " not in Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        except ProcessLookupError:
            return False
        except OSError:
            return True

    def measured(self, chosen: Chosen | None = None) -> dict[str, Measured]:
        """What was covered in the `chosen` contexts, by filename; in all where it is None.

        Files that were covered in others alone are there too, with nothing that ran.
        """
        together: dict[str, Measured] = {}
        for context, files in self.covered.items():
            for filename, data in files.items():
                if chosen is not None and not chosen(context):
                    data = Measured(set(), None if data.arcs is None else set(), -1)
                merge(together, filename, data)
        return together


def read(directory: str, *, erased: bool = False) -> Iterator[StoredSession | UnreadableStore]:
    """The sessions in the store `directory`, each that can't be read as the error that says why.

    They have what was covered before %coverage_erase too, where `erased` is set. Raises
    `IPyCovError` when there is no such directory.
    """
    for path in sorted(_existing(directory).glob(f"*{_SUFFIX}")):
        try:
            yield _read_session(path, erased=erased)
        except UnreadableStore as error:
            yield error


def read_session(path: str) -> StoredSession | UnreadableStore:
    """The session in one file, or the error that says why it can't be read."""
    try:
        return _read_session(Path(path))
    except UnreadableStore as error:
        return error


def holding(directory: str) -> str:
    """The store that `directory` is or, as where a kernel ran, has in it."""
    below = os.path.join(directory, DIRECTORY)
    return (
        below
        if not any(Path(directory).glob(f"*{_SUFFIX}")) and Path(below).is_dir()
        else directory
    )


def keep_texts(cells: Iterable[Cell], directory: str) -> None:
    """Keep the texts of cells that no notebook holds where reports on data in `directory` look.

    Raises `OSError` when it can't write.
    """
    folder = texts_directory(directory)
    for cell in cells:
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / ".gitignore").write_text("*\n", encoding="ascii")
        text = cell.typed.encode("utf-8", "surrogatepass")
        (folder / f"{digest(cell.typed)}.txt").write_bytes(text)


def kept_text(text_digest: str, directory: str) -> str | None:
    """The text of this digest that is kept for data in `directory`; None where there is none."""
    try:
        kept = (texts_directory(directory) / f"{text_digest}.txt").read_bytes()
        return kept.decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError):
        return None


def texts_directory(directory: str) -> Path:
    """Where the texts of cells are kept for data in `directory`."""
    return Path(directory, DIRECTORY, "cells")


def erase(directory: str) -> None:
    """Remove what sessions have stored in `directory`, and the directory if nothing else is there.

    Raises `IPyCovError` when there is no such directory.
    """
    folder = _existing(directory)
    kinds = [f"{where}*{kind}" for where in ("", "kernels/") for kind in (_SUFFIX, _BEGUN)]
    kinds.append("cells/*.txt")
    for path in [path for kind in kinds for path in folder.glob(kind)]:
        if not path.is_dir():
            path.unlink(missing_ok=True)
    if not {path.name for path in folder.rglob("*")} - {".gitignore", "kernels", "cells"}:
        shutil.rmtree(folder)


def remove_if_empty(directory: Path) -> None:
    """Remove a directory in which no session is left, and that which it is in if it was all."""
    with suppress(OSError):  # another may begin one now, or have removed it
        if any(path.name != ".gitignore" for path in directory.iterdir()):
            return
        (directory / ".gitignore").unlink(missing_ok=True)
        directory.rmdir()
        directory.parent.rmdir()


def remove_begun(directory: str) -> None:
    """Remove what processes of this machine have begun that ended before a cell was in it."""
    for path in Path(directory).glob(f"{socket.gethostname()}.*{_BEGUN}"):
        pid = path.name.removesuffix(_BEGUN).split(".")[-2]
        if pid.isdecimal() and not StoredSession(str(path), pid=int(pid)).lives():
            path.unlink(missing_ok=True)


def _append(file: int, octets: bytes) -> None:
    """Append all of `octets` to a file, or nothing."""
    whole = os.fstat(file).st_size
    try:
        while octets:
            octets = octets[os.write(file, octets) :]
    except OSError:  # a full disk, which may have room again for the next
        os.ftruncate(file, whole)
        raise


def _existing(directory: str) -> Path:
    if not Path(directory).is_dir():
        raise IPyCovError(f"there is no directory {directory}: nothing was stored there")
    return Path(directory)


def _record(
    cells: Iterable[Cell], context: str, covered: Mapping[str, Measured], *, erased: bool = False
) -> bytes:
    """The line of a file on cells that ran, and on what a run called `context` covered.

    `erased` tells that nothing counts that was covered before it.
    """
    record = {
        **({"erased": True} if erased else {}),
        "cells": [_cell_record(cell) for cell in cells],
        "context": context,
        "files": {
            filename: _lines(data.lines)
            if data.arcs is None
            else {"lines": _lines(data.lines), "arcs": sorted(data.arcs)}
            for filename, data in covered.items()
        },
    }
    return f"{_encode(record)}\n".encode("ascii")


def _cell_record(cell: Cell) -> dict[str, Any]:
    return {
        "filename": cell.filename,
        "typed": cell.typed,
        "compiled": None if cell.compiled == cell.typed else cell.compiled,
        "id": cell.ran_as,
        "count": cell.count,
        "nested": cell.nested,
        "python_body": cell.python_body,
        "file": cell.file,
        **({} if cell.defined is None else {"defined": sorted(cell.defined)}),
        **({} if cell.error is None else {"error": cell.error}),
    }


def _lines(lines: Iterable[int]) -> list[int]:
    """Lines as runs: first and length by turns, which is short for code that runs on."""
    runs: list[int] = []
    for line in sorted(lines):
        if runs and line == runs[-2] + runs[-1]:
            runs[-1] += 1
        else:
            runs += [line, 1]
    return runs


def _from_runs(runs: list[int]) -> set[int]:
    lines: set[int] = set()
    for first, length in zip(runs[::2], runs[1::2], strict=True):
        if not (0 <= first < _LONGEST_RUN and 0 < length < _LONGEST_RUN):
            raise ValueError("no file has such lines")
        lines.update(range(first, first + length))
    return lines


#: More lines than any file has, for data that is not what it should be.
_LONGEST_RUN = 10_000_000

#: What comes of data that is not what it should be.
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


def _read_session(path: Path, *, erased: bool = False) -> StoredSession:
    session = StoredSession()
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UnreadableStore(path, error.strerror or str(error)) from error
    try:
        head = json.loads(lines[0])
        version, session.ran_in = head["ipycov"], str(head.get("ran_in", ""))
        session.path, session.pid = str(path), int(head.get("pid", 0))
    except _DAMAGED as error:
        raise UnreadableStore(path, "it is no session of ipycov's") from error
    if version != _VERSION:
        raise UnreadableStore(path, f"it is of format {version!r}; this ipycov reads {_VERSION}")
    for number, line in enumerate(lines[1:], 2):
        if number == len(lines):
            session.cut_off = bool(line)
            break
        try:
            record = json.loads(line)
            if record.get("erased") and not erased:
                session.covered.clear()
            _take(session, record)
        except _DAMAGED as error:
            raise UnreadableStore(path, f"line {number} is damaged") from error
    return session


def _take(session: StoredSession, record: Any) -> None:
    for each in record["cells"]:
        typed, compiled = each["typed"], each["compiled"]
        if not isinstance(typed, str) or not isinstance(each["filename"], str):
            raise TypeError("a cell's text and name are strings")
        cell = session.book.add(
            each["filename"],
            typed,
            typed if compiled is None else str(compiled),
            each["id"],
            int(each["count"]),
        )
        cell.nested = int(each["nested"])
        file = each.get("file")  # what an older ipycov wrote has none
        cell.file = file if isinstance(file, str) else None
        defined = each.get("defined")
        cell.defined = None if defined is None else frozenset(map(str, defined))
        if each.get("error") is not None:
            session.book.did_not_compile(cell, str(each["error"]))
        if each["python_body"]:
            cell.body_was_compiled()
    files = session.covered.setdefault(str(record["context"]), {})
    for filename, data in record["files"].items():
        if "\0" in filename:
            raise ValueError("no file has such a name")
        if filename not in session.book:  # with `relative_files` from where the cells ran
            filename = os.path.join(session.ran_in, filename)
        if isinstance(data, dict):
            arcs = {(int(start), int(end)) for start, end in data["arcs"]}
            if any(abs(line) >= _LONGEST_RUN for arc in arcs for line in arc):
                raise ValueError("no file has such lines")
            merge(files, filename, Measured(_from_runs(data["lines"]), arcs, -1))
        else:
            merge(files, filename, Measured(_from_runs(data), None, -1))


def merge(files: dict[str, Measured], filename: str, data: Measured) -> None:
    """Add the data of a file to what is known of it."""
    known = files.setdefault(filename, Measured(set(), None, -1))
    known.lines = known.lines | data.lines
    if data.arcs is not None:
        known.arcs = (known.arcs or set()) | data.arcs
