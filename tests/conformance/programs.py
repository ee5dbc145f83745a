"""The programs that are measured: written by hand, from the standard library, and generated."""

from __future__ import annotations

import re
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^---- (?:\[3\.(?P<minor>\d+)\] )?(?P<title>.+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A text that runs as a cell and as a module.

    `name` is the module's `__name__`, None for `__main__`. A program that `awaits` outside
    functions is no module: its reference is the same text in a coroutine function.
    """

    title: str
    text: str
    name: str | None = None
    awaits: bool = False

    @property
    def module_name(self) -> str:
        return self.name or "__main__"

    @property
    def lower(self) -> int:
        """How many lines lower the text stands in what runs as a module."""
        return 1 if self.awaits else 0

    def as_module(self) -> str:
        """The text of the module."""
        if not self.awaits:
            return self.text
        return "async def main():\n" + textwrap.indent(self.text, "    ")


def written(name: str, version: tuple[int, int] = sys.version_info[:2]) -> list[Program]:
    """The programs of one of the files in `programs` that Python `version` can run."""
    path = Path(__file__).with_name("programs") / f"{name}.txt"
    above, *parts = _HEADING.split(path.read_text(encoding="utf-8"))
    del above
    return [
        Program(title, text, awaits=name == "awaits")
        for minor, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        if version >= (3, int(minor or 0))
    ]


def standard_library(source: Path | zipfile.Path = Path(textwrap.__file__).parent) -> list[Program]:
    """Whole modules of the standard library, with lines below each that use what it defines.

    `source` is the directory of the standard library's modules.
    """
    found = []
    for program in written("standard_library"):
        path = source / (program.title.replace(".", "/") + ".py")
        if not path.is_file():  # it has become a package
            continue
        text = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + program.text + "pass\n"
        found.append(Program(program.title, text, name=program.title))
    return found
