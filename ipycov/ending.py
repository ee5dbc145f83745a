"""What a child process has covered, saved before it may end, however it ends."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any

from ipycov.store import Store
from ipycov.taken import Taken

#: How many seconds a child that ends waits for another thread of it that saves.
_PATIENCE = 2.0


class Ending:
    """Saves what a child has covered in a file of its own in `directory`, while there is such.

    `taken` gives what was not given yet. `unlock` lets go of every lock that it could wait for.
    Saving shows nothing and fails silently: a child has no display of its own, and must end.
    """

    def __init__(
        self, directory: str, taken: Callable[[], Iterable[Taken]], unlock: Callable[[], None]
    ) -> None:
        self._directory = directory
        self._taken = taken
        self._unlock = unlock
        self._blocked: Iterable[int] | None = None
        self.begin()

    def begin(self) -> None:
        """Begin a file, in a child or in a child of one."""
        self._store = Store(self._directory)
        self._saved: dict[tuple[str, str], set[Any]] = {}
        self._saving = threading.Lock()
        self._saver = 0  # the thread that saves
        self._ended_by = 0  # a signal that came meanwhile

    def before_fork(self) -> None:
        """Have a SIGTERM wait: Python forgets one that a new child is told of as it begins."""
        if signal.getsignal(signal.SIGTERM) == self._terminated:
            self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def after_fork(self) -> None:
        """Let it come, in the parent and in the child."""
        if self._blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
            self._blocked = None

    def save(self) -> None:
        """Keep what this child has covered."""
        if not self._saving.acquire(timeout=_PATIENCE):
            return
        try:
            self._saver = threading.get_ident()
            with suppress(Exception):
                if os.path.isdir(self._directory):  # it goes with the session
                    self._save()
        finally:
            self._saver = 0
            self._saving.release()
            if self._ended_by:
                _end_by(self._ended_by)

    def save_at_the_end(self) -> None:
        """Save when this process ends by itself, by `os._exit` as forks do, or by SIGTERM."""
        leave = os._exit

        def exit_(status: int) -> Any:
            self.save()
            leave(status)

        os._exit = exit_
        atexit.register(self.save)
        self._mind_termination()
        if "multiprocessing" in sys.modules:
            self._save_results()

    def _save(self) -> None:
        for taken in self._taken():
            new = replace(taken, files=self._not_saved(taken))
            if new.files:
                self._store.add((), new.context, new.measured())

    def _not_saved(self, taken: Taken) -> dict[str, set[Any]]:
        """What is new in what was taken: trace functions tell each line again and again."""
        new: dict[str, set[Any]] = {}
        for name, found in taken.files.items():
            saved = self._saved.setdefault((taken.context, name), set())
            if not found <= saved:
                new[name] = found - saved
                saved |= found
        return new

    def _save_results(self) -> None:
        """Save before a result is handed over, for a pool's workers may be killed from then on.

        While one waits for work, it is left to a SIGTERM as ever: Python is told of a signal when
        it runs, and one that comes just before a wait may never be acted on.
        """
        from multiprocessing.connection import Connection
        from multiprocessing.queues import SimpleQueue

        send, get = Connection.send_bytes, SimpleQueue.get

        @wraps(send)
        def send_bytes(*args: Any, **kwargs: Any) -> Any:
            self.save()
            return send(*args, **kwargs)

        @wraps(get)
        def waiting_get(queue: Any) -> Any:
            self.save()
            minded = self._leave_termination()
            try:
                return get(queue)
            finally:
                if minded:
                    self._mind_termination()

        Connection.send_bytes = send_bytes  # type: ignore[method-assign]
        SimpleQueue.get = waiting_get  # type: ignore[method-assign, assignment]

    def _mind_termination(self) -> None:
        with suppress(ValueError):  # not the main thread
            if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminated)

    def _leave_termination(self) -> bool:
        """Leave SIGTERM to the system, where it is not left to another; tell if it was not."""
        with suppress(ValueError):
            if signal.getsignal(signal.SIGTERM) == self._terminated:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                return True
        return False

    def _terminated(self, number: int, frame: object) -> None:
        if self._saver == threading.get_ident():
            self._ended_by = number  # when it has saved
            return
        try:
            self._unlock()
            self.save()
        finally:
            _end_by(number)


def _end_by(number: int) -> None:
    """End this process by a signal, as if it had not been waited for."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
