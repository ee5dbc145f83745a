"""What stays on disk of a session: its cells, and what each run of one covered.

A session appends to a file of its own, `NAME.session`: a line of JSON for each cell that has run,
written when it has ended. Nothing that was written is touched again, so that whatever ends the
kernel, all lines but the last are whole.
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
from ipycov.results import Measured

#: Where live sessions store, in the directory that they started in.
DIRECTORY = ".ipycov"

_SUFFIX = ".session"
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

    def add(self, cells: Iterable[Cell], context: str, covered: Mapping[str, Measured]) -> None:
        """Append what a run called `context` covered, and the cells that it compiled.

        Does nothing in a child of the process. Raises `OSError` when it can't write.
        """
        if os.getpid() != self._pid:
            return
        record = {
            "cells": [_cell_record(cell) for cell in cells],
            "context": context,
            "files": {
                filename: _lines(data.lines)
                if data.arcs is None
                else {"lines": _lines(data.lines), "arcs": sorted(data.arcs)}
                for filename, data in covered.items()
            },
        }
        text = _encode(record) + "\n"
        if self._file is None or not os.fstat(self._file).st_nlink:
            self._open()
        file = self._file or 0
        whole = os.fstat(file).st_size
        if not whole:
            head = {"ipycov": _VERSION, "ran_in": self._ran_in, "pid": self._pid}
            text = json.dumps(head) + "\n" + text
        octets = text.encode("ascii")
        try:
            while octets:
                octets = octets[os.write(file, octets) :]
        except OSError:  # a full disk, which may have room again for the next
            os.ftruncate(file, whole)
            raise

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
        with suppress(OSError):  # others may be there
            (self._directory / ".gitignore").unlink(missing_ok=True)
            self._directory.rmdir()
            self._directory.parent.rmdir()

    def _open(self) -> None:
        """Begin a file: the first, or another where someone has removed it."""
        self.close()
        self._prepare()
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
        )

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

    def measured(self) -> dict[str, Measured]:
        """What was covered in all contexts, by filename."""
        together: dict[str, Measured] = {}
        for files in self.covered.values():
            for filename, data in files.items():
                merge(together, filename, data)
        return together


def read(directory: str) -> Iterator[StoredSession | UnreadableStore]:
    """The sessions in the store `directory`, each that can't be read as the error that says why.

    Raises `IPyCovError` when there is no such directory.
    """
    for path in sorted(_existing(directory).glob(f"*{_SUFFIX}")):
        try:
            yield _read_session(path)
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
        (folder / f"{digest(cell.typed)}.txt").write_text(cell.typed, encoding="utf-8")


def kept_text(text_digest: str, directory: str) -> str | None:
    """The text of this digest that is kept for data in `directory`; None where there is none."""
    try:
        return (texts_directory(directory) / f"{text_digest}.txt").read_text(encoding="utf-8")
    except OSError:
        return None


def texts_directory(directory: str) -> Path:
    """Where the texts of cells are kept for data in `directory`."""
    return Path(directory, DIRECTORY, "cells")


def erase(directory: str) -> None:
    """Remove what sessions have stored in `directory`, and the directory if nothing else is there.

    Raises `IPyCovError` when there is no such directory.
    """
    folder = _existing(directory)
    kinds = (f"*{_SUFFIX}", f"kernels/*{_SUFFIX}", "cells/*.txt")
    for path in [path for kind in kinds for path in folder.glob(kind)]:
        path.unlink(missing_ok=True)
    if not {path.name for path in folder.rglob("*")} - {".gitignore", "kernels", "cells"}:
        shutil.rmtree(folder)


def _existing(directory: str) -> Path:
    if not Path(directory).is_dir():
        raise IPyCovError(f"there is no directory {directory}: nothing was stored there")
    return Path(directory)


def _cell_record(cell: Cell) -> dict[str, Any]:
    return {
        "filename": cell.filename,
        "typed": cell.typed,
        "compiled": None if cell.compiled == cell.typed else cell.compiled,
        "id": cell.id,
        "count": cell.count,
        "nested": cell.nested,
        "python_body": cell.python_body,
        "file": cell.file,
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
        if not 0 < length < _LONGEST_RUN:
            raise ValueError("a run of lines is too long")
        lines.update(range(first, first + length))
    return lines


#: More lines than any file has, for data that is not what it should be.
_LONGEST_RUN = 10_000_000


def _read_session(path: Path) -> StoredSession:
    session = StoredSession()
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UnreadableStore(path, error.strerror or str(error)) from error
    try:
        head = json.loads(lines[0])
        version, session.ran_in = head["ipycov"], str(head.get("ran_in", ""))
        session.path, session.pid = str(path), int(head.get("pid", 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableStore(path, "it is no session of ipycov's") from error
    if version != _VERSION:
        raise UnreadableStore(path, f"it is of format {version!r}; this ipycov reads {_VERSION}")
    for number, line in enumerate(lines[1:], 2):
        if number == len(lines):
            session.cut_off = bool(line)
            break
        try:
            _take(session, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
        if each["python_body"]:
            cell.body_was_compiled()
    files = session.covered.setdefault(str(record["context"]), {})
    for filename, data in record["files"].items():
        if isinstance(data, dict):
            arcs = {(int(start), int(end)) for start, end in data["arcs"]}
            merge(files, filename, Measured(_from_runs(data["lines"]), arcs, -1))
        else:
            merge(files, filename, Measured(_from_runs(data), None, -1))


def merge(files: dict[str, Measured], filename: str, data: Measured) -> None:
    """Add the data of a file to what is known of it."""
    known = files.setdefault(filename, Measured(set(), None, -1))
    known.lines = known.lines | data.lines
    if data.arcs is not None:
        known.arcs = (known.arcs or set()) | data.arcs
