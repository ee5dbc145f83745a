"""The headings of a notebook's markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKED = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_IMAGE_OR_LINK = re.compile(r"!?\[([^][]*)\]\([^()\s]*\)")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=\S)([^*]+?)(?<=\S)\1(?![\w*])")
_TAG = re.compile(r"</?[a-z][^<>]*>", re.I)
_LONG = 1000  # characters of a heading that is shown as it is written
_NO_PARAGRAPH = re.compile(r"\s*(?:[-+*>|]|\d+[.)])|\s{4}|\s*$")


@dataclass(frozen=True)
class Heading:
    """A heading: its level, 1 to 6, and its text, in the markdown cell `number` of all cells."""

    number: int
    level: int
    text: str

    @property
    def spans(self) -> list[tuple[str, bool]]:
        """The text as it reads, in spans, and whether each is code.

        It is without tags and the marks of emphasis and links, so far as these are not nested.
        """
        if len(self.text) > _LONG:
            return [(self.text, False)]
        # one of three is text, one the marks around code, and one code
        text, _, code = (_CODE.split(self.text)[which::3] for which in range(3))
        plain = [
            _EMPHASIS.sub(r"\2", _IMAGE_OR_LINK.sub(r"\1", _TAG.sub("", each))) for each in text
        ]
        spans = [(plain[0], False)]
        for inside, after in zip(code, plain[1:], strict=True):
            spans += [(inside.strip() or inside, True), (after, False)]
        return [span for span in spans if span[0]]


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
