"""Running notebooks: each in a kernel of its own that measures its cells into a store."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import IO, Any

from ipycov.errors import BadNotebook, MissingExtra
from ipycov.notebooks import Notebook
from ipycov.options import Options

#: How many lines of what a dead kernel said last are shown.
_SAID_LAST = 10

#: A line by which a cell ends what measures its kernel.
_UNLOADS = re.compile(r"^\s*%unload_ext\s+ipycov\s*$", re.M)

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
    for package in ("ipykernel", "nbclient", "nbformat", "tqdm"):
        # importing them takes longer than finding out that a notebook can't be read
        if find_spec(package) is None:
            raise MissingExtra(
                f"running notebooks needs {package}, which is not installed; install the extra "
                "from ipycov's checkout: pip install -e '.[run]'"
            )


@dataclass(frozen=True)
class Limits:
    """How many seconds a whole notebook, and one cell, may take; None is any time."""

    notebook: float | None = None
    cell: float | None = None


@dataclass(frozen=True)
class Request:
    """A notebook to run, measured into the directory `store`.

    `document` is the notebook as `read_document` gives it; it takes in what the run puts out.
    An executed copy is written below `output_dir` where it is given.
    """

    notebook: Notebook
    document: Any
    options: Options
    store: str
    limits: Limits
    output_dir: str | None = None


class Stop:
    """A wish, from another thread, that runs end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancels: set[Callable[[], object]] = set()
        self.wanted = False

    def set(self) -> None:
        """End the runs that go on, and let none begin."""
        with self._lock:
            self.wanted = True
            cancels = list(self._cancels)
        for cancel in cancels:
            cancel()

    @contextmanager
    def cancelling(self, cancel: Callable[[], object]) -> Iterator[None]:
        """Have `cancel` called when the wish comes."""
        with self._lock:
            self._cancels.add(cancel)
        try:
            yield
        finally:
            with self._lock:
                self._cancels.discard(cancel)


@contextmanager
def nothing_logged() -> Iterator[None]:
    """For the time that notebooks are read and run: what goes wrong is in what is returned.

    nbformat and jupyter_client log it as well, to the log of traitlets.
    """
    from traitlets.log import get_logger

    log: Any = get_logger()
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def read_document(path: str) -> Any:
    """The notebook at `path` as nbformat reads it.

    Raises `BadNotebook` when it can't, which is stricter than `ipycov.notebooks`.
    """
    import nbformat

    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ids that nbformat has made up
            document: Any = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        "".join(cell.source for cell in document.cells)  # nbformat lets other types pass
    except Exception as error:  # it raises whatever the wrong types in a file lead to
        why = str(error).strip().split("\n")[0]
        raise BadNotebook(f"{path} can't be run: nbformat does not read it: {why}") from error
    return document


def run(request: Request, progress: Progress, stop: Stop) -> Outcome:
    """Run a notebook in its own directory.

    The file is left as it is and nothing is added to what it runs.
    """
    if stop.wanted:
        return Outcome("not run: interrupted")
    return asyncio.run(_run(request, progress, stop))


