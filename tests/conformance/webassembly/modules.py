"""Runs the programs of `manifest.json` as modules; it is run by `run.mjs`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, "/project/tests/conformance")

import modules


async def run(directories: list[str]) -> None:
    """Run all programs of each directory and write `modules.json`."""
    for directory in directories:
        os.chdir(directory)
        await modules.main(json.loads(Path("manifest.json").read_text()), "modules.json")
