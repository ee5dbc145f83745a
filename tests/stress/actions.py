"""Drive one kernel with ipycov through random actions, beside one without, and compare.

    python tests/stress/actions.py [NUMBER] [SEED]

Each action is a cell that both kernels run. Where the one with ipycov has a cell of its own, the
other has one that does nothing, so that both have run and keep as many. It prints a line of JSON:
the actions, those whose outcome differed, tracers left behind after cells, and the memory that each
kernel holds at the end.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from kernels import CORES, Kernel  # tests/ is put on the path above

_FORK = """
import os
pid = os.fork()
if pid == 0:
    os._exit(3)
os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

#: What a cell does, as both kernels do it.
CELLS = {
    "passes": "x{n} = {n}\nif x{n} < 0:\n    x{n} = 0\nx{n} * 2",
    "fails": "def f(n):\n    return n / 0\nf({n})",
    "does not compile": "x = = {n}",
    "awaits": "import asyncio\nawait asyncio.sleep(0, {n})",
    "task": "import asyncio\nt = asyncio.ensure_future(asyncio.sleep(0.01, {n}))\nawait t",
    "forks": _FORK,
    "thread": "import threading\nt = threading.Thread(target=sum, args=([{n}],))\n"
    "t.start()\nt.join()",
    "pool": "from concurrent.futures import ThreadPoolExecutor as P\n"
    "pool = globals().get('pool') or P(1)\npool.submit(pow, {n}, 2).result()",
    "interrupts": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)",
    "magic": "%%time\nfor i in range(3):\n    pass\n{n}",
    "generator": "g = (i for i in range({n}))\nnext(g, None)",
    "traces": "import sys\nsys.settrace(None)\n{n}",
    "display": "from IPython.display import display\ndisplay({n})",
}

#: What only the kernel with ipycov does; it must succeed.
OWN = (
    "%unload_ext ipycov",
    "%load_ext ipycov",
    "%reload_ext ipycov",
    *(f"%load_ext ipycov\n%config IPyCov.core = {core!r}" for core in (None, *CORES)),
    *(f"%load_ext ipycov\n%config IPyCov.branch = {value}" for value in (True, False, None)),
    "%load_ext ipycov\n%coverage_stop",
    "%load_ext ipycov\n%coverage_start",
    "%load_ext ipycov\n%coverage_erase",
)

#: Prints how many MiB the session holds: what was measured and the cells with their texts.
HELD = """
import sys as _sys
def _deep(root):
    import types
    seen, size, left = set(), 0, [root]
    skip = (type, types.ModuleType, types.FunctionType, types.CodeType, types.FrameType)
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, skip):
            continue
        seen.add(id(each))
        size += _sys.getsizeof(each)
        if isinstance(each, dict):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, (list, tuple, set, frozenset)):
            left += each
        elif type(each).__module__.split(".")[0] in ("ipycov", "coverage"):
            left += list(vars(each).values()) if hasattr(each, "__dict__") else []
            left += [getattr(each, n) for n in getattr(each, "__slots__", ()) if hasattr(each, n)]
    return size / 2**20
print(_deep(get_ipython()._ipycov.session))
"""

#: Notes a tracer that is there when the cell has ended; it is registered after ipycov's own hook.
WATCH = """
import sys as _sys, threading as _threading
_left = []
def _watch(result):
    if _sys.gettrace() or _threading.gettrace() or _sys.getprofile():
        _left.append((_sys.gettrace(), _threading.gettrace(), _sys.getprofile()))
get_ipython().events.register("post_run_cell", _watch)
"""
AGAIN = "get_ipython().events.unregister('post_run_cell', _watch)\n" + WATCH.split("\n")[-2]


def outcome(kernel: Kernel, text: str) -> tuple[str, str, str, str]:
    reply = kernel.run(text)
    return (
        reply.status,
        reply.ename,
        reply.evalue if reply.ename != "SyntaxError" else "",
        (reply.result if "time" not in text else ""),
    )


def main(number: int, seed: int) -> int:
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="ipycov_actions_"))
    measured, plain = Kernel(folder), Kernel(folder)
    differ: list[str] = []
    done: Counter[str] = Counter()
    begun = time.monotonic()
    try:
        measured.run("%load_ext ipycov")
        for kernel in (measured, plain):
            kernel.run(WATCH)
        for n in range(number):
            if chance.random() < 0.12:
                own = chance.choice(OWN)
                done["ipycov's own"] += 1
                reply = measured.run(own)
                if reply.status != "ok":
                    differ.append(f"{n}: {own!r}: {reply.ename}: {reply.evalue}")
                plain.run("pass")
                for kernel in (measured, plain):
                    kernel.run(AGAIN)  # stands behind ipycov's again
            name = chance.choice(list(CELLS))
            done[name] += 1
            text = CELLS[name].format(n=n)
            ours, theirs = outcome(measured, text), outcome(plain, text)
            if ours != theirs:
                differ.append(f"{n}: {name}: {ours} {theirs}")
        left = measured.run("print(len(_left), _left[:3])").stdout.strip()
        memory = [
            psutil.Process(kernel.manager.provisioner.process.pid).memory_info().rss / 2**20
            for kernel in (measured, plain)
        ]
        measured.run("%load_ext ipycov")
        held = float(measured.run(HELD).stdout or 0)
    finally:
        measured.close()
        plain.close()
    print(
        json.dumps(
            {
                "actions": number,
                "seconds": round(time.monotonic() - begun),
                "done": done,
                "differ": differ[:20],
                "different": len(differ),
                "tracers left": left,
                "MiB with and without": [round(each, 1) for each in memory],
                "MiB that the data holds": round(held, 1),
                "ratio without it": round((memory[0] - held) / memory[1], 3),
            }
        )
    )
    return 1 if differ or not left.startswith("0 ") else 0


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(given[0] if given else 1000, given[1] if len(given) > 1 else 0))
