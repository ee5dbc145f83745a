"""The headings of a notebook's markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKED = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH = re.compile(r"\s*(?:[-+*>|]|\d+[.)])|\s{4}|\s*$")


@dataclass(frozen=True)
class Heading:
    """A heading: its level, 1 to 6, and its text, in the markdown cell `number` of all cells."""

    number: int
    level: int
    text: str


def headings(number: int, markdown: str) -> tuple[Heading, ...]:
    """The headings of the markdown cell `number`, by CommonMark's rules.

    Code between fences has none. Those in HTML are not looked for.
    """
    found: list[Heading] = []
    fence = before = ""
    for row in markdown.split("\n"):
        row = row.rstrip("\r")
        mark = _FENCE.match(row)
        if fence or mark:
            if mark and not fence:
                fence = mark[1]
            elif mark and mark[1].startswith(fence) and not row[mark.end() :].strip():
                fence = ""
            before = ""
            continue
        marked = _MARKED.match(row)
        underline = _UNDERLINE.match(row)
        if marked:
            found.append(Heading(number, len(marked[1]), (marked[2] or "").strip()))
        elif underline and before and not _NO_PARAGRAPH.match(before):
            found.append(Heading(number, 1 if underline[1][0] == "=" else 2, before.strip()))
        before = "" if marked or underline else row
    return tuple(heading for heading in found if heading.text)
