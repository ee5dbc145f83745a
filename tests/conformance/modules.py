"""Runs the programs of `manifest.json` as modules under coverage.py and writes `modules.json`.

It is run as a script, and imports nothing of ipycov's.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import coverage


async def run(path: str, name: str | None, awaits: bool) -> None:
    """Run a file as the module `name`, whatever comes of it."""
    module = types.ModuleType(name or "__main__")
    if name is None:
        sys.modules["__main__"] = module
    else:
        importlib.import_module(name)  # classes look for the module that they are told they are in
    with contextlib.suppress(BaseException):
        text = Path(path).read_text(encoding="utf-8")
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)
        if awaits:
            await module.__dict__["main"]()


async def main(manifest: list[dict[str, Any]], report: str) -> None:
    """Run all programs under one `coverage.Coverage`, each as a module."""
    cov = coverage.Coverage(data_file=None)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        for entry in manifest:
            cov.start()
            await run(entry["path"], entry["name"], entry["awaits"])
            cov.stop()
    cov.json_report(outfile=report)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path("manifest.json").read_text()), "modules.json"))
