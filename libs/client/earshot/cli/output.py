"""What a command prints: results on stdout, everything said along the way on stderr, JSON when a program asks."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earshot.errors import EarshotError

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Without a terminal nothing is wrapped or cut: what reads the lines may be a program.
UNBOUNDED_COLUMNS = 10_000


class Output:
    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.stdout = console(sys.stdout)
        self.stderr = console(sys.stderr)

    def json(self, document: Any) -> None:
        """The whole result, from JSON values, dataclasses, paths and times."""
        print(json.dumps(to_jsonable_python(document), indent=2, ensure_ascii=False))

    def json_line(self, document: Any) -> None:
        """One of many documents, on one line."""
        print(json.dumps(to_jsonable_python(document), ensure_ascii=False), flush=True)

    def line(self, text: str | Text = "") -> None:
        """One line of the result; a program gets JSON instead."""
        if not self.as_json:
            self.stdout.print(clean(text), soft_wrap=True)

    def note(self, text: str | Text = "") -> None:
        """One line that accompanies the result; silent when a program reads."""
        if not self.as_json:
            self.stderr.print(clean(text), soft_wrap=True)

    def raw(self, text: str) -> None:
        """A document as it is; on a terminal without characters that could steer it."""
        sys.stdout.write(CONTROL.sub("�", text.replace("\r\n", "\n")) if self.stdout.is_terminal else text)
        sys.stdout.write("" if text.endswith("\n") else "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(
                column,
                overflow="fold" if column in ("TITLE", "WHAT") else "ellipsis",
                no_wrap=column in ("ID", "AGE", "REASON"),
            )
        for row in rows:
            table.add_row(*(clean(cell) for cell in row))
        if not self.as_json:
            self.stdout.print(table)

    def error(self, error: EarshotError) -> None:
        """One line that says what, one what to do."""
        if self.as_json:
            print(json.dumps(as_document(error), ensure_ascii=False), file=sys.stderr)
            return
        self.stderr.print(Text.assemble(("Error: ", "bold red"), clean(error.detail)), soft_wrap=True)
        if error.advice:
            self.stderr.print(Text.assemble("  ", clean(error.advice)), soft_wrap=True)
        if error.request_id and (error.status_code or 0) >= 500:
            self.stderr.print(Text(f"  Request {clean(error.request_id)}", style="dim"), soft_wrap=True)


def console(stream: Any) -> Console:
    """rich itself honours NO_COLOR, and uses neither colour nor cursor movements without a terminal."""
    made = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = UNBOUNDED_COLUMNS
    return made


def clean(text: str | Text) -> Text:
    """Titles and transcripts come from outside: characters that steer a terminal are replaced."""
    if isinstance(text, str):
        return Text(CONTROL.sub("�", text))
    text.plain = CONTROL.sub("�", text.plain)
    return text


def as_document(error: EarshotError) -> dict[str, Any]:
    return {
        "detail": error.detail,
        "status_code": error.status_code,
        "error_type": error.error_type,
        "advice": error.advice,
        "request_id": error.request_id,
    }
