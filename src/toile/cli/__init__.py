"""The command line: parse, call, print. Every verb imports what it needs when it is called, so that `toile --help` is quick.

Exit codes: 0 done, 1 failed, 2 misuse; 130 after Ctrl-C, as shells expect.
"""

from __future__ import annotations

import io
import os
import sys

from cyclopts import CycloptsError

from toile.cli import runs, stores, studies  # noqa: F401 - which register their verbs
from toile.cli.application import app, say
from toile.cli.misuse import told
from toile.errors import Misuse, ToileError, refused
from toile.store.checked import Damaged


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `toile` command."""
    _open_streams()
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        say(f"toile: {told(error)}")
        sys.exit(2)
    except Misuse as error:
        say(f"toile: {error}")
        sys.exit(2)
    except Damaged as error:
        say(f"toile: {error.advised('`toile check --repair` sets aside what is damaged, and `toile run` makes it anew')}")
        sys.exit(1)
    except ToileError as error:
        say(f"toile: {error}")
        sys.exit(1)
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    except OSError as error:
        # Whatever touches a file may fail so, anywhere; here it is told once, for all verbs.
        _forget_output()
        say(f"toile: {refused(error)}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        sys.exit(130)


def _open_streams() -> None:
    """Standard streams that can be written to, whatever they were started with.

    One that is closed leads nowhere from here on. Else the next file that is opened would get its number, and what any library
    prints would get into that file. One whose encoding lacks a character spells it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere: int | str = os.devnull
            try:
                os.fstat(number)
            except OSError:
                nowhere = os.open(os.devnull, os.O_RDWR)  # which gets the lowest number that is free
                if nowhere != number:
                    os.dup2(nowhere, number)
                    os.close(nowhere)
                    nowhere = number
            setattr(sys, name, open(nowhere, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """What standard output would not take, Python would try again at its end, and complain."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
