"""Texts that are given to a command: as words, from a file, or from standard input."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from earshot.errors import EarshotError

Words = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The text; - reads it from standard input.")]
FromFile = Annotated[Path | None, typer.Option("--file", "-f", help="Read the text from this file.")]


def text_of(words: str | None, file: Path | None) -> str | None:
    """None where neither is given. Raises EarshotError when both are, or when the file is no text."""
    if words is not None and file is not None:
        raise EarshotError("The text is given twice.", advice="Give it either as words or with --file.")
    if words == "-":
        return sys.stdin.read()
    if file is None:
        return words
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise EarshotError(f"{file} is no text in UTF-8.") from error


def wanted_text(words: str | None, file: Path | None) -> str:
    text = text_of(words, file)
    if text is None:
        raise EarshotError("There is no text.", advice="Give it as words, with --file, or - for standard input.")
    return text
