"""The IPython extension: hooks, traits and magics on a shell, and off again."""

from __future__ import annotations

import os
import sys
from ast import literal_eval
from typing import Any

from IPython.core.error import UsageError
from traitlets import Bool, Enum, List, TraitError, Unicode, Union
from traitlets.config import Config, Configurable

from ipycov.awaits import awaited
from ipycov.cov_magic import CovMagic
from ipycov.history import earlier_cells
from ipycov.live_magic import LiveMagic
from ipycov.measuring_magics import MeasuringMagics
from ipycov.options import Options
from ipycov.pytest_contexts import PytestContexts
from ipycov.ran import Ran
from ipycov.report_magic import ReportMagic
from ipycov.run_magic import NotebookRuns
from ipycov.session import Session
from ipycov.store import DIRECTORY, Store
from ipycov.tracebacks import Tracebacks
from ipycov.view import seen

_ATTRIBUTE = "_ipycov"


class Names(List[str]):
    """A list of names or patterns, or None; a string is one of a list with commas between."""

    def __init__(self, help: str) -> None:
        super().__init__(Unicode(), default_value=None, allow_none=True, help=help)

    def set(self, obj: Any, value: Any) -> None:
        super().set(obj, _listed(value) if isinstance(value, str) else value)

    def from_string(self, s: str) -> list[str] | None:
        names = literal_eval(s) if s.startswith("[") else _listed(s)
        return [str(name) for name in names]


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


class IPyCov(Configurable):
    """What ipycov measures, under coverage.py's names.

    Set with `%config IPyCov.branch = True` or in IPython's configuration files; it takes effect
    from the next cell on. What is not set is as coverage.py's configuration file says.
    """

    branch = Bool(None, allow_none=True, help="Measure branches as well as lines.").tag(config=True)
    source = Names("Directories and packages to measure; the cells are always measured.").tag(
        config=True
    )
    include = Names("Patterns of files to measure.").tag(config=True)
    omit = Names("Patterns of files not to measure.").tag(config=True)
    concurrency = Names("Concurrency libraries in use.").tag(config=True)
    cover_pylib = Bool(
        None, allow_none=True, help="Measure the standard library and installed packages too."
    ).tag(config=True)
    timid = Bool(None, allow_none=True, help="Use a slower, simpler trace function.").tag(
        config=True
    )
    core = Enum(
        ["ctrace", "pytrace", "sysmon"],
        default_value=None,
        allow_none=True,
        help="How to measure. By default the fastest core that can measure what is asked for.",
    ).tag(config=True)
    config_file = Union(
        [Bool(), Unicode()],
        default_value=True,
        help="coverage.py's configuration file; True finds it as coverage.py does, False reads "
        "none.",
    ).tag(config=True)
    store = Unicode(
        DIRECTORY,
        allow_none=True,
        help="Directory in which to keep what is measured, cell by cell, for `ipycov report`; "
        "None keeps it in memory alone. It is read when the extension is loaded.",
    ).tag(config=True)

    def options(self) -> Options:
        """The traits as they are now."""

        def listed(value: list[str] | None) -> tuple[str, ...] | None:
            return tuple(value) if value is not None else None

        return Options(
            branch=self.branch,
            source=listed(self.source),
            include=listed(self.include),
            omit=listed(self.omit),
            concurrency=listed(self.concurrency),
            cover_pylib=self.cover_pylib,
            timid=self.timid,
            core=self.core,
            config_file=self.config_file,
        )


