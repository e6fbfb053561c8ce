"""What the demo prints."""

from collections.abc import Sequence

from rich.text import Text

from earshot.cli.ask import citation_line
from earshot.cli.finish import warning_text
from earshot.cli.output import Output
from earshot.cli.search import marked, place
from earshot.cli.watching import segment_line, speaker_names
from earshot.demo.checks import Check
from earshot.models import Answer, SearchResults, Transcript
from earshot.timecode import elapsed


def print_heading(out: Output, words: str) -> None:
    out.line()
    out.line(Text(words, style="bold"))


def print_transcript(out: Output, transcript: Transcript) -> None:
    print_heading(out, f"Transcript ({transcript.engine or 'unknown engine'})")
    names = speaker_names(transcript)
    for segment in transcript.segments:
        out.line(segment_line(segment, names))
    for warning in transcript.warnings:
        out.line(Text(f"! {warning_text(warning)}", style="yellow"))


def print_hits(out: Output, url: str, found: SearchResults) -> None:
    print_heading(out, f"Search: {found.query}")
    for hit in found.items[:3]:
        out.line(Text.assemble((place(hit.asset.title, hit.locator), "cyan"), f"  {url}{hit.url}"))
        out.line(marked(hit))


def print_answer(out: Output, url: str, answer: Answer) -> None:
    print_heading(out, answer.question)
    out.line(answer.answer if answer.answered else f"Not answered: {answer.reason or answer.answer}")
    for citation in answer.citations:
        out.line(citation_line(citation))
        out.line(f"    “{citation.quote}”")
        out.line(Text(f"    {url}{citation.url}", style="dim"))


def print_table(out: Output, checks: Sequence[Check]) -> None:
    print_heading(out, "Checks")
    rows = [
        [Text("✓" if check.passed else "✗", style="green" if check.passed else "red"), check.name, check.found]
        for check in checks
    ]
    out.table(("", "WHAT", "FOUND"), rows)


def print_times(out: Output, set_up: float, recognition: float, total: float) -> None:
    out.line()
    out.line(
        f"Set-up {elapsed(set_up)}, recognition {elapsed(recognition)}, "
        f"total {elapsed(total)} ({elapsed(total - recognition)} beyond recognition)"
    )
