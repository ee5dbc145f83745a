"""Progress on a terminal: a bar over notebooks and one for each that runs, over its cells."""

from __future__ import annotations

from types import TracebackType
from typing import IO, Any

from ipycov.running import Progress
from ipycov.view import seen


class Bars:
    """The bars of one run; without a terminal there are none."""

    def __init__(self, notebooks: int) -> None:
        from tqdm import tqdm

        self._tqdm: Any = tqdm
        self._all = tqdm(
            total=notebooks,
            desc="notebooks",
            unit="notebook",
            disable=True if notebooks == 1 else None,
            leave=False,
        )

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._all.close()

    def progress(self, path: str) -> Progress:
        """What shows how far the notebook at `path` has come."""
        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = self._tqdm(
                    total=total, desc=seen(path), unit="cell", disable=None, leave=False
                )
            bar.update(done - bar.n)
            if done == total:
                bar.close()
                self._all.update()

        return show

    def write(self, line: str, file: IO[str]) -> None:
        """Print a line above the bars."""
        self._tqdm.write(seen(line), file=file)
