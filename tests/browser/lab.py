"""A JupyterLab that runs in a directory, and notebooks in it that are run as a person would."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .browsing import Missing

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@dataclass
class Lab:
    """A JupyterLab: its address, the directory of its notebooks, and that of its settings."""

    address: str
    directory: Path
    settings: Path

    def use_theme(self, name: str) -> None:
        """Show pages that are opened from now on in the theme `light` or `dark`."""
        self._set("apputils-extension/themes", {"theme": THEMES[name]})

    def keep_still(self) -> None:
        """Have no news, no questions, and each output where it is, whether it is seen or not."""
        self._set(
            "apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}
        )
        self._set(
            "notebook-extension/tracker",
            {"windowingMode": "none", "autoStartDefaultKernel": True},
        )

    def open(self, page: Page, name: str) -> Locator:
        """Open a notebook; return where its cells are."""
        page.goto(f"{self.address}/lab/tree/{name}?reset")
        notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        notebook.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
        # until it has a kernel, running a cell asks for one
        page.locator(".jp-KernelName", has_text="Python 3").wait_for(timeout=60_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
        return notebook

    def _set(self, name: str, values: dict[str, object]) -> None:
        path = self.settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def run_all(page: Page, notebook: Locator) -> None:
    """Run all cells of an open notebook, and wait until the last has ended."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompt = notebook.locator(".jp-CodeCell .jp-InputPrompt").last
    deadline = time.monotonic() + 60
    while not (prompt.text_content() or "").strip("[]: ").isdigit():
        if time.monotonic() > deadline:
            raise TimeoutError("the last cell did not end")
        page.wait_for_timeout(100)


@contextmanager
def jupyterlab(directory: Path, settings: Path) -> Iterator[Lab]:
    """A JupyterLab that runs in `directory`, with nothing of the user's settings.

    Raises `Missing` where it is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise Missing("JupyterLab is not installed: pip install -e '.[browser]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    env = {name: str(settings / name) for name in (*places, "JUPYTERLAB_WORKSPACES_DIR")}
    lab = Lab(f"http://127.0.0.1:{port}", directory, settings / "user")
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": directory,
        "IdentityProvider.token": "",
        "LabApp.user_settings_dir": lab.settings,
        "LabApp.extension_manager": "readonly",
        "LabApp.news_url": "None",
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *(f"--{name}={value}" for name, value in options.items()),
        ],
        cwd=directory,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"{lab.address}/api", process)
        lab.keep_still()
        yield lab
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
