"""The written site, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from kernels import terminal
from projects import LIB, command, write_notebook

from .browsing import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCHEMES = ("light", "dark")
PAGES = ("index.html", "a.ipynb.html", "sub_a.ipynb.html", "In.html")

SIGN = """def sign(x):
    if x:
        return lib.sign(
            x
        )
    return 0"""

SESSION = """
    %load_ext ipycov
    %config IPyCov.branch = True
    import lib
    half = lambda number: number // 2
    if half(4) == 3: print("never")

    text = "TEXT"
    %coverage_report html --show-contexts -o session
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sites of two notebooks, `out`, and of a session, `session`."""
    directory = tmp_path_factory.mktemp("project")
    (directory / "lib.py").write_text(LIB)
    code, markdown = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        markdown("# Numbers <script>alert(1)</script>"),
        code("import lib\ntext = '</code><script>alert(1)</script>\u202e'"),
        markdown("## Signs"),
        code(SIGN),
        code("sign(1)\nif sign(2) == 2:  # pragma: no branch\n    x = 1"),
        code("# a long line: " + "x" * 300_000),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), directory / "a.ipynb")
    write_notebook(directory / "sub/a.ipynb", "x = 1", "if x == 2:\n    y = 1")
    command("ipycov", "run", ".", "--branch", "--html", "out", cwd=directory)
    terminal(SESSION.replace("TEXT", "x" * 500), directory)
    assert (directory / "session/index.html").exists()
    return directory


def address(written: Path, name: str) -> str:
    """The address of a page of either site."""
    folder = "session" if name == "In.html" else "out"
    return (written / folder / name).as_uri()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without a network, which must neither complain nor ask for anything."""
    options: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})
    context.set_offline(True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: None if request.url.endswith(".html") else said.append(request.url),
    )
    yield page
    context.close()
    assert [each for each in said if not each.startswith("data:")] == []


def names(page: Page) -> list[str]:
    """The names in the index that are to be seen, from top to bottom."""
    return page.locator("tbody tr:visible th").all_inner_texts()


def test_sorting_with_the_mouse(page: Page, written: Path) -> None:
    """A click on the name of a column sorts by it, the next one the other way round."""
    page.goto(address(written, "index.html"))
    assert names(page) == ["a.ipynb", "lib.py", "sub/a.ipynb"]
    column = page.get_by_role("columnheader", name="Statements")
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "ascending"
    assert names(page) == ["sub/a.ipynb", "lib.py", "a.ipynb"]
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "descending"
    assert names(page) == ["a.ipynb", "lib.py", "sub/a.ipynb"]
    page.get_by_role("button", name="Coverage").click()
    assert names(page) == ["sub/a.ipynb", "lib.py", "a.ipynb"]
    assert column.get_attribute("aria-sort") == "none"


def test_searching(page: Page, written: Path) -> None:
    """The filter leaves the names that hold its words, and says how many there are."""
    page.goto(address(written, "index.html"))
    status = page.get_by_role("status")
    assert status.inner_text() == "3 listed"
    page.get_by_label("Filter by name").fill("LIB")
    assert names(page) == ["lib.py"]
    assert status.inner_text() == "1 of 9 match"
    page.get_by_label("Filter by name").fill("cell sub")
    assert names(page) == ["sub/a.ipynb cell 1", "sub/a.ipynb cell 2"]
    page.get_by_label("Filter by name").press("Escape")
    assert len(names(page)) == 3
    page.get_by_label("List each cell of the notebooks").check()
    assert len(names(page)) == 9
    assert page.locator("tbody th a").nth(1).inner_text() == "a.ipynb cell 2"


def focused(page: Page) -> str:
    """What has the focus: its label or text; it must be seen to have it."""
    said: list[str] = page.evaluate("""() => {
        const e = document.activeElement;
        const style = getComputedStyle(e);
        return [e.ariaLabel || e.innerText || e.id, style.outlineStyle, style.outlineWidth];
    }""")
    assert said[0] == "main" or (said[1] != "none" and said[2] != "0px"), said
    return said[0]


