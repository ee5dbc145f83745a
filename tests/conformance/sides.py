"""The two ways in which a program is measured, and what is compared."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels import Kernel

from .programs import Program

#: The configuration of both sides.
CONFIG = """\
[run]
branch = {branch}
core = {core}
include = programs/*
[report]
exclude_also =
    never reached
    await never_reached
    def __repr__
partial_also =
    always ends
"""


@dataclass(frozen=True)
class Configuration:
    """How to measure: one of coverage.py's cores, with branches or without."""

    core: str
    branch: bool

    def __str__(self) -> str:
        return f"{self.core}-{'branches' if self.branch else 'lines'}"

    def write(self, directory: Path) -> None:
        """Put the configuration file of both sides into `directory`."""
        text = CONFIG.format(branch=self.branch, core=self.core)
        (directory / ".coveragerc").write_text(text)


@dataclass(frozen=True)
class Findings:
    """What a report says of one program. A branch is a line and where it goes, -1 for out."""

    statements: tuple[int, ...]
    executed: tuple[int, ...]
    missing: tuple[int, ...]
    excluded: tuple[int, ...]
    executed_branches: tuple[tuple[int, int], ...]
    missing_branches: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, file: dict[str, Any] | None, lower: int = 0) -> Findings:
        """Read a file of a JSON report whose lines stand `lower` lines lower than in the program.

        A cell without any statement is in no report, a module without any is: as an empty one, or
        before coverage.py 7.11 as one whose docstring was executed.
        """
        if file is None or not (file["summary"]["num_statements"] or file["excluded_lines"]):
            return cls((), (), (), (), (), ())

        def lines(name: str) -> tuple[int, ...]:
            return tuple(line - lower for line in sorted(file[name]) if line > lower)

        def branches(name: str) -> tuple[tuple[int, int], ...]:
            return tuple(
                (start - lower, end - lower if end > 0 else min(end + lower, -1))
                for start, end in sorted(file.get(name, []))
            )

        executed, missing = lines("executed_lines"), lines("missing_lines")
        return cls(
            tuple(sorted(executed + missing)),
            executed,
            missing,
            lines("excluded_lines"),
            branches("executed_branches"),
            branches("missing_branches"),
        )

    def unlike(self, other: Findings) -> dict[str, tuple[list[Any], list[Any]]]:
        """What only one of the two has, this one's first, by the names of the sets."""
        return {
            name: (sorted({*mine} - {*theirs}), sorted({*theirs} - {*mine}))
            for name, mine in vars(self).items()
            if mine != (theirs := getattr(other, name))
        }


def as_modules(
    programs: list[Program], configuration: Configuration, directory: Path
) -> list[Findings]:
    """Run each program as a module, all in one process under one `coverage.Coverage`."""
    write_modules(programs, configuration, directory)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("modules.py"))],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return read_modules(programs, directory)


def write_modules(programs: list[Program], configuration: Configuration, directory: Path) -> None:
    """Write what `modules.py` reads."""
    configuration.write(directory)
    (directory / "programs").mkdir()
    manifest = []
    for number, program in enumerate(programs):
        path = f"programs/{number:04}.py"
        (directory / path).write_text(program.as_module(), encoding="utf-8")
        manifest.append({"path": path, "name": program.name, "awaits": program.awaits})
    (directory / "manifest.json").write_text(json.dumps(manifest))


def read_modules(programs: list[Program], directory: Path) -> list[Findings]:
    """Read what `modules.py` wrote."""
    files = json.loads((directory / "modules.json").read_text())["files"]
    return [
        Findings.of(files.get(str(Path(f"programs/{number:04}.py"))), program.lower)
        for number, program in enumerate(programs)
    ]


#: Takes away what one cell left before the next begins, and gives that its `__name__`.
APART = """\
def _apart(shell, names):
    import importlib

    def pre_execute():
        if names:
            name = names.pop(0)
            for each in set(space) - set(kept):
                del space[each]
            space.update(kept, __name__=name)
            importlib.import_module(name)
            shell.compile.reset_compiler_flags()

    space = shell.user_ns
    del space["_apart"]
    kept = dict(space)
    shell.events.register("pre_execute", pre_execute)

_apart(get_ipython(), {names})
"""

#: How many cells a kernel is given before it has answered.
_AT_ONCE = 50


def as_cells(
    programs: list[Program], configuration: Configuration, directory: Path
) -> list[Findings]:
    """Run each program as a cell, all in one real kernel with ipycov loaded."""
    configuration.write(directory)
    report = directory / "cells.json"
    profile = directory / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c.HistoryManager.enabled = False\n")
    kernel = Kernel(directory, env={"IPYTHONDIR": str(profile.parent)})
    try:
        kernel.run("%load_ext ipycov")
        kernel.run("%xmode Minimal")
        apart = APART.format(names=[program.module_name for program in programs])
        assert kernel.run(apart, silent=True).status == "ok"
        counts = _execute(kernel, [program.text for program in programs])
        kernel.run("%coverage_stop")
        kernel.run(f"%coverage_report json -o {report}")
    finally:
        kernel.close()
    return read_cells(report, counts)


def read_cells(report: Path, counts: list[int]) -> list[Findings]:
    """Read a JSON report on cells with these execution counts."""
    files = json.loads(report.read_text())["files"]
    return [Findings.of(files.get(f"In[{count}]")) for count in counts]


def _execute(kernel: Kernel, cells: list[str]) -> list[int]:
    """Run cells one after another, whatever comes of them; return their execution counts."""
    counts: dict[str, int] = {}
    for first in range(0, len(cells), _AT_ONCE):
        sent = [
            kernel.client.execute(cell, allow_stdin=False, stop_on_error=False)
            for cell in cells[first : first + _AT_ONCE]
        ]
        while any(id not in counts for id in sent):
            try:
                reply = kernel.client.get_shell_msg(timeout=60)
            except queue.Empty:
                text = cells[len(counts)]
                raise AssertionError(f"the kernel does not come back from\n{text}") from None
            if reply["parent_header"].get("msg_id") in sent:
                counts[reply["parent_header"]["msg_id"]] = reply["content"]["execution_count"]
        kernel.pass_over_output()
    return list(counts.values())
