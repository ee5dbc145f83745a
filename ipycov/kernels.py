"""Kernels that coverage.py measures by itself, such as those that `patch = subprocess` reaches.

Nothing is loaded in such a kernel. Its cells are learnt from IPython's compiler from the first on;
when the process has ended and coverage.py has saved its data, the cells in it become notebooks.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ipycov import coverage_beside, coverage_collector, coverage_files
from ipycov.imports import after_import
from ipycov.nbval import NbvalCells, is_nbvals

if TYPE_CHECKING:
    from ipycov.results import Measured

_COMPILERS = "IPython.core.compilerop"


def watch(cov: Any) -> None:
    """Learn the cells of a kernel that this process may become, measured by `cov`.

    Where a shell runs already, one of its cells has made `cov`, to report on it by itself, or this
    process is a child of a kernel that is measured.
    """
    shell = running_shell()
    parent = _forked_from(shell)
    if parent is not None:
        parent.measure_child(cov)
        return
    if shell is not None and not is_nbvals(cov):
        from ipycov.live_data import LiveData

        LiveData(cov, shell).attach()
        return
    kernel = _Kernel(cov)
    if _COMPILERS in sys.modules:
        kernel.wait_for_compiler(sys.modules[_COMPILERS])
    else:
        after_import(_COMPILERS, kernel.wait_for_compiler)
    coverage_collector.after_saving(cov, kernel.when_saved)
    if "COVERAGE_PROCESS_CONFIG" not in os.environ:
        kernel.fold_killed()  # this may be `coverage combine`
    # coverage.py registers its own later and is therefore called before: the data is saved then.
    atexit.register(kernel.fold)


class _Kernel:
    """A process that coverage.py measures and that may run cells."""

    def __init__(self, cov: Any) -> None:
        self._cov = cov
        self._pid = os.getpid()
        self._directory = os.getcwd()
        self._data: Any = None
        self._beside: coverage_beside.Beside | None = None
        self._listed = False  # notebooks that never ran

    def wait_for_compiler(self, compilers: ModuleType) -> None:
        """Watch the first compiler that compiles a cell."""
        original = compilers.CachingCompiler.cache

        def cache(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            compilers.CachingCompiler.cache = original
            self._learn_from(compiler)
            return compiler.cache(*args, **kwargs)

        compilers.CachingCompiler.cache = cache

    def when_saved(self, cov: Any) -> None:
        """Add what coverage.py does not find: notebooks that never ran, and killed kernels'.

        It saves whenever its data is asked for; kernels may be killed after the first time.
        """
        self.fold_killed()
        if not self._listed:
            self._listed = True
            from ipycov.notebook_data import touch_notebooks

            with _told("notebooks under source are not listed"):
                touch_notebooks(cov)

    def fold_killed(self) -> None:
        """Fold what kernels covered that were killed before they could."""
        data_file = os.path.abspath(str(self._cov.get_option("run:data_file")))
        if not os.path.isdir(os.path.join(os.path.dirname(data_file), ".ipycov", "kernels")):
            return
        from ipycov.kernel_data import fold_killed_kernels

        with _told("what killed kernels covered is left out"):
            fold_killed_kernels(self._cov)

    def cell_ended(self, result: object) -> None:
        """Keep what the cell covered: a runner may kill the kernel when it has run the last."""
        if os.getpid() != self._pid:
            return
        with _told("what a cell covered is kept in memory only"):
            self._take_from_beside()
            self._data.keep()

    def also_measured(self, measured: Mapping[str, Measured]) -> None:
        """Keep what ipycov, loaded in a cell, has measured while coverage.py was paused for it."""
        with _told("what a cell covered is not in the data"):
            self._data.take(measured)

    def _also_collected(self, found: Mapping[str, set[Any]], arcs: bool) -> None:
        """Keep what a `Coverage` that a cell has made collects for this one too."""
        from ipycov.taken import measured_from

        self.also_measured({name: measured_from(each, arcs) for name, each in found.items()})

    def _take_from_beside(self) -> None:
        if self._beside is not None:
            self._beside.collect()
            self._beside.forget_frames()

    def is_parent(self) -> bool:
        """Whether it is a kernel that this process was forked from."""
        return self._data is not None and os.getpid() != self._pid

    def measure_child(self, cov: Any) -> None:
        """Keep what the child measures with `cov` of the cells, to be folded when it has ended."""
        from ipycov.kernel_data import KernelData

        data = KernelData(cov, self._data.book, self._directory)
        coverage_collector.put_collected(cov, data.book.__contains__, data.put)

    def fold(self) -> None:
        """Turn the cells in the saved data into notebooks."""
        if self._data is None or os.getpid() != self._pid:
            return
        with _told("the cells of this kernel are not in the data"):
            self._take_from_beside()
            self._data.fold([self._directory, os.getcwd()])

    def _learn_from(self, compiler: Any) -> None:
        from ipycov.cells import CellBook
        from ipycov.compiler import CellCompiler
        from ipycov.kernel_data import KernelData
        from ipycov.tracebacks import Tracebacks

        book = CellBook()
        self._data = KernelData(self._cov, book, self._directory)
        by_nbval = is_nbvals(self._cov)
        watcher = CellCompiler(
            book,
            lambda cell: None,
            every_text=True,
            not_cells=NbvalCells(began=by_nbval),
            run_only_cells=not by_nbval,  # or it would measure in the place of what does already
        )
        watcher.also_measured = self.also_measured
        watcher.install(compiler)
        coverage_files.always_measure(self._cov, book.__contains__)
        coverage_collector.put_from_now_on(self._cov, self._data.put)
        self._beside = coverage_beside.Beside(self._cov, self._also_collected, failed=_tell)
        shell = running_shell()
        if shell is not None:
            shell.events.register("post_run_cell", self.cell_ended)
            Tracebacks(shell).install()


def running_shell() -> Any:
    """The shell of this process, None where there is none yet."""
    shells = sys.modules.get("IPython.core.interactiveshell")
    if shells is None or not shells.InteractiveShell.initialized():
        return None
    return shells.InteractiveShell.instance()


def _forked_from(shell: Any) -> _Kernel | None:
    """The kernel, measured by coverage.py, whose shell was forked with this process."""
    hooks = shell.events.callbacks["post_run_cell"] if shell is not None else []
    kernels = (getattr(hook, "__self__", None) for hook in hooks)
    return next((each for each in kernels if isinstance(each, _Kernel) and each.is_parent()), None)


@contextmanager
def _told(consequence: str) -> Iterator[None]:
    """Tell what goes wrong here, and let the process that coverage.py measures go on."""
    try:
        yield
    except Exception as error:  # it is the user's run, and none of ours
        _tell(error, consequence)


def _tell(error: Exception, consequence: str = "a cell may not be measured") -> None:
    print(f"ipycov: {consequence}: {type(error).__name__}: {error}", file=sys.stderr)