async def _run(request: Request, progress: Progress, stop: Stop) -> Outcome:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook, limits = request.notebook, request.limits
    document = request.document
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

    def where() -> str:
        at = executed[-1] if executed else 0
        count = document.cells[at].get("execution_count")
        return f"cell {at + 1}" + (f" (In[{count}])" if count else "")

    client: Any = NotebookClient(
        document,
        kernel_name=kernel,
        timeout=None if limits.cell is None else math.ceil(limits.cell),
        resources={"metadata": {"path": os.path.dirname(os.path.abspath(notebook.path))}},
        on_notebook_start=lambda **_: client.kc.execute(
            _loading(request.options, request.store), silent=True, store_history=False
        ),
        on_cell_start=cell_starts,
        on_cell_executed=cell_ended,
        log=_quiet_log(),
    )
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    with (
        tempfile.TemporaryFile(mode="w+", errors="replace") as stderr,
        stop.cancelling(lambda: loop.call_soon_threadsafe(task.cancel) if task else None),
    ):
        try:
            async with asyncio.timeout(limits.notebook) as limit:
                await _start_kernel(client, stderr)
                await client.async_execute()
        except _NoKernel as error:
            outcome.error = f"its kernel {kernel!r} could not be started: {error}"
            outcome.notes += _last_lines(stderr)
        except CellExecutionError as error:
            outcome.error = f"{where()} raised {error.ename}: {error.evalue}"
        except UnicodeEncodeError:
            outcome.error = f"{where()} holds half a surrogate pair, which no kernel can be sent"
        except CellTimeoutError:
            outcome.error = f"{where()} did not end within {limits.cell:g} seconds"
        except (TimeoutError, asyncio.CancelledError, DeadKernelError) as error:
            if stop.wanted:
                outcome.error = f"interrupted in {where()}"
            elif isinstance(error, TimeoutError) or limit.expired():
                outcome.error = f"did not end within {limits.notebook:g} seconds"
            elif isinstance(error, DeadKernelError):
                outcome.error = f"its kernel died in {where()}"
                outcome.notes += _last_lines(stderr)
            else:
                raise
    if request.output_dir is not None:
        try:
            _write(document, notebook.path, request.output_dir)
        except UnicodeEncodeError:
            outcome.notes.append("no executed copy is written: UTF-8 can't hold its text")
    texts = [document.cells[index].source for index in executed]
    unloads = any(_UNLOADS.search(text) for text in texts)
    if unloads:
        outcome.notes.append("it unloads ipycov: what runs from there on is not measured")
    ran_code = any(map(_has_code, texts)) and not unloads
    if outcome.error is None and ran_code and not os.listdir(request.store):
        outcome.notes.append(
            f"nothing was measured: is ipycov installed where the kernel {kernel!r} runs?"
        )
    return outcome


class _NoKernel(Exception):
    """A kernel did not start."""


async def _start_kernel(client: Any, stderr: IO[str]) -> None:
    """Start the kernel of a client, and end what there is of it where that fails.

    Kernels choose free ports and open them a moment later; one that found another's in its place
    is started once more. Raises `_NoKernel` when it can't be started.
    """
    for chance in (1, 2):
        manager = client.create_kernel_manager()
        manager.log = client.log
        try:
            await client.async_start_new_kernel(stderr=stderr)
            await client.async_start_new_kernel_client()
        except BaseException as error:
            if manager.has_kernel:
                await manager.shutdown_kernel(now=True)
            if not isinstance(error, (RuntimeError, OSError)):
                raise
            if chance == 2 or not _said(stderr, "Address already in use"):
                raise _NoKernel(str(error)) from error
        else:
            return


def _said(stderr: IO[str], text: str) -> bool:
    """Whether a kernel has printed a text."""
    stderr.seek(0)
    return any(text in line for line in stderr)


def _quiet_log() -> logging.Logger:
    """A log that says nothing: the outcome tells what went wrong."""
    log = logging.getLogger("ipycov.nbclient")
    log.propagate = False
    log.addHandler(logging.NullHandler())
    return log


def _has_code(text: str) -> bool:
    """Whether a cell holds more than comments."""
    return any(row.strip() and not row.lstrip().startswith("#") for row in text.splitlines())


def output_path(path: str, output_dir: str) -> str:
    """Where in `output_dir` the executed notebook is written: below it as below this directory."""
    relative = os.path.relpath(path)
    if relative.startswith(os.pardir) or os.path.isabs(relative):
        relative = os.path.basename(path)
    return os.path.join(output_dir, relative)


def _write(document: Any, path: str, output_dir: str) -> None:
    """Write the executed notebook."""
    import nbformat

    target = output_path(path, output_dir)
    text = nbformat.writes(document)  # type: ignore[no-untyped-call]
    octets = f"{text.rstrip()}\n".encode()
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with open(target, "wb") as file:
        file.write(octets)


def _last_lines(stderr: IO[str]) -> list[str]:
    """The end of what a kernel said before it died, such as where it crashed."""
    stderr.seek(0)
    said = [line.rstrip() for line in stderr if not line.startswith("[IPKernelApp] WARNING")]
    return [f"kernel: {line}" for line in said[-_SAID_LAST:]]


def _loading(options: Options, store: str) -> str:
    """The cell that loads the extension into a kernel, with its traits.

    Not every kernel has ipykernel's command line; and a configuration of IPython may have loaded
    the extension already.
    """
    traits = {name: value for name, value in vars(options).items() if value is not None}
    return f"get_ipython().config.IPyCov.update({traits | {'store': store}!r})\n%reload_ext ipycov"
