"""Running notebooks: each in a kernel of its own that measures its cells into a store."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from ipycov.errors import MissingExtra
from ipycov.measure import Options
from ipycov.notebooks import Notebook

#: How many lines of what a dead kernel said last are shown.
_SAID_LAST = 10

#: Called with the number of code cells run so far and that of all code cells.
Progress = Callable[[int, int], None]


@dataclass
class Outcome:
    """How the run of a notebook ended: `error` is None when every cell ran.

    `notes` are for the user, whether it ended well or not.
    """

    error: str | None = None
    notes: list[str] = field(default_factory=list)


def require_runner() -> None:
    """Raise `MissingExtra` where the packages that run notebooks are not installed."""
    try:
        import ipykernel  # noqa: F401
        import nbclient  # noqa: F401
        import nbformat  # noqa: F401
        import tqdm  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            f"running notebooks needs {error.name}, which is not installed; install the extra: "
            "pip install 'ipycov[run]'"
        ) from error


def run(
    notebook: Notebook,
    options: Options,
    store: str,
    progress: Progress,
    timeout: float | None = None,
) -> Outcome:
    """Run a notebook in its own directory, measured into the directory `store`.

    The file is left as it is and nothing is added to what it runs. `timeout` is in seconds, for
    the whole notebook.
    """
    return asyncio.run(_run(notebook, options, store, progress, timeout))


async def _run(
    notebook: Notebook, options: Options, store: str, progress: Progress, timeout: float | None
) -> Outcome:
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    document: Any = nbformat.read(notebook.path, as_version=4)  # type: ignore[no-untyped-call]
    outcome = Outcome()
    kernel = notebook.kernel_name or "python3"
    try:
        KernelSpecManager().get_kernel_spec(kernel)
    except NoSuchKernel:
        outcome.notes.append(f"no kernel {kernel!r} is installed; python3 was used in its place")
        kernel = "python3"
    executed: list[int] = []
    code_cells = sum(cell.cell_type == "code" for cell in document.cells)
    ids = [cell.get("id") for cell in document.cells]

    def cell_starts(cell: Any, cell_index: int) -> None:
        # as JupyterLab does; an id that two cells share tells nothing
        unique = cell.get("id") is not None and ids.count(cell.get("id")) == 1
        client.kc.session.metadata = {"cellId": cell["id"]} if unique else {}
        if cell.cell_type == "code":
            executed.append(cell_index)

    def cell_ended(**_: object) -> None:
        progress(len(executed), code_cells)

    client: Any = NotebookClient(
        document,
        kernel_name=kernel,
        timeout=None,
        resources={"metadata": {"path": os.path.dirname(os.path.abspath(notebook.path))}},
        extra_arguments=_kernel_arguments(options, store),
        on_cell_start=cell_starts,
        on_cell_executed=cell_ended,
    )
    with tempfile.TemporaryFile(mode="w+", errors="replace") as stderr:
        try:
            async with asyncio.timeout(timeout) as limit:
                await client.async_execute(stderr=stderr)
        except CellExecutionError as error:
            at = executed[-1]
            where = f"cell {at + 1} (In[{document.cells[at].get('execution_count')}])"
            outcome.error = f"{where} raised {error.ename}: {error.evalue}"
        except (TimeoutError, DeadKernelError) as error:
            if isinstance(error, TimeoutError) or limit.expired():
                outcome.error = f"did not end within {timeout:g} seconds"
            else:
                outcome.error = f"its kernel died in cell {executed[-1] + 1 if executed else 1}"
                outcome.notes += _last_lines(stderr)
    if not os.listdir(store):
        outcome.notes.append(
            f"nothing was measured: is ipycov installed where the kernel {kernel!r} runs?"
        )
    return outcome


def _last_lines(stderr: IO[str]) -> list[str]:
    """The end of what a kernel said before it died, such as where it crashed."""
    stderr.seek(0)
    return [f"kernel: {line.rstrip()}" for line in stderr.readlines()[-_SAID_LAST:]]


def _kernel_arguments(options: Options, store: str) -> list[str]:
    """The command line that loads the extension into a kernel, with its traits."""
    arguments = ["--InteractiveShellApp.extra_extensions=ipycov", f"--IPyCov.store={store}"]
    for name, value in vars(options).items():
        if isinstance(value, tuple):
            arguments.append(f"--IPyCov.{name}={list(value)!r}")
        elif value is not None:
            arguments.append(f"--IPyCov.{name}={value}")
    return arguments
