"""A kernel to time: it is told cells as a front end tells them, and says how long each took."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_client.manager import KernelManager


class TimedKernel:
    """A kernel in `directory`, under the interpreter that runs the benchmarks."""

    def __init__(self, directory: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.kernel_spec.argv[0] = sys.executable
        self._directory = directory

    def __enter__(self) -> Self:
        with open(os.devnull, "w") as nowhere:
            self._manager.start_kernel(cwd=str(self._directory), stderr=nowhere)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, code: str, cell_id: str | None = None) -> tuple[str, float]:
        """Run a cell; return what it printed, and the seconds from its request to its reply.

        The kernel itself notes both moments, so that the way there and back does not count.
        """
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        content |= {"stop_on_error": False, "user_expressions": {}}
        message = self._client.session.msg("execute_request", content)
        if cell_id is not None:
            message["metadata"]["cellId"] = cell_id
        self._client.shell_channel.send(message)
        id = message["header"]["msg_id"]
        printed = ""
        while True:
            told = self._client.get_iopub_msg(timeout=600)
            if told["parent_header"].get("msg_id") != id:
                continue
            if told["msg_type"] == "stream" and told["content"]["name"] == "stdout":
                printed += told["content"]["text"]
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                break
        reply = self._reply_to(id)
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
        begun = datetime.datetime.fromisoformat(reply["metadata"]["started"])
        return printed, (reply["header"]["date"] - begun).total_seconds()

    def _reply_to(self, id: str) -> dict[str, Any]:
        while True:
            reply: dict[str, Any] = self._client.get_shell_msg(timeout=600)
            if reply["parent_header"].get("msg_id") == id:
                return reply