def test_walking_by_keyboard(page: Page, written: Path) -> None:
    """Everything is reached with Tab and used with Enter, from the index to a line of a cell."""
    page.goto(address(written, "index.html"))
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    walked = []
    for _ in range(14):
        page.keyboard.press("Tab")
        walked.append(focused(page))
        if walked[-1] == "Coverage":
            page.keyboard.press("Enter")
            page.keyboard.press("Space")
        if walked[-1] == "sub/a.ipynb":
            break
    assert walked[:3] == ["filter", "parts", "Notebooks, cells and modules"]
    assert walked[3:] == [
        *("Name", "Kind", "Statements", "Missed", "Branches", "Partial", "Coverage"),
        *("a.ipynb", "lib.py", "sub/a.ipynb"),
    ]
    page.keyboard.press("Enter")
    page.wait_for_url("**/sub_a.ipynb.html")
    walked = []
    while "line 2, missed" not in (walked or [""])[-1]:
        page.keyboard.press("Tab")
        walked.append(focused(page))
        assert len(walked) < 10
    assert walked[-2:] == ["cell 2, line 1, partial", "cell 2, line 2, missed"]
    page.keyboard.press("Enter")
    page.wait_for_url("**/sub_a.ipynb.html#cell-2-L2")


def test_skipping_to_the_content(page: Page, written: Path) -> None:
    """The first link of a page leads past its head."""
    page.goto(address(written, "a.ipynb.html"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_link_to_a_line(page: Page, written: Path) -> None:
    """The line that an address names is in sight and told from the others."""
    page.goto(address(written, "a.ipynb.html") + "#cell-4-L2")
    line = page.locator(":target")
    assert line.locator("code").inner_text() == "    if x:"
    assert "never false" in line.inner_text() or "always true" in line.inner_text()
    box = line.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 700
    other = page.locator("#cell-5-L1")
    colour = "e => getComputedStyle(e).backgroundColor"
    assert line.evaluate(colour) != other.evaluate(colour)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "page", [{"color_scheme": each} for each in SCHEMES], indirect=True, ids=SCHEMES
)
def test_axe_finds_nothing(page: Page, written: Path, axe: str, name: str) -> None:
    """Nothing keeps people out: contrast, names, roles, the order of headings, in both schemes."""
    page.goto(address(written, name))
    for details in page.locator("summary").all():
        details.click()
    assert violations(page, axe) == []


def test_light_and_dark(browser: Browser, written: Path) -> None:
    """The page is as bright as the system asks for."""
    shades = []
    for scheme in SCHEMES:
        page = browser.new_page(color_scheme=scheme)
        page.goto(address(written, "a.ipynb.html"))
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades.append(sum(map(int, colour[4:-1].split(","))))
        page.close()
    assert shades[0] > 600 > 200 > shades[1]


def test_printing(browser: Browser, written: Path) -> None:
    """Paper has light colours whatever the screen has, and nothing to click at."""
    page = browser.new_page(color_scheme="dark")
    page.emulate_media(media="print")
    page.goto(address(written, "index.html"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.get_by_label("Filter by name").is_visible()
    page.goto(address(written, "sub_a.ipynb.html"))
    assert page.pdf().startswith(b"%PDF")
    page.set_viewport_size({"width": 700, "height": 900})
    page.goto(address(written, "In.html"))
    for ran_in in page.locator(".contexts").all():  # beside a line that is broken, too
        assert ran_in.evaluate("e => e.offsetHeight < 25")
    page.close()


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True, ids=["no script"])
def test_without_scripts(page: Page, written: Path) -> None:
    """Without scripts all that is listed can be read, and nothing is offered that can't be done."""
    page.goto(address(written, "index.html"))
    assert page.locator("tbody tr:visible").count() == 9
    assert page.get_by_role("button").count() == 0
    assert not page.locator("#filter").is_visible()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 320, "height": 600}}], indirect=True, ids=["narrow"]
)
def test_a_narrow_window(page: Page, written: Path, name: str) -> None:
    """A page as narrow as a phone, or four times as large, need not be moved from side to side."""
    page.goto(address(written, name))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
