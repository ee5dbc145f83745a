"""Kernels that coverage.py measures by itself, such as those that `patch = subprocess` reaches.

Nothing is loaded in such a kernel. Its cells are learnt from IPython's compiler from the first on;
when the process has ended and coverage.py has saved its data, the cells in it become notebooks.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ipycov import coverage_internals

_COMPILERS = "IPython.core.compilerop"


def watch(cov: Any) -> None:
    """Learn the cells of a kernel that this process may become, measured by `cov`."""
    kernel = _Kernel(cov)
    if _COMPILERS in sys.modules:
        kernel.wait_for_compiler(sys.modules[_COMPILERS])
    else:
        sys.meta_path.insert(0, _AfterImport(kernel))
    coverage_internals.after_saving(cov, kernel.touch_notebooks)
    # coverage.py registers its own later and is therefore called before: the data is saved then.
    atexit.register(kernel.fold)


class _Kernel:
    """A process that coverage.py measures and that may run cells."""

    def __init__(self, cov: Any) -> None:
        self._cov = cov
        self._pid = os.getpid()
        self._directory = os.getcwd()
        self._book: Any = None
        self._touched = False

    def wait_for_compiler(self, compilers: ModuleType) -> None:
        """Watch the first compiler that compiles a cell."""
        original = compilers.CachingCompiler.cache

        def cache(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            compilers.CachingCompiler.cache = original
            self._learn_from(compiler)
            return compiler.cache(*args, **kwargs)

        compilers.CachingCompiler.cache = cache

    def touch_notebooks(self, cov: Any) -> None:
        """List the notebooks under `source` as coverage.py lists modules that never ran."""
        if self._touched:
            return
        self._touched = True
        from ipycov.notebook_data import touch_notebooks

        with _told("notebooks under source are not listed"):
            touch_notebooks(cov)

    def fold(self) -> None:
        """Turn the cells in the saved data into notebooks."""
        if self._book is None or os.getpid() != self._pid:
            return
        from ipycov.notebook_data import fold_saved

        with _told("the cells of this kernel are not in the data"):
            fold_saved(self._cov, self._book, [self._directory, os.getcwd()])

    def _learn_from(self, compiler: Any) -> None:
        from ipycov.cells import CellBook
        from ipycov.compiler import CellCompiler

        self._book = CellBook()
        watcher = CellCompiler(self._book, lambda cell: None, every_text=True)
        watcher.install(compiler)
        coverage_internals.always_measure(self._cov, self._book.__contains__)


@contextmanager
def _told(consequence: str) -> Iterator[None]:
    """Tell what goes wrong here, and let the process that coverage.py measures go on."""
    try:
        yield
    except Exception as error:  # it is the user's run, and none of ours
        print(f"ipycov: {consequence}: {type(error).__name__}: {error}", file=sys.stderr)


class _AfterImport(MetaPathFinder):
    """Lets IPython's compiler module be imported as ever, and is called when it was."""

    def __init__(self, kernel: _Kernel) -> None:
        self._kernel = kernel

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != _COMPILERS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader, self._kernel)
        return spec


class _Telling(Loader):
    """A loader that tells the kernel of the module that it has loaded."""

    def __init__(self, loader: Loader, kernel: _Kernel) -> None:
        self._loader = loader
        self._kernel = kernel

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._kernel.wait_for_compiler(module)
