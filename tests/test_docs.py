"""The documentation says what is so: its examples run, and its lists are complete.

In a page, a block marked `python` is a cell, `sh` a command, `ipython` what is typed in a terminal;
a block with a caption is the file of that name. They run in the order of the page, in a directory
of its own, and the block marked `text` below one is what it shows. `console` is not run.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernels import Kernel, terminal
from projects import AT_START

import ipycov

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted(Path(ipycov.__file__).parent.glob("*.py"))

_BLOCK = re.compile(
    r"^```(?:\{code-block\} )?(?P<language>\w+)\n(?::caption: (?P<caption>\S+)\n\n?)?"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    """A code block of a page; `shows` is the text of the block below it that says what it shows."""

    language: str
    caption: str | None
    text: str
    shows: str | None = None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, each `text` block taken together with the one above."""
    above: Block | None = None
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["language"] == "text" and above is not None:
            above.shows = match["text"]
            continue
        if above is not None:
            yield above
        above = Block(match["language"], match["caption"], match["text"].rstrip("\n"))
    if above is not None:
        yield above


def with_examples() -> list[Path]:
    return [page for page in PAGES if any(b.language in RUNNERS for b in blocks(page))]


def squeezed(text: str) -> str:
    """The text without what a page may leave out: the width of spaces, empty lines, rules."""
    lines = (
        re.sub(r"\s+", " ", re.sub(r"-{3,}", "---", line)).strip() for line in text.split("\n")
    )
    return "\n".join(line for line in lines if line)


def run_cell(block: Block, directory: Path, kernel: Kernel) -> str:
    reply = kernel.run(block.text)
    failed_as_shown = block.shows is not None and reply.ename in block.shows
    assert reply.status == "ok" or failed_as_shown, f"{block.text}\n{reply.ename}: {reply.evalue}"
    error = f"{reply.ename}: {reply.evalue}" if reply.status != "ok" else ""
    return "\n".join([reply.text, reply.stderr, error])


def run_command(block: Block, directory: Path, kernel: Kernel) -> str:
    if "python3 -m venv" in block.text:
        return ""  # the README's two commands, which install what already runs these tests
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", block.text],
        cwd=directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), said
    assert done.returncode == 0 or block.shows is not None, said
    return said


def run_terminal(block: Block, directory: Path, kernel: Kernel) -> str:
    return re.sub(
        r"^(In \[\d+\]: |Out\[\d+\]: )+", "", terminal(block.text, directory).stdout, flags=re.M
    )


RUNNERS = {"python": run_cell, "sh": run_command, "ipython": run_terminal}


@pytest.mark.parametrize("page", with_examples(), ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_and_show_what_it_says(page, tmp_path):
    if page.stem == "notebooks-in-ci" and AT_START.startswith("/etc/"):
        pytest.skip(f"coverage.py's tables have {AT_START} in them, which this Python runs")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    kernel = Kernel(tmp_path)
    try:
        for block in blocks(page):
            if block.caption is not None:
                (tmp_path / block.caption).write_text(block.text + "\n", encoding="utf-8")
            elif block.language in RUNNERS:
                shown = RUNNERS[block.language](block, tmp_path, kernel)
                if block.shows is not None:
                    assert squeezed(block.shows) in squeezed(shown), block.text
    finally:
        kernel.close()


def messages() -> Iterator[tuple[str, str]]:
    """Where each message that a user can meet stands in the code, and a regex of its text."""
    kinds = {"UsageError", "Problem", "ArgumentTypeError", "Usage"}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if "IPyCovError" in bases:
                    kinds.add(node.name)
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name not in kinds and name != "say_once":
                continue
            message = node.args[-1]
            if isinstance(message, ast.Name):
                message = constants.get(message.id, message)
            text = pattern(message)
            if text is not None:
                yield f"{path.name}:{node.lineno}", text


def pattern(node: ast.expr) -> str | None:
    """A regex for a string of the code, anything in the place of its values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [pattern(part) or r".+?" for part in node.values]
        return "".join(parts) if any(part != r".+?" for part in parts) else None
    return None


def test_each_message_is_explained():
    page = (ROOT / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
    found = list(messages())
    assert len(found) > 10
    explained = re.sub(r"\s+", " ", page)
    missing = [f"{where}: {text}" for where, text in found if not re.search(text, explained)]
    assert missing == []


def test_the_changelog_has_a_line_for_each_magic_and_command():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    magics = "".join(path.read_text(encoding="utf-8") for path in SOURCES if "magic" in path.name)
    names = re.findall(r"@line(?:_cell)?_magic\n    def (\w+)", magics)
    assert names
    assert [name for name in names if f"%{name}`" not in changelog] == []
