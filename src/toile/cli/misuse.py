"""What is said of a command line that cannot be read: in the words of its help, and where that is."""

from __future__ import annotations

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnknownCommandError, UnusedCliTokensError

from toile.cli.application import app
from toile.errors import nearest
from toile.text import brief, listed

_NUMBERS = {int: "a whole number", float: "a number"}


def told(error: CycloptsError) -> str:
    """The error in one line. (cyclopts itself calls STUDY `--study`, and words that are too many "unused tokens".)"""
    verb = " ".join(error.command_chain or ())
    helps = f"`toile {verb} --help` shows what it takes"
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        name, verbs = error.unused_tokens[0], (one for one in app if not one.startswith("-"))
        return f"no verb {brief(name)}{nearest(name, verbs)}; `toile --help` lists them"
    if isinstance(error, CoercionError) and error.token is not None and error.target_type in _NUMBERS:
        option = error.token.keyword or (error.argument.name if error.argument else verb)
        return f"{option}: {_NUMBERS[error.target_type]} is wanted, got {brief(error.token.value)}"
    if isinstance(error, UnusedCliTokensError):
        return f"{verb} takes no {listed(map(repr, error.unused_tokens or ()))}; {helps}"
    if type(error) is MissingArgumentError and error.argument is not None:
        field, name = error.argument.field_info, error.argument.name
        typed = error.keyword or next((token.keyword for token in error.argument.tokens if token.keyword), None)
        if typed is not None:
            return f"{typed} wants a value; {helps}"
        if not field.is_positional:
            return f"{verb} wants {name}; {helps}"
        name = name.lstrip("-").replace("-", "_").upper()
        # It takes as many as come, and so what was meant as something else.
        before = " before --seeds, which takes all that follows" if "--seeds" in (error.root_input_tokens or ()) else ""
        return f"{verb} wants {name}{before}; {helps}"
    return str(error)
