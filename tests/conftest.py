from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel, Notebook


def pytest_configure() -> None:
    """Take interrupts where the shell that runs the tests in its background has them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Kernel]]:
    """The kernels that tests have shared: the last is the one that they share now."""
    kernels = [Kernel(tmp_path_factory.mktemp("kernel"))]
    yield kernels
    for each in kernels:
        each.close()


@pytest.fixture
def kernel(shared_kernels: list[Kernel], tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """A kernel that tests share, so no test may leave anything in it; another where one died."""
    if not shared_kernels[-1].is_alive():
        shared_kernels.append(Kernel(tmp_path_factory.mktemp("kernel")))
    return shared_kernels[-1]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Notebook]:
    """A kernel of the test's own, without ipycov."""
    kernel = Kernel(tmp_path)
    yield Notebook(kernel, tmp_path)
    kernel.close()


@pytest.fixture
def bare(kernel: Kernel, tmp_path: Path) -> Iterator[Notebook]:
    """The shared kernel in a directory of the test's own, without ipycov."""
    notebook = Notebook(kernel, tmp_path)
    notebook.must(f"import os; os.chdir({str(tmp_path)!r})")
    yield notebook
    if not kernel.is_alive():
        return
    notebook.must("%unload_ext ipycov\nimport os; os.chdir('/')")
    notebook.must("get_ipython().ast_transformers.clear()")  # ipytest's, for asserts
    left = "import coverage, sys; print(coverage.Coverage.current(), sys.gettrace())"
    assert notebook.must(left).stdout == "None None\n", "something still measures"


@pytest.fixture
def notebook(bare: Notebook) -> Notebook:
    """The shared kernel in a directory of the test's own, with ipycov loaded."""
    bare.load()
    return bare
