"""The inline view and the live view in JupyterLab."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from projects import write_notebook

from .browsing import Missing, absent, violations
from .lab import THEMES, Lab, jupyterlab, run_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CELLS = (
    "%load_ext ipycov\n%config IPyCov.branch = True",
    "def sign(x):\n    if x < 0:\n        return -1\n    return 1",
    "sign(3)",
    "%coverage_report html",
)
LIVE = (
    "%load_ext ipycov",
    "%coverage_live",
    "def sign(x):\n    if x < 0:\n        return -1\n    return 1",
    "sign(3)",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with a notebook."""
    directory = tmp_path_factory.mktemp("lab")
    write_notebook(directory / "a.ipynb", *CELLS)
    for theme in THEMES:
        write_notebook(directory / f"live-{theme}.ipynb", *LIVE)
    try:
        with jupyterlab(directory, tmp_path_factory.mktemp("settings")) as lab:
            yield lab
    except Missing as missing:
        absent(missing)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_inline_view(browser: Browser, lab: Lab, axe: str, theme: str) -> None:
    """`%coverage_report html` shows the source with what was missed, for everyone to read."""
    lab.use_theme(theme)
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    try:
        notebook = lab.open(page, "a.ipynb")
        run_all(page, notebook)
        view = notebook.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").last
        view.wait_for()
        assert (
            page.locator("body").get_attribute("data-jp-theme-light")
            == str(theme == "light").lower()
        )
        text = view.inner_text()
        assert "return -1" in text
        assert "missed" in text
        assert "line 2" in text
        view.evaluate("element => element.id = 'view'")
        assert violations(page, axe, "#view") == []
    finally:
        page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_the_live_view(browser: Browser, lab: Lab, axe: str, theme: str) -> None:
    """The live view follows later cells, and tells a cell that was edited and saved from others."""
    lab.use_theme(theme)
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    try:
        notebook = lab.open(page, f"live-{theme}.ipynb")
        run_all(page, notebook)
        cells = notebook.locator(".jp-CodeCell")
        view = cells.nth(1).locator(".jp-OutputArea-output").last
        row = view.locator("tr", has_text="In[3]")
        row.filter(has_text="75%").wait_for()
        assert "just ran" in view.locator("tr", has_text="In[4]").inner_text()
        assert "stale" not in view.inner_text()
        view.evaluate("element => element.id = 'view'")
        assert violations(page, axe, "#view") == []
        cells.nth(2).locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.type("  # one or none")
        page.keyboard.press("Control+s")
        saved = lab.directory / f"live-{theme}.ipynb"
        deadline = time.monotonic() + 30
        while "one or none" not in saved.read_text():
            assert time.monotonic() < deadline, "the notebook was not saved"
            page.wait_for_timeout(100)
        cells.nth(3).locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        row.filter(has_text="stale: edited since it ran").wait_for()
    finally:
        page.close()
