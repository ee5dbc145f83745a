"""A cell is measured as coverage.py measures a module with its text.

Every program is run as a module under coverage.py and as a cell in a real kernel, with the same
interpreter, core and configuration, and what the two reports say must be equal. All programs share
one process and one kernel for each configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from kernels import CORES

from .generated import generated
from .programs import Program, standard_library, written
from .sides import Configuration, Findings, as_cells, as_modules

GENERATED = 160

#: sys.monitoring can tell branches from Python 3.14 on only; before it, coverage.py measures them
#: with the C tracer instead.
CONFIGURATIONS = [
    Configuration(core, branch)
    for core in CORES
    for branch in (True, False)
    if core != "sysmon" or not branch
]
WRITTEN = {
    name: written(name)
    for name in (
        "simple",
        "branches",
        "loops",
        "functions",
        "exceptions",
        "exclusions",
        "awaits",
    )
}
STANDARD = standard_library()

Compare = Callable[[Program], list[Findings]]


@pytest.fixture(scope="session")
def made_up() -> list[Program]:
    return generated(GENERATED)


@pytest.fixture(scope="session", params=CONFIGURATIONS, ids=str)
def compare(
    request: pytest.FixtureRequest,
    made_up: list[Program],
    tmp_path_factory: pytest.TempPathFactory,
) -> Compare:
    """Gives what was found of a program as a module, and as a cell."""
    configuration: Configuration = request.param
    programs = [*(program for each in WRITTEN.values() for program in each), *STANDARD, *made_up]
    # Cells with the same text are one cell.
    programs = list({program.text: program for program in programs}.values())
    with ThreadPoolExecutor() as both:
        modules, cells = (
            both.submit(run, programs, configuration, tmp_path_factory.mktemp(run.__name__))
            for run in (as_modules, as_cells)
        )
        found = {
            program.text: each
            for program, *each in zip(programs, modules.result(), cells.result(), strict=True)
        }
    return lambda program: found[program.text]


def difference(program: Program, compare: Compare) -> str:
    """What is found of a program only one way, for a person to see; empty where all is equal."""
    module, cell = compare(program)
    differences = [
        f"  {name}: only as a module {only_module}, only as a cell {only_cell}"
        for name, (only_module, only_cell) in module.unlike(cell).items()
    ]
    if not differences:
        return ""
    lines = program.text.splitlines() if len(program.text) < 3000 else []
    numbered = [f"{number:4} {line}" for number, line in enumerate(lines, 1)]
    return "\n".join([f"{program.title}:", *numbered, *differences])


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, id=f"{name}: {program.title}")
        for name, programs in WRITTEN.items()
        for program in programs
    ],
)
def test_a_cell_is_measured_as_a_module(program: Program, compare: Compare) -> None:
    """A cell has the lines and branches that coverage.py finds in a module with its text."""
    assert not difference(program, compare)


@pytest.mark.parametrize("program", STANDARD, ids=[program.title for program in STANDARD])
def test_a_module_of_the_standard_library_as_a_cell(program: Program, compare: Compare) -> None:
    """A whole module of the standard library, run as a cell, is measured as itself."""
    assert not difference(program, compare)


def test_programs_that_nobody_wrote(made_up: list[Program], compare: Compare) -> None:
    """Programs of every kind of statement in every other are measured as modules are."""
    assert len(made_up) == GENERATED
    differences = [said for program in made_up if (said := difference(program, compare))]
    assert not differences, f"{len(differences)} programs differ\n" + "\n".join(differences[:3])


def test_the_reference_finds_something(compare: Compare) -> None:
    """The programs do run as modules, with lines executed, missing and excluded and with branches.

    Were they not run at all, both sides would agree.
    """
    for name, programs in WRITTEN.items():
        modules = [compare(program)[0] for program in programs]
        assert sum(bool(module.executed) for module in modules) > len(modules) * 0.9, name
    assert all(compare(program)[0].executed for program in STANDARD)
    excluded = [compare(program)[0].excluded for program in WRITTEN["exclusions"]]
    assert sum(map(bool, excluded)) > len(excluded) / 2
