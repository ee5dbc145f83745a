"""Processes that a measured cell forks: each keeps what it covers in a file of its own.

A child leaves its parent's files and displays alone. The parent takes the files in.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from ipycov import store
from ipycov.measure import Taken
from ipycov.results import Measured
from ipycov.store import Store, StoredSession


class Children:
    """The forked children of this process, and of those theirs.

    `forked` is called in a child, and tells whether it is measured; `taken` gives what a child
    has covered since it was last asked.
    """

    def __init__(self, forked: Callable[[], bool], taken: Callable[[], Iterable[Taken]]) -> None:
        self._forked = forked
        self._taken = taken
        self._parent = os.getpid()
        self._directory: str | None = None
        self._store: Store | None = None
        self._sizes: dict[str, int] = {}
        self._closed = False
        if hasattr(os, "register_at_fork"):
            # Hooks can't be taken off, so they must not hold on to what has ended.
            own = weakref.ref(self)
            os.register_at_fork(
                before=lambda: _call(own, Children._before),
                after_in_child=lambda: _call(own, Children._after_in_child),
            )

    def new(self) -> Iterator[tuple[str, dict[str, Measured]]]:
        """What children covered and was not told yet: contexts, and files in each."""
        if self._directory is None or os.getpid() != self._parent:
            return
        for name in sorted(os.listdir(self._directory)):
            path = os.path.join(self._directory, name)
            size = os.stat(path).st_size
            if name.startswith(".") or self._sizes.get(name) == size:
                continue
            self._sizes[name] = size
            session = store.read_session(path)
            if isinstance(session, StoredSession):
                yield from session.covered.items()

    def close(self) -> None:
        """Forget the children."""
        self._closed = True
        if self._directory is not None:
            _remove(self._directory, self._parent)
            self._directory = None

    def save(self) -> None:
        """Keep, in a child, what it has covered."""
        if self._store is None:
            return
        for taken in self._taken():
            self._store.add((), taken.context, taken.measured())

    def _before(self) -> None:
        if self._directory is None and not self._closed:
            with suppress(OSError):  # children are not measured then
                self._directory = tempfile.mkdtemp(prefix="ipycov-")
                weakref.finalize(self, _remove, self._directory, self._parent)

    def _after_in_child(self) -> None:
        if self._closed or self._directory is None:
            return
        first = self._store is None
        self._store = Store(self._directory)
        if not self._forked():
            self._store = None
            return
        if first:
            self._save_at_the_end()

    def _save_at_the_end(self) -> None:
        """Save when the child ends, as it does with `os._exit`."""
        leave = os._exit

        def exit_(status: int) -> Any:
            self._save_quietly()
            leave(status)

        os._exit = exit_

    def _save_quietly(self) -> None:
        with suppress(Exception):  # a child has no display to say it on, and must end
            self.save()


def _remove(directory: str, pid: int) -> None:
    """Remove what children have written, where this is the process `pid` and no child."""
    if os.getpid() == pid:
        shutil.rmtree(directory, ignore_errors=True)


def _call(own: weakref.ref[Children], hook: Callable[[Children], None]) -> None:
    children = own()
    if children is not None:
        try:
            hook(children)
        except Exception as error:  # the user's fork comes first
            print(f"ipycov: a child process is not measured: {error}", file=sys.__stderr__)
