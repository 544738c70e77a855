"""The command line: parse, call, print. Every verb imports what it needs when it is called, so that `toile --help` is quick.

Exit codes: 0 done, 1 failed, 2 misuse; 130 after Ctrl-C, as shells expect.
"""

from __future__ import annotations

import sys

from cyclopts import CycloptsError

from toile.cli import runs, stores, studies  # noqa: F401 - which register their verbs
from toile.cli.application import app, say
from toile.errors import Misuse, ToileError


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `toile` command."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except Misuse as error:
        say(f"toile: {error}")
        sys.exit(2)
    except CycloptsError as error:
        say(f"toile: {error}")
        sys.exit(2)
    except ToileError as error:
        say(f"toile: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        sys.exit(130)
