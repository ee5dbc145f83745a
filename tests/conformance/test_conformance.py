"""A cell is measured as coverage.py measures a module with its text.

Every program is run as a module under coverage.py and as a cell in a real kernel, with the same
interpreter, core and configuration, and what the two reports say must be equal. All programs share
one process and one kernel for each configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from kernels import CORES

from .generated import generated
from .programs import Program, standard_library, written
from .sides import Configuration, Findings, as_cells, as_modules

GENERATED = 160

#: Where whole modules are measured: each core once.
THOROUGH = [
    Configuration(core, branch)
    for core, branch in (("ctrace", True), ("pytrace", False), ("sysmon", False))
    if core in CORES
]

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


@pytest.fixture(scope="session")
def sides(
    request: pytest.FixtureRequest,
    made_up: list[Program],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Configuration, Future[Compare]]]:
    """Both sides of all configurations that are asked for, two at a time."""
    short = [*(program for each in WRITTEN.values() for program in each), *made_up]

    def run(configuration: Configuration, directory: Path) -> Compare:
        programs = short + STANDARD if configuration in THOROUGH else short
        # Cells with the same text are one cell.
        programs = list({program.text: program for program in programs}.values())
        found = {
            program.text: each
            for program, *each in zip(
                programs,
                as_modules(programs, configuration, directory),
                as_cells(programs, configuration, directory),
                strict=True,
            )
        }
        return lambda program: found[program.text]

    params = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = {each.params["compare"] for each in params if each and "compare" in each.params}
    with ThreadPoolExecutor(2) as pool:
        yield {
            configuration: pool.submit(run, configuration, tmp_path_factory.mktemp("sides"))
            for configuration in CONFIGURATIONS
            if configuration in wanted
        }


@pytest.fixture(scope="session", params=CONFIGURATIONS, ids=str)
def compare(request: pytest.FixtureRequest, sides: dict[Configuration, Future[Compare]]) -> Compare:
    """Gives what was found of a program as a module, and as a cell."""
    return sides[request.param].result()


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


@pytest.mark.parametrize("compare", THOROUGH, ids=str, indirect=True)
@pytest.mark.parametrize("program", STANDARD, ids=[program.title for program in STANDARD])
def test_a_module_of_the_standard_library_as_a_cell(program: Program, compare: Compare) -> None:
    """A whole module of the standard library, run as a cell, is measured as itself."""
    assert len(STANDARD) > 40
    assert compare(program)[0].executed
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
    excluded = [compare(program)[0].excluded for program in WRITTEN["exclusions"]]
    assert sum(map(bool, excluded)) > len(excluded) / 2
