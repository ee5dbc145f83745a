"""Runs the programs of `manifest.json` as modules; it is run by `run.mjs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, "/project/tests/conformance")

import modules


async def run() -> None:
    """Run all programs and write `modules.json`."""
    await modules.main(json.loads(Path("manifest.json").read_text()), "modules.json")
