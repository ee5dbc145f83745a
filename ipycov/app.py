"""The command line: `ipycov`, also as `python -m ipycov`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from coverage.exceptions import ConfigError as CoverageConfigError
from coverage.exceptions import CoverageException
from traitlets import TraitError
from traitlets.config.loader import ConfigError

from ipycov.app_command import FAILED, INTERRUPTED, Command, Usage
from ipycov.app_doctor import DoctorApp
from ipycov.app_run import RunApp
from ipycov.app_store import CombineApp, EraseApp, ReportApp
from ipycov.errors import IPyCovError
from ipycov.view import seen


class IPyCovApp(Command):
    """Coverage for notebooks: which lines and branches of the cells have run."""

    name = "ipycov"
    subcommands = {  # noqa: RUF012 - traitlets declares it so
        "run": (RunApp, "Run notebooks and report their coverage."),
        "report": (ReportApp, "Report what live sessions have stored."),
        "combine": (CombineApp, "Put what live sessions have stored into coverage.py's data file."),
        "erase": (EraseApp, "Remove what live sessions have stored."),
        "doctor": (DoctorApp, "Tell what would be measured here, how, and what is wrong."),
    }

    def start(self) -> int:  # type: ignore[override]
        """Start the command that was named; return the exit code."""
        if self.subapp is None and self.extra_args:
            raise Usage(f"there is no command {self.extra_args[0]!r}; see ipycov --help")
        if self.subapp is None:
            raise Usage(f"say what to do: {', '.join(self.subcommands)}; ipycov --help tells more")
        return int(self.subapp.start() or 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    app = IPyCovApp()
    sys.path.insert(0, "")  # for plugins that are here, as coverage.py's own command does
    try:
        app.parse_command_line(list(sys.argv[1:] if argv is None else argv))
        return app.start()
    except (IPyCovError, ConfigError, TraitError) as error:
        print(f"ipycov: {seen(str(error))}", file=sys.stderr)
        return FAILED
    except CoverageConfigError as error:
        print(f"ipycov: coverage.py refuses its configuration: {error}", file=sys.stderr)
        return FAILED
    except CoverageException as error:
        print(f"ipycov: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("ipycov: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        type(app).clear_instance()
