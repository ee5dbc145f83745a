"""Fuzz the parsers of notebooks and of stored sessions with atheris: no crash and no hang.

    python tests/stress/fuzz_files.py [-max_total_time=SECONDS] [CORPUS]

Needs `pip install atheris`. What a parser says is wrong with a file is no finding; all else is.
`corpus` keeps what led it to new ways in ten minutes; give a copy, for it adds what it finds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ipycov.notebooks", "ipycov.store", "ipycov.lines"]):
    from ipycov import notebooks, store
    from ipycov.errors import BadNotebook

HEAD = b'{"ipycov": 1}\n'
FOLDER = Path(tempfile.mkdtemp(prefix="ipycov_fuzz_"))


def test_one(octets: bytes) -> None:
    (FOLDER / "x.ipynb").write_bytes(octets)
    try:
        notebook = notebooks.read(str(FOLDER / "x.ipynb"))
    except BadNotebook:
        pass
    else:
        for cell in notebook.cells:
            for row in range(1, len(cell.file_lines) + 1):
                notebook.file_line(cell, row)
    (FOLDER / "x.session").write_bytes(HEAD + octets)
    for session in store.read(str(FOLDER)):
        if not isinstance(session, store.UnreadableStore):
            session.measured()


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
