"""How a followed recording ended, with what a person should know about it."""

from typing import Any

import typer
from rich.text import Text

from earshot.cli.session import Session
from earshot.errors import EarshotError
from earshot.models import Asset, Transcript
from earshot.timecode import clock


def report_ends(session: Session, assets: list[Asset]) -> None:
    """Exit code 1 unless every asset is ready."""
    if session.as_json:
        session.out.json({"items": [{"asset": asset.to_json()} for asset in assets]})
    else:
        for asset in assets:
            report_end(session, asset)
    if any(asset.status != "ready" for asset in assets):
        raise typer.Exit(1)


def report_end(session: Session, asset: Asset) -> None:
    if asset.status != "ready":
        session.out.error(failure(asset))
        return
    facts = [clock(asset.duration_seconds), *([asset.language] if asset.language else [])]
    session.out.line(Text.assemble(("✓ ", "green"), (asset.title, "bold"), f"  {asset.short_id}  {', '.join(facts)}"))
    transcript = transcript_of(session, asset)
    for warning in transcript.warnings if transcript else ():
        session.out.note(Text(f"  ! {warning_text(warning)}", style="yellow"))
    session.out.note(f'  Read it: earshot transcript {asset.short_id}   Ask: earshot ask "…"')


def failure(asset: Asset) -> EarshotError:
    if asset.error is None:
        return EarshotError(f"{asset.title} ({asset.short_id}): {asset.status}.")
    again = f"Try again: earshot retry {asset.short_id}" if asset.error.retryable else None
    advice = "  ".join(part for part in (asset.error.advice, again) if part)
    return EarshotError(f"{asset.title} ({asset.short_id}): {asset.error.message}", advice=advice or None)


def transcript_of(session: Session, asset: Asset) -> Transcript | None:
    """None for an asset without one."""
    try:
        return session.client.recordings.transcript(asset.id, words=False)
    except EarshotError as error:
        if error.status_code == 404:
            return None
        raise


def warning_text(warning: Any) -> str:
    """A warning is a sentence, or an object with a message and advice."""
    if not isinstance(warning, dict):
        return str(warning)
    parts = (warning.get("message"), warning.get("advice"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return " ".join(str(part) for part in parts if part)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
