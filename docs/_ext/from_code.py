"""Directives that write the reference from the code, so that it can't say something else.

`{magic} NAME` is the manual of a magic, as IPython shows it; `{traits} MODULE.CLASS` is a table of
a class's configurable traits; `{options} MODULE.CLASS` is
what a command is for, and a table of its options. `{modules}` is a
table of the package's modules, those that import nothing of it first.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from traitlets import Bool, Enum, Float, Int, List, TraitType, Unicode, Union
from traitlets.config import Application

import ipycov

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
        from ipycov.cov_magic import CovMagic
        from ipycov.live_magic import LiveMagic
        from ipycov.measuring_magics import MeasuringMagics
        from ipycov.report_magic import ReportMagic

        name = self.arguments[0]
        owners = (CovMagic, LiveMagic, MeasuringMagics, ReportMagic)
        owner = next(each for each in owners if hasattr(each, name))
        manual = getattr(owner, name).__doc__
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
    """What a command is for, and a table of its options."""

    def run(self) -> list[nodes.Node]:
        command = _class_named(self.arguments[0])
        traits = dict(own_traits(command))
        flags: dict[str, list[str]] = {}
        for flag, (_, text) in own_flags(command):
            flags.setdefault(text, []).append(f"`{_dashed(flag)}`")
        rows = [(", ".join(dashed), text) for text, dashed in flags.items()]
        names: dict[str, list[str]] = {}
        for alias, target in command.aliases.items():
            names.setdefault(target.rpartition(".")[2], []).append(f"`{_dashed(alias)}`")
        for name, dashed in names.items():
            if name in traits:
                rows.append((f"{', '.join(dashed)} {takes(traits[name])}", traits[name].help))
        holder = nodes.container()
        lines = (inspect.getdoc(command) or "").split("\n")
        self.state.nested_parse(StringList(lines, self.get_location()), 0, holder)
        table = self.table(("option", "meaning"), rows) if rows else []
        return [*holder.children, *table]


class Modules(Traits):
    """A table of the modules, what each is for, and what it imports of the others."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        trees = {
            path.stem: ast.parse(path.read_text(encoding="utf-8"))
            for path in Path(ipycov.__file__).parent.glob("*.py")
            if not path.stem.startswith("__")
        }
        imports = {name: imported(tree) for name, tree in trees.items()}
        rows = [
            (
                f"`{name}`",
                (ast.get_docstring(trees[name]) or "").split("\n")[0],
                ", ".join(sorted(imports[name])) or "-",
            )
            for name in sorted(trees, key=lambda name: (_depth(name, imports, ()), name))
        ]
        return self.table(("module", "what it is for", "imports"), rows)


def imported(tree: ast.Module) -> set[str]:
    """The modules of ipycov that a module imports, at its top or later."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "ipycov":
            found |= {alias.name for alias in node.names if not alias.name.startswith("__")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipycov."):
            found.add((node.module or "").removeprefix("ipycov."))
    return found


def _depth(name: str, imports: Mapping[str, set[str]], above: tuple[str, ...]) -> int:
    """How many modules stand below a module at most."""
    below = imports.get(name, set()) - {*above, name}
    return 1 + max((_depth(each, imports, (*above, name)) for each in below), default=0)


def own_traits(cls: Any) -> Iterator[tuple[str, Any]]:
    """The configurable traits of a class, without those that every traitlets application has."""
    everyones = Application.class_traits()
    for name, trait in cls.class_traits(config=True).items():
        if name not in everyones:
            yield name, trait


def own_flags(command: Any) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The flags of a command, without those that every traitlets application has."""
    for name, value in command.flags.items():
        if name not in Application.flags:
            yield name, value


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


def _dashed(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("magic", Magic)
    app.add_directive("traits", Traits)
    app.add_directive("options", Options)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
