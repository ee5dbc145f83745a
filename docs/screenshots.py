"""Make the pictures of the docs, `docs/images/*.png`, from a real JupyterLab and the written site.

usage: python docs/screenshots.py

Needs the extra `browser`, and Chromium from `apt-get install chromium`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests"))

from browser.browsing import launched  # noqa: E402 - it is where the tests are
from browser.lab import Lab, jupyterlab, run_all  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: The cells of the tutorial, up to its inline view.
CELLS = (
    "%load_ext ipycov\n%config IPyCov.branch = True",
    "def grade(points):\n    if points >= 90:\n        return 'A'\n    if points >= 70:\n"
    "        return 'B'\n    return 'C'",
    "[grade(points) for points in (95, 91)]",
    "%coverage_report html",
)

#: The same with the live view, that shows the later cells.
LIVE = (CELLS[0], "%coverage_live", *CELLS[1:3])

#: The pictures of notebooks, with their cells.
NOTEBOOKS = {"inline": CELLS, "live": LIVE}


def notebook(browser: Browser, lab: Lab, name: str, theme: str) -> None:
    """A notebook whose cells have run."""
    lab.use_theme(theme)
    page = browser.new_page(viewport={"width": 900, "height": 760})
    opened = lab.open(page, f"{name}.ipynb")
    page.keyboard.press("Control+b")  # the side bar is not what it is about
    run_all(page, opened)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    cells = opened.locator(".jp-Cell")
    first, last = cells.first.bounding_box(), cells.last.bounding_box()
    if first is None or last is None:
        raise RuntimeError("the cells are out of sight")
    top = first["y"] - 8
    page.screenshot(
        path=IMAGES / f"{name}-{theme}.png",
        clip={
            "x": first["x"],
            "y": top,
            "width": first["width"],
            "height": last["y"] + last["height"] + 8 - top,
        },
    )
    page.close()


def site(browser: Browser, directory: Path) -> None:
    """The index of a site, and a notebook's page."""
    for theme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 900, "height": 400}, color_scheme=theme)
        page.goto((directory / "index.html").as_uri())
        page.get_by_role("button", name="Missed").dblclick()
        page.mouse.move(0, 0)
        page.locator("footer").evaluate("element => element.remove()")  # it has today's date
        page.screenshot(path=IMAGES / f"site-{theme}.png", full_page=False)
        page.set_viewport_size({"width": 900, "height": 760})
        page.goto((directory / "first_look.ipynb.html").as_uri())
        page.screenshot(path=IMAGES / f"site-notebook-{theme}.png")
        page.close()


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work, launched() as browser:
        directory = Path(work, "notebooks")
        shutil.copytree(ROOT / "examples", directory / "examples")
        subprocess.run(
            [sys.executable, "-m", "ipycov", "run", "--branch", "--html", "../site", "."],
            cwd=directory / "examples",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        site(browser, directory / "site")
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        for name, texts in NOTEBOOKS.items():
            cells = [nbformat.v4.new_code_cell(text) for text in texts]
            document = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
            nbformat.write(document, directory / f"{name}.ipynb")
        for theme in ("light", "dark"):
            settings = Path(work, f"settings-{theme}")  # a kernel of its own: cells count from 1
            with jupyterlab(directory, settings) as lab:
                for name in NOTEBOOKS:
                    notebook(browser, lab, name, theme)


if __name__ == "__main__":
    main()
