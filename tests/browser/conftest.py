from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser that the tests share."""
    try:
        with browsing.launched() as browser:
            yield browser
    except browsing.Missing as missing:
        browsing.absent(missing)


@pytest.fixture(scope="session")
def axe(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The script of axe-core, kept from one run of the tests to the next."""
    cache: Any = getattr(request.config, "cache", None)
    name = f"axe-{browsing.AXE}"
    try:
        return browsing.axe(cache.mkdir(name) if cache else tmp_path_factory.mktemp(name))
    except browsing.Missing as missing:
        browsing.absent(missing)
