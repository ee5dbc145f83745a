"""Directives that write the reference from the code, so that it can't say something else.

`{magic} NAME` is the manual of a magic, as IPython shows it; `{traits} MODULE.CLASS` is a table of
a class's configurable traits; `{options} MODULE.CLASS` one of a command's options.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from traitlets import Bool, Enum, Float, Int, List, TraitType, Unicode, Union

_WORDS: dict[type[TraitType[Any, Any]], str] = {
    Bool: "`True` or `False`",
    List: "a list of texts",
    Unicode: "a text",
    Float: "a number",
    Int: "a whole number",
}


class Magic(SphinxDirective):
    """The manual of one of ipycov's magics."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from ipycov.magics import CoverageMagics

        manual = getattr(CoverageMagics, self.arguments[0]).__doc__
        text = "\n".join(line.rstrip() for line in manual.removeprefix("::\n").split("\n"))
        block = nodes.literal_block(text.strip("\n"), text.strip("\n"))
        block["language"] = "text"
        return [block]


class Traits(SphinxDirective):
    """A table of the configurable traits of a class."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        traits = own_traits(_class_named(self.arguments[0]))
        return self.table(
            ("trait", "takes", "meaning"),
            [(f"`{name}`", takes(trait), trait.help) for name, trait in traits],
        )

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[nodes.Node]:
        """A Markdown table, parsed where the directive stands."""
        lines = [_row(header), _row(["---"] * len(header)), *map(_row, rows)]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, self.get_location()), 0, holder)
        return holder.children


class Options(Traits):
    """A table of the options of a command."""

    def run(self) -> list[nodes.Node]:
        command = _class_named(self.arguments[0])
        traits = dict(own_traits(command))
        rows = [(f"`--{flag}`", text) for flag, (_, text) in own_flags(command)]
        for alias, target in command.aliases.items():
            trait = traits[target.rpartition(".")[2]]
            rows.append((f"`--{alias}` {takes(trait)}", trait.help))
        return self.table(("option", "meaning"), rows)


def own_traits(cls: Any) -> Iterator[tuple[str, Any]]:
    """The configurable traits that a class has by itself."""
    yield from cls.class_own_traits(config=True).items()


def own_flags(command: Any) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The flags of a command, without those that every traitlets application has."""
    yield from ((name, value) for name, value in command.flags.items() if len(name) > 1)


def takes(trait: Any) -> str:
    """What values a trait takes, in words."""
    if isinstance(trait, Enum):
        return " or ".join(f"`{value}`" for value in trait.values)
    if isinstance(trait, Union):
        return " or ".join(takes(each) for each in trait.trait_types)
    return next(words for kind, words in _WORDS.items() if isinstance(trait, kind))


def _class_named(name: str) -> Any:
    module, _, cls = name.rpartition(".")
    return getattr(import_module(module), cls)


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("magic", Magic)
    app.add_directive("traits", Traits)
    app.add_directive("options", Options)
    return {"parallel_read_safe": True}
