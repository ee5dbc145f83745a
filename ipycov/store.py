"""What stays on disk of a session: coverage.py's data and the texts of the cells.

A session writes files of its own into a directory: `NAME.cells`, a JSON object a line for each
cell that was compiled, and `NAME.N.data`, data files of coverage.py. Both are complete after each
cell, so that nothing is lost with the kernel.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from ipycov.cells import Cell, CellBook
from ipycov.errors import IPyCovError

#: Where live sessions store, in the directory that they started in.
DIRECTORY = ".ipycov"

_CELLS = ".cells"
_DATA = ".data"


class UnreadableStore(IPyCovError):
    """A file of a store is cut off, of another version or none of ours: which, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} can't be read: {why}")
        self.path = str(path)
        self.why = why


class Store:
    """The files that one session writes, in `directory`."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory).absolute()
        self._name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
        self._data_files = 0

    def data_file(self) -> str:
        """The path of a new data file."""
        self._prepare()
        self._data_files += 1
        return str(self._directory / f"{self._name}.{self._data_files}{_DATA}")

    def add(self, cell: Cell) -> None:
        """Write a run of a cell."""
        self._prepare()
        record = {
            "filename": cell.filename,
            "typed": cell.typed,
            "compiled": cell.compiled if cell.compiled != cell.typed else None,
            "id": cell.id,
            "count": cell.count,
            "nested": cell.nested,
            "python_body": cell.python_body,
        }
        line = json.dumps(record, ensure_ascii=True) + "\n"
        with open(self._directory / f"{self._name}{_CELLS}", "a", encoding="ascii") as file:
            file.write(line)

    def _prepare(self) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / ".gitignore").write_text("*\n", encoding="ascii")


@dataclass
class StoredSession:
    """One session as it was left in a store."""

    book: CellBook
    datas: list[CoverageData]


def read(directory: str) -> Iterator[StoredSession | UnreadableStore]:
    """The sessions in the store `directory`, each that can't be read as the error that says why."""
    folder = _existing(directory)
    for cells_file in sorted(folder.glob(f"*{_CELLS}")):
        name = cells_file.name[: -len(_CELLS)]
        try:
            book = _read_cells(cells_file)
        except UnreadableStore as error:
            yield error
            continue
        datas = []
        for path in sorted(Path(directory).glob(f"{name}.*{_DATA}")):
            data = CoverageData(basename=str(path))
            try:
                data.read()
                data.has_arcs()
            except CoverageException as error:
                yield UnreadableStore(path, str(error))
            else:
                datas.append(data)
        yield StoredSession(book, datas)


def erase(directory: str) -> None:
    """Remove what sessions have stored in `directory`, and the directory if nothing else is there.

    Raises `IPyCovError` when there is no such directory.
    """
    folder = _existing(directory)
    for path in sorted(folder.iterdir()):
        if path.suffix in (_CELLS, _DATA) and path.is_file():
            path.unlink()
    texts = folder / "cells"
    if texts.is_dir():
        for path in sorted(texts.glob("*.txt")):
            path.unlink()
    rest = {path.name for path in folder.rglob("*")} - {".gitignore", "cells"}
    if not rest:
        shutil.rmtree(folder)


def _existing(directory: str) -> Path:
    if not Path(directory).is_dir():
        raise IPyCovError(f"there is no directory {directory}: nothing was stored there")
    return Path(directory)


def _read_cells(path: Path) -> CellBook:
    book = CellBook()
    lines = path.read_text(encoding="ascii", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = json.loads(line)
            cell = book.add(
                record["filename"],
                record["typed"],
                record["compiled"] or record["typed"],
                record["id"],
                record["count"],
            )
            cell.nested = record["nested"]
            if record["python_body"]:
                cell.body_was_compiled()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number >= len(lines) - 1:
                break  # the kernel died while it wrote the last
            raise UnreadableStore(path, f"it is damaged at line {number}") from error
    return book
