"""Interrupt cells at random moments, hooks included, and see that the next cell is measured.

    python tests/stress/interrupts.py [NUMBER] [CORE] [SEED]

It prints a line of JSON: how many cells were interrupted, where, and what was wrong after them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from statistics import median
from typing import Any

BUSY = "busy_turn = {turn}\nfor i in range(40):\n    x = sum(range(i))\n"
AFTER = "after = {turn}\nif after < 0:\n    after = 1\n"


def run(shell: Any, text: str) -> str:
    """Run a cell; the name of its error, or of what was raised past it."""
    try:
        result = shell.run_cell(text, store_history=True)
    except KeyboardInterrupt:
        return "past the cell"
    error = result.error_in_exec or result.error_before_exec
    return type(error).__name__ if error is not None else ""


def interrupt_after(delay: float) -> threading.Thread:
    def kill() -> None:
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def seconds_of_a_cell(shell: Any) -> float:
    """What a cell takes with its hooks and a thread that is started, as is done to interrupt it."""
    taken = []
    for turn in range(20):
        begun = time.monotonic()
        other = threading.Thread(target=time.sleep, args=(0,))
        other.start()
        run(shell, BUSY.format(turn=-turn - 1))
        taken.append(time.monotonic() - begun)
        other.join()
    return median(taken)


def main(number: int, core: str, seed: int) -> int:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    os.chdir(tempfile.mkdtemp(prefix="ipycov_interrupts_"))
    # A shell has what it runs in the background ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # An interrupt leaves a lock of IPython's own closed that it takes to write its history; and
    # what it then writes at its end is not unique in the database of IPython 7, which prints so.
    history = Config({"HistoryManager": {"enabled": False, "db_cache_size": 10**6}})
    shell = InteractiveShell.instance(config=history)
    shell.showtraceback = lambda *args, **kwargs: None  # one for each interrupt is no help
    shell.run_line_magic("load_ext", "ipycov")
    shell.run_line_magic("config", f"IPyCov.core = {core!r}")
    session = shell._ipycov.session
    sys.setswitchinterval(1e-5)  # or the thread that interrupts waits until the cell has ended
    chance = random.Random(seed)
    longest = 1.2 * seconds_of_a_cell(shell)
    outcomes: dict[str, int] = {}
    wrong: list[str] = []
    for turn in range(number):
        killer = None
        outcome = "past the cell"
        with suppress(KeyboardInterrupt):
            killer = interrupt_after(chance.random() * longest)
            outcome = run(shell, BUSY.format(turn=turn))
            killer.join()
        while killer is not None and killer.is_alive():
            with suppress(KeyboardInterrupt):
                killer.join()
        with suppress(KeyboardInterrupt):
            time.sleep(0.0002)  # a signal that was sent and not yet noticed
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        said = run(shell, AFTER.format(turn=turn))
        answer = str(session.why(f"In[{shell.execution_count - 1}]"))
        if said or "2 lines of it have run" not in answer:
            wrong.append(f"{turn} after {outcome!r}: {said} {answer}")
        if sys.gettrace() is not None or session.running or session.active:
            wrong.append(f"{turn}: left {sys.gettrace()}, {session.running}, {session.active}")
    shell.run_line_magic("unload_ext", "ipycov")
    import coverage

    if (sys.gettrace(), threading.gettrace(), coverage.Coverage.current()) != (None,) * 3:
        wrong.append("a tracer is left after unloading")
    if not outcomes.keys() - {""}:
        wrong.append("none of the interrupts came")
    result = {"core": core, "interrupts": number, "outcomes": outcomes, "wrong": wrong}
    print(json.dumps(result), file=sys.__stdout__)
    return 1 if wrong else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 1000,
            given[1] if len(given) > 1 else "ctrace",
            int(given[2]) if len(given) > 2 else 0,
        )
    )
