"""Live progress on stderr: bars on a terminal, a line per change elsewhere, nothing when a program reads."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from earshot.cli.output import Output, clean

DONE = 1.0


class View(Protocol):
    """`show` sets one named bar: its fraction (0 to 1) and a few words; `say` prints a line above the bars."""

    def show(self, name: str, fraction: float, words: str = "") -> None: ...

    def say(self, text: str | Text) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Bars:
    def __init__(self, console: Console) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}", style="dim"),
            console=console,
        )

    def show(self, name: str, fraction: float, words: str = "") -> None:
        if name not in self._tasks:
            label = clean(name).plain.replace("[", "\\[")
            self._tasks[name] = self._progress.add_task(label, total=DONE, words=words)
        self._progress.update(self._tasks[name], completed=fraction, words=words)

    def say(self, text: str | Text) -> None:
        self._progress.console.print(clean(text))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class Lines:
    """A new line when a bar begins, passes a quarter, or ends."""

    def __init__(self, print_line: Callable[[str | Text], None]) -> None:
        self._print = print_line
        self._last: dict[str, int] = {}

    def show(self, name: str, fraction: float, words: str = "") -> None:
        quarter = int(fraction * 4)
        if fraction > 0 and self._last.get(name, -1) < quarter:
            self._last[name] = quarter
            self._print(f"{name}: {fraction:.0%}{'  ' + words if words else ''}")

    def say(self, text: str | Text) -> None:
        self._print(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def view_for(out: Output) -> View:
    if out.stderr.is_terminal and not out.as_json:
        return Bars(out.stderr)
    return Lines(out.note)
