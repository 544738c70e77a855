"""What is said of a command line that cannot be read: in the words of its help, and where that is."""

from __future__ import annotations

from cyclopts import CycloptsError, MissingArgumentError, UnusedCliTokensError

from toile.text import listed


def told(error: CycloptsError) -> str:
    """The error in one line. (cyclopts itself calls STUDY `--study`, and words that are too many "unused tokens".)"""
    verb = " ".join(error.command_chain or ())
    helps = f"`toile {verb} --help` shows what it takes"
    if isinstance(error, UnusedCliTokensError):
        return f"{verb} takes no {listed(map(repr, error.unused_tokens or ()))}; {helps}"
    if type(error) is MissingArgumentError and error.argument is not None:
        field, name = error.argument.field_info, error.argument.name
        typed = error.keyword or next((token.keyword for token in error.argument.tokens if token.keyword), None)
        if typed is not None:
            return f"{typed} wants a value; {helps}"
        return f"{verb} wants {name.lstrip('-').replace('-', '_').upper() if field.is_positional else name}; {helps}"
    return str(error)
