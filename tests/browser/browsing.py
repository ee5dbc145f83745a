"""A browser to look with, and axe-core to look for what keeps people out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: The version of axe-core on npm.
AXE = "4.14.1"

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Missing(Exception):
    """Something that a browser test needs is not there."""


def absent(missing: Missing) -> NoReturn:
    """Skip the test; fail it where IPYCOV_BROWSER_TESTS is `all`, for all of them to be run."""
    if os.environ.get("IPYCOV_BROWSER_TESTS") == "all":
        pytest.fail(str(missing))
    pytest.skip(str(missing))


def chromium() -> str:
    """The path of the browser: Debian's, for Playwright's own can't be downloaded everywhere.

    Raises `Missing` where there is none.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise Missing("there is no browser: apt-get install chromium")
    return path


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser that runs.

    Raises `Missing` where it, or Playwright, is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Missing("Playwright is not installed: pip install -e '.[browser]'") from error
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def axe(cache: Path) -> str:
    """The script of axe-core, installed into `cache` from npm.

    Raises `Missing` where there is no npm, or nothing can be downloaded.
    """
    if shutil.which("npm") is None:
        raise Missing("npm is not there to install axe-core")
    done = cache / "installed"
    if not done.exists():
        fresh = Path(tempfile.mkdtemp(dir=cache))
        install = ["npm", "install", "--prefix", str(fresh), "--no-save", f"axe-core@{AXE}"]
        run = subprocess.run(install, capture_output=True, text=True)
        if run.returncode != 0:
            raise Missing(f"can't install axe-core: {run.stderr}")
        with contextlib.suppress(OSError):  # another run of the tests was faster
            fresh.rename(done)
        shutil.rmtree(fresh, ignore_errors=True)
    return (done / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, script: str, within: str = "html") -> list[str]:
    """What axe-core finds wrong in an element of a page, a line for each."""
    page.evaluate(script)
    found: list[dict[str, Any]] = page.evaluate(
        "async within => (await axe.run(within)).violations", within
    )
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
