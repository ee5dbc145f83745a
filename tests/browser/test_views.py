"""The views of a notebook in a page where nothing but themselves gives them a style."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from coverage.results import Numbers

from ipycov import inline
from ipycov.live import LiveView
from ipycov.view import Line, Source

from .browsing import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NUMBERS: Any = Numbers(n_files=1, n_statements=4, n_missing=1)
ANALYSIS: Any = SimpleNamespace(numbers=NUMBERS, missing_formatted=lambda branches: "2, 4-9")
LONG = [Line(1, f"x = '{'two words ' * 40}'", "missing"), Line(2, "y" * 400, "run")]
VIEWS = {
    "inline": inline.sources([Source("In[1]", NUMBERS, LONG)]),
    "live": LiveView().shown({f"In[{n}]": ANALYSIS for n in range(100)}, ["In[99]"]).html,
}


@pytest.mark.parametrize("width", [1000, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_a_long_view(browser: Browser, axe: str, name: str, scheme: Any, width: int) -> None:
    """Nothing of a view that is longer or wider than its room keeps people out."""
    page = browser.new_page(viewport={"width": width, "height": 600}, color_scheme=scheme)
    try:
        page.set_content(
            '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark">'
            f'<title>A view</title><main><h1>A view</h1><div id="view">{VIEWS[name]}</div></main>'
        )
        assert violations(page, axe, "#view") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        page.close()
