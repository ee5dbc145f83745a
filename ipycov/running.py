"""Running notebooks: each in a kernel of its own that measures its cells into a store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ipycov.errors import MissingExtra
from ipycov.measure import Options
from ipycov.notebooks import Notebook

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
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    document = nbformat.read(notebook.path, as_version=4)
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
    try:
        await asyncio.wait_for(client.async_execute(), timeout)
    except CellExecutionError as error:
        at = executed[-1]
        where = f"cell {at + 1} (In[{document.cells[at].get('execution_count')}])"
        outcome.error = f"{where} raised {error.ename}: {error.evalue}"
    except (TimeoutError, CellTimeoutError):
        outcome.error = f"did not end within {timeout:g} seconds"
    except DeadKernelError:
        at = executed[-1] if executed else 0
        outcome.error = f"its kernel died in cell {at + 1}"
    finally:
        with suppress(OSError):
            if not os.listdir(store):
                outcome.notes.append(
                    f"nothing was measured: is ipycov installed where kernel {kernel!r} runs?"
                )
    return outcome


def _kernel_arguments(options: Options, store: str) -> list[str]:
    """The command line that loads the extension into a kernel, with its traits."""
    arguments = ["--InteractiveShellApp.extra_extensions=ipycov", f"--IPyCov.store={store}"]
    for name, value in vars(options).items():
        if isinstance(value, tuple):
            arguments += [f"--IPyCov.{name}={each}" for each in value]
        elif value is not None:
            arguments.append(f"--IPyCov.{name}={value}")
    return arguments
