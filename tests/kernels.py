"""A real IPython kernel, and terminal IPython, for tests to use as a person would."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import IPython
import pytest
from jupyter_client.manager import KernelManager

needs_cell_ids = pytest.mark.skipif(
    IPython.version_info < (8,), reason="IPython 7 is told no cell ids"
)

#: The cores that this interpreter can measure with.
CORES = ("ctrace", "pytrace", *(["sysmon"] if sys.version_info >= (3, 12) else []))

#: Each core with and without branches, as far as it measures them.
MEASURING = [
    (core, branch)
    for core in CORES
    for branch in (False, True)
    if not (core == "sysmon" and branch and sys.version_info < (3, 14))
]


@dataclass
class Reply:
    """What one execute request gave back."""

    status: str = ""
    count: int | None = None
    stdout: str = ""
    stderr: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    displays: list[dict[str, str]] = field(default_factory=list)
    results: list[dict[str, str]] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What ipycov calls the cell."""
        return f"In[{self.count}]"

    @property
    def text(self) -> str:
        """All that a person would read as plain text, the errors' last lines included."""
        shown = [each.get("text/plain", "") for each in self.displays]
        return "\n".join([self.stdout, *shown])

    @property
    def html(self) -> str:
        return "\n".join(each.get("text/html", "") for each in self.displays)

    @property
    def result(self) -> str:
        """The plain text of the cell's `Out`, empty where it has none."""
        return "\n".join(each["text/plain"] for each in self.results)

    @property
    def said(self) -> str:
        """What was said in words: both streams and the error."""
        return "\n".join(
            part for part in (self.stdout, self.stderr, self.traceback, self.evalue) if part
        )


class Kernel:
    """A kernel that runs under the interpreter of the tests."""

    def __init__(self, cwd: Path, env: dict[str, str] | None = None) -> None:
        # Of many kernels that choose a free port and open it a moment later, two choose the same.
        self._sockets = tempfile.TemporaryDirectory(prefix="k")
        sockets = os.path.join(self._sockets.name, "k")
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=sockets)
        self.manager.kernel_spec.argv[0] = sys.executable
        self._stderr = Path(self._sockets.name, "stderr")
        with self._stderr.open("w") as stderr:
            self.manager.start_kernel(
                cwd=str(cwd),
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})},
                stderr=stderr,
            )
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel(now=True)
        self._sockets.cleanup()

    def is_alive(self) -> bool:
        return bool(self.manager.is_alive())

    def _tell_stacks(self) -> str:
        """End a kernel that does not answer; return what its threads were at."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.manager.provisioner.pid, signal.SIGABRT)
        deadline = time.monotonic() + 10
        while self.manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.manager.is_alive():
            self.manager.shutdown_kernel(now=True)
        return self._stderr.read_text(errors="replace")[-5000:]

    def pass_over_output(self) -> None:
        """Read what the kernel has put out and forget it.

        Of what nobody reads, the kernel's socket keeps some 2000 messages and drops the rest: the
        one that says that a cell has ended would be lost with it.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                self.client.get_iopub_msg(timeout=0)

    def run(
        self, code: str, cell_id: str | None = None, *, silent: bool = False, kept: bool = True
    ) -> Reply:
        """Execute `code`; with a `cell_id` as JupyterLab does, without as a console does.

        What is not `kept` in the history, as with nbval, has no execution count of its own.
        """
        reply = Reply()

        def take(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                said = getattr(reply, content["name"]) + content["text"]
                setattr(reply, content["name"], said)
            elif kind in ("display_data", "update_display_data"):
                reply.displays.append(content["data"])
            elif kind == "execute_result":
                reply.displays.append(content["data"])
                reply.results.append(content["data"])
            elif kind == "error":
                reply.ename, reply.evalue = content["ename"], content["evalue"]
                reply.traceback += "\n".join(content["traceback"])

        session = self.client.session
        plain = session.msg

        def with_cell_id(msg_type: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            message = plain(msg_type, *args, **kwargs)
            if msg_type == "execute_request" and cell_id is not None:
                message["metadata"]["cellId"] = cell_id
            return message

        session.msg = with_cell_id
        try:
            message = self.client.execute_interactive(
                code,
                silent=silent,
                store_history=kept and not silent,
                output_hook=take,
                timeout=60,
                allow_stdin=False,
                stop_on_error=False,
            )
        except TimeoutError as error:
            # The next test would wait as long for it, and the one after.
            raise TimeoutError(f"{code!r} has not ended:\n{self._tell_stacks()}") from error
        finally:
            session.msg = plain
        content = message["content"]
        reply.status = content["status"]
        reply.count = content.get("execution_count")
        reply.payload = content.get("payload", [])
        return reply


class Notebook:
    """A kernel that stands in a directory of its own, with ipycov loaded by `load`."""

    def __init__(self, kernel: Kernel, directory: Path) -> None:
        self.kernel = kernel
        self.directory = directory

    def run(self, code: str, cell_id: str | None = None) -> Reply:
        """Run a cell, whatever comes of it."""
        return self.kernel.run(source(code), cell_id)

    def must(self, code: str, cell_id: str | None = None) -> Reply:
        """Run a cell that must not fail."""
        reply = self.run(code, cell_id)
        assert reply.status == "ok", f"{code!r} gave {reply.ename}: {reply.evalue}"
        return reply

    def cell(self, code: str, cell_id: str | None = None) -> str:
        """Run a cell that must not fail and return what ipycov calls it."""
        return self.must(code, cell_id).label

    def load(self, **traits: object) -> None:
        """Load ipycov with some traits set, and nothing left of tests before."""
        settings = [f"%config IPyCov.{name} = {value!r}" for name, value in traits.items()]
        forget = "get_ipython().config.pop('IPyCov', None)"
        self.must("\n".join([forget, "%reset -f", "%load_ext ipycov", *settings]))

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source(text) + "\n")
        return path

    def report(self, options: str = "") -> dict[str, dict[str, Any]]:
        """The files of a JSON report, by name."""
        self.must(f"%coverage_report json {options} -o {self.directory / 'report.json'}")
        files: dict[str, dict[str, Any]] = json.loads((self.directory / "report.json").read_text())[
            "files"
        ]
        return files

    def lines(self, name: str) -> tuple[list[int], list[int]]:
        """The executed and the missing lines of a file of the report."""
        files = self.report()
        assert name in files, f"{name} is not among {sorted(files)}"
        return files[name]["executed_lines"], files[name]["missing_lines"]


def source(text: str) -> str:
    """`text` without the indentation of the test that it stands in; one-liners stay as they are."""
    return textwrap.dedent(text).strip("\n") if text.startswith("\n    ") else text


def terminal(
    script: str, cwd: Path, *arguments: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """Type `script` into IPython in a terminal."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--simple-prompt",
            "--no-banner",
            "--colors=NoColor",
            *arguments,
        ],
        input=source(script) + "\nexit\n",
        cwd=cwd,
        env={**os.environ, "IPYTHONDIR": str(cwd / ".ipython"), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