class Extension:
    """ipycov on one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._pid = os.getpid()
        self.traits = _traits(shell)
        store = Store(self.traits.store) if self.traits.store else None
        self.session = Session(self.traits.options, _say, store, lambda name: name in shell.user_ns)
        self.session.reports.notebook.named = lambda: _notebook_path(shell)
        self.cov = CovMagic(shell, self.session)
        self.live = LiveMagic(shell, self.session)
        self.magics = (
            self.cov,
            ReportMagic(shell, self.session),
            MeasuringMagics(shell, self.session),
            self.live,
        )
        self._pytest = PytestContexts(
            lambda: self.session.active, self.session.begin_test, self.session.end_test
        )
        self._runs = NotebookRuns(shell, self.session.compiler)
        self._tracebacks = Tracebacks(shell)
        self._requests: list[tuple[str, Any]] = []
        self._pre_run_cell = self.session.guarded(self.pre_run_cell)
        self._post_run_cell = self.session.guarded(self.post_run_cell)

    def load(self) -> None:
        """Put the hooks, traits and magics on the shell."""
        shell = self.shell
        self.session.guarded(self._take_earlier_cells)(shell)
        shell.events.register("pre_run_cell", self._pre_run_cell)
        hooks = shell.events.callbacks["pre_run_cell"]
        hooks.insert(0, hooks.pop())  # %autoreload's runs modules
        shell.events.register("post_run_cell", self._post_run_cell)
        shell.register_magics(*self.magics)
        shell.configurables.append(self.traits)
        shell.input_transformers_cleanup.insert(0, self.cov.transform)
        shell.input_transformers_post.append(awaited)
        self.session.compiler.install(shell.compile)
        self._pytest.install()
        self._runs.install()
        self._tracebacks.install()

    def unload(self) -> None:
        """Take off everything that `load` put on."""
        shell = self.shell
        for event, hook in (
            ("pre_run_cell", self._pre_run_cell),
            ("post_run_cell", self._post_run_cell),
        ):
            if hook in shell.events.callbacks[event]:
                shell.events.unregister(event, hook)
        for magics in self.magics:
            for kind, names in magics.magics.items():
                registered = shell.magics_manager.magics[kind]
                for name in names:
                    if getattr(registered.get(name), "__self__", None) is magics:
                        del registered[name]
            shell.magics_manager.registry.pop(type(magics).__name__, None)
        for held in (
            shell.configurables,
            shell.input_transformers_cleanup,
            shell.input_transformers_post,
        ):
            for mine in (self.traits, *self.magics, self.cov.transform, awaited):
                if mine in held:
                    held.remove(mine)
        self.session.guarded(lambda _: self._pytest.uninstall())(None)
        self._runs.uninstall()
        self._tracebacks.uninstall()
        self.session.compiler.uninstall(shell.compile)
        try:
            self.session.close()
        except Exception as error:  # all else is off by now
            self.session.say_own_error(error)

    def pre_run_cell(self, info: Any) -> None:
        """Begin to measure a cell."""
        if self.session.running and not _within_a_cell():
            self.session.abandon()
            self._requests.clear()
        request = self.cov.asked_for(info.raw_cell)
        options = self.cov.measuring(request) if request is not None else None
        self._requests.append((info.raw_cell, request))
        id = getattr(info, "cell_id", None)
        counted = info.store_history
        others = len(self.shell.events.callbacks["pre_run_cell"]) > 1
        self.session.begin(info.raw_cell, id, options, counted=counted, early=others)

    def post_run_cell(self, result: Any) -> None:
        """End measuring a cell, and show what it covered if it was run with %%cov."""
        if os.getpid() != self._pid:
            return  # a child that the cell forked has left it: what is shown is its parent's
        typed = result.info.raw_cell if result is not None else self._last_typed()
        error = getattr(result, "error_before_exec", None)
        ran = self.session.end(typed, error, failed=result is not None and not result.success)
        self._show(ran, typed, result)
        self.live.cell_ended(ran)

    def _show(self, ran: Ran | None, typed: str, result: Any) -> None:
        """Show what a cell that was run with %%cov covered."""
        request = None
        while self._requests and ran is not None:
            begun, request = self._requests.pop()
            if begun == typed:
                break
        if ran is None or request is None or not ran.asked:
            return
        under = self.cov.show(ran, request)
        if under is not None and result is not None and result.success:
            result.error_in_exec = under
            self.shell.last_execution_succeeded = False
            self.shell.showtraceback((type(under), under, None))

    def _take_earlier_cells(self, shell: Any) -> None:
        for cell in earlier_cells(shell):
            self.session.ran_before(cell.name, cell.typed, cell.compiled, cell.count)

    def _last_typed(self) -> str:
        return self._requests[-1][0] if self._requests else ""


def _notebook_path(shell: Any) -> str | None:
    """The path of the notebook that the front end has open, where it tells it.

    VS Code puts it into the namespace; Jupyter's server puts it, from wherever its own root is,
    into the environment of the kernel, which runs in the notebook's directory.
    """
    told = shell.user_ns.get("__vsc_ipynb_file__")
    if isinstance(told, str):
        return told
    name = os.path.basename(os.environ.get("JPY_SESSION_NAME", ""))
    return os.path.abspath(name) if name.endswith(".ipynb") else None


def _traits(shell: Any) -> IPyCov:
    """The traits as IPython's configuration has them, without those that are wrong."""
    try:
        return IPyCov(parent=shell)
    except TraitError:
        right = Config()
        for name, value in shell.config.IPyCov.items():
            try:
                IPyCov(config=Config(IPyCov={name: value}))
            except TraitError as error:
                _say(f"ipycov: left out of IPython's configuration: {error}")
            else:
                right.IPyCov[name] = value
        return IPyCov(config=right)


def _within_a_cell() -> bool:
    """Whether IPython is about to run a cell for one that runs."""
    frame, running = sys._getframe(), 0
    while frame.f_back is not None:
        frame = frame.f_back
        running += frame.f_code.co_name == "run_cell_async"
    return running > 1


def _say(message: str) -> None:
    print(seen(message), file=sys.stderr)


def load(shell: Any) -> None:
    """Load ipycov into `shell`, where it is not loaded yet.

    Raises `UsageError` where the current directory, from which files are named, is gone.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError(
            "the current directory is gone: go to another with %cd, then load ipycov again"
        ) from None
    if getattr(shell, _ATTRIBUTE, None) is None:
        extension = Extension(shell)
        extension.load()
        setattr(shell, _ATTRIBUTE, extension)


def unload(shell: Any) -> None:
    """Take ipycov off `shell`, where it is loaded."""
    extension: Extension | None = getattr(shell, _ATTRIBUTE, None)
    if extension is not None:
        delattr(shell, _ATTRIBUTE)
        extension.unload()
