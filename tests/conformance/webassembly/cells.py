"""Runs the cells of `cells.json` in an IPython shell with ipycov, as a kernel does, and reports.

It is run by `run.mjs`, with pure Python packages only.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell


async def execute(shell: InteractiveShell, text: str, *, silent: bool = False) -> int:
    """Run a cell, whatever comes of it; return its execution count."""
    count: int = shell.execution_count
    result = await shell.run_cell_async(
        text,
        store_history=not silent,
        silent=silent,
        transformed_cell=shell.transform_cell(text),
    )
    shell.events.trigger("post_execute")
    if not silent:
        shell.events.trigger("post_run_cell", result)
    return count


async def run(directories: list[str]) -> None:
    """Run the cells of each directory and write `report.json` and `counts.json`, their counts."""
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    sys.modules["__main__"] = shell.user_module
    await execute(shell, "%xmode Minimal")
    for directory in directories:
        os.chdir(directory)
        job = json.loads(Path("cells.json").read_text())
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            await execute(shell, "%load_ext ipycov")
            await execute(shell, job["apart"], silent=True)
            counts = [await execute(shell, text) for text in job["cells"]]
            await execute(shell, "%coverage_stop")
            await execute(shell, "%coverage_report json -o report.json")
            await execute(shell, "%unload_ext ipycov")
        Path("counts.json").write_text(json.dumps(counts))
