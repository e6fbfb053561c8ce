"""`play` and `open`: from a citation to its sound, or to its page."""

import os
import platform
import shutil
import subprocess
import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from earshot.cli.ask import citation_line
from earshot.cli.session import Session, command
from earshot.cli.stack import stack_commands
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.memory import LastAnswer, recall
from earshot.models import Citation
from earshot.resolve import resolve_asset

# A quote is heard with a little of what comes before and after it.
BEFORE_SECONDS = 0.5
AFTER_SECONDS = 1.5


@command
def play(
    session: Session,
    number: Annotated[int, typer.Argument(metavar="N", help="The n-th citation of the last answer.")],
) -> None:
    """Play a citation of the last answer from its second.

    Without a player (ffplay or mpv) it prints the page's address.
    """
    last = recall(session.surroundings.state_folder())
    citation = last.citation(number)
    if session.as_json:
        session.out.json({**citation.to_json(), "page": last.url + citation.url})
        return
    session.out.note(citation_line(citation))
    session.out.note(f"    “{citation.quote}”")
    if citation.start_seconds is None or not heard(session, last, citation):
        session.out.line(last.url + citation.url)


def heard(session: Session, last: LastAnswer, citation: Citation) -> bool:
    """Whether a player on this machine could play it; the key stays out of the player's arguments."""
    start = max(0.0, (citation.start_seconds or 0.0) - BEFORE_SECONDS)
    end = (citation.end_seconds or start) + AFTER_SECONDS
    with tempfile.TemporaryDirectory(prefix="earshot-play-") as folder:
        sound = Path(folder) / "recording"
        arguments = player_arguments(sound, start, end)
        if arguments is None:
            session.out.note("No player is installed here (ffplay comes with ffmpeg; mpv works too).")
            return False
        with client_for(session, last) as client:
            fetch(client, citation.asset_id, sound)
        if subprocess.run(arguments, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            return True
        session.out.note(f"{arguments[0]} could not play it.")
        return False


def client_for(session: Session, last: LastAnswer) -> Client:
    """The server that gave the answer, whichever one is the default by now."""
    connection = session.surroundings.connection(session.url or last.url, session.key, session.data)
    return Client(connection.url, connection.key)


def fetch(client: Client, asset_id: str, to: Path) -> None:
    with client.recordings.media(asset_id) as media, to.open("wb") as file:
        for piece in media.pieces:
            file.write(piece)


def player_arguments(sound: Path, start: float, end: float) -> list[str] | None:
    if ffplay := shutil.which("ffplay"):
        quiet = ["-nodisp", "-autoexit", "-loglevel", "error"]
        return [ffplay, *quiet, "-ss", f"{start:.3f}", "-t", f"{end - start:.3f}", str(sound)]
    if mpv := shutil.which("mpv"):
        return [mpv, "--no-video", "--really-quiet", f"--start={start:.3f}", f"--end={end:.3f}", str(sound)]
    return None


@command
def open_command(
    session: Session,
    what: Annotated[
        str | None, typer.Argument(metavar="[N|ID]", help="A citation of the last answer, or an asset.")
    ] = None,
) -> None:
    """Open a citation's or an asset's page in the browser, or print its address where there is none.

    Without N or ID: a link that signs the browser in, once, at the Earshot of this machine.

    Examples:

        earshot open

        earshot open 1

        earshot open @last
    """
    page = sign_in_page(session) if what is None else page_of(session, what)
    if session.as_json:
        session.out.json({"url": page})
    elif not (has_browser() and webbrowser.open(page)):
        session.out.line(page)


def sign_in_page(session: Session) -> str:
    """A new link each time; only who may read the data folder of a running Earshot can make one."""
    if session.url or session.surroundings.environ.get("EARSHOT_URL"):
        raise EarshotError(
            "A link that signs a browser in is made on the machine where Earshot runs.",
            advice="Call `earshot open` there, or in its gateway: python -m gateway.admin sign-in-link --base-url URL",
        )
    return stack_commands().sign_in_link(session.surroundings.data_in_use(session.data))


def page_of(session: Session, what: str) -> str:
    if what.isdigit() and len(what) < 4:
        last = recall(session.surroundings.state_folder())
        return last.url + last.citation(int(what)).url
    asset = resolve_asset(session.client, what)
    letters = {"recording": "r", "document": "d", "conversation": "c"}
    letter = letters.get(asset.kind)
    if letter is None:
        raise EarshotError(f"There is no page for a {asset.kind}.")
    return session.link(f"/{letter}/{asset.id}")


def has_browser() -> bool:
    """A browser in a window; one that would take over the terminal does not count."""
    if platform.system() in ("Darwin", "Windows"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
