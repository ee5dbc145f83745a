"""The inline view in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from projects import write_notebook

from .browsing import Missing, absent, violations
from .lab import Lab, jupyterlab, run_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CELLS = (
    "%load_ext ipycov\n%config IPyCov.branch = True",
    "def sign(x):\n    if x < 0:\n        return -1\n    return 1",
    "sign(3)",
    "%coverage_report html",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with a notebook."""
    directory = tmp_path_factory.mktemp("lab")
    write_notebook(directory / "a.ipynb", *CELLS)
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
