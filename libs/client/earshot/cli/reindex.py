"""`reindex`: the models that search understands meaning by; another one is prepared, exchanged, dropped."""

import time
from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.parked import ask
from earshot.cli.progress import view_for
from earshot.cli.session import Session, command
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.following import PATIENCE_SECONDS
from earshot.models import IndexModel
from earshot.timecode import size

EVERY_SECONDS = 0.5

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="Embed everything by this one: minilm, openai:<model>, openai:<model>@<dimensions> or "
        "sentence-transformers:<model>.",
    ),
]
Quantised = Annotated[
    bool, typer.Option("--quantised", help="With an index of single bits, which takes far less memory.")
]
NoSwitch = Annotated[bool, typer.Option("--no-switch", help="Do not search by it when it is ready.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait; the server goes on by itself.")]
Switch = Annotated[str | None, typer.Option("--switch", metavar="NAME", help="Search by this one, which is ready.")]
Rollback = Annotated[bool, typer.Option("--rollback", help="Search by the one before again, while it is kept.")]
Drop = Annotated[str | None, typer.Option("--drop", metavar="NAME", help="Give up one that search does not use.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command
def reindex(
    session: Session,
    model: Model = None,
    quantised: Quantised = False,
    no_switch: NoSwitch = False,
    detach: Detach = False,
    switch: Switch = None,
    rollback: Rollback = False,
    drop: Drop = None,
    yes: Yes = False,
) -> None:
    """Change the model that search understands meaning by; without an option, list the models.

    Everything is embedded by the new one beside the one in use, search goes on, and from one moment to the next the
    new one is used. Breaking this command off changes nothing: the server goes on, and the same command follows again.

    Examples:

        earshot reindex --model openai:text-embedding-3-small

        earshot reindex --rollback
    """
    if sum([model is not None, switch is not None, rollback, drop is not None]) > 1:
        raise EarshotError("Only one of --model, --switch, --rollback and --drop at a time.")
    models = session.client.index_models
    if model is not None:
        asked = models.prepare(model, quantised=quantised, switch=not no_switch)
        show_one(session, asked if detach else follow(session, asked, wanted=("ready", "current")[not no_switch]))
    elif switch is not None:
        show_one(session, models.switch(the_model(switch, models.all()).id))
    elif rollback:
        show_one(session, models.switch(the_one_before(models.all()).id))
    elif drop is not None:
        gone = the_model(drop, models.all())
        ask(session, f"Drop the vectors of {gone.name} for good?", yes)
        models.drop(gone.id)
        show_list(session, models.all())
    else:
        show_list(session, models.all())


def the_model(name: str, present: list[IndexModel]) -> IndexModel:
    wanted = "all-MiniLM-L6-v2" if name == "minilm" else name
    found = [one for one in present if wanted in (one.name, str(one.id))]
    if not found:
        raise EarshotError(f"No model of the index is called {name!r}.", advice="See: earshot reindex")
    return found[0]


def the_one_before(present: list[IndexModel]) -> IndexModel:
    """The ready one that was current last."""
    earlier = [one for one in present if one.state == "ready" and one.switched_at is not None]
    if not earlier:
        raise EarshotError("No earlier model is kept.", advice="Prepare it again: earshot reindex --model NAME")
    return max(earlier, key=lambda one: one.switched_at or one.created_at)


def follow(session: Session, asked: IndexModel, wanted: str) -> IndexModel:
    """Until the model is what it is wanted to be; the server may be away for a while."""
    with view_for(session.out) as view:
        told, now, away_since = "", asked, None
        while True:
            view.show(now.name, now.progress.fraction, words_for(now))
            if now.error and now.error.message != told:
                told = now.error.message
                view.say(Text(f"! {told} {now.error.advice} It is tried again.", style="yellow"))
            if now.state in (wanted, "current"):
                return now
            time.sleep(EVERY_SECONDS)
            now, away_since = look(session.client, now, away_since)


def look(client: Client, before: IndexModel, away_since: float | None) -> tuple[IndexModel, float | None]:
    try:
        return client.index_models.get(before.id), None
    except EarshotError as error:
        away_since = away_since or time.monotonic()
        if not error.transient or time.monotonic() - away_since > PATIENCE_SECONDS:
            raise
        return before, away_since


def words_for(model: IndexModel) -> str:
    return f"{model.progress.chunks_done:,} of {model.progress.chunks_total:,} passages"


def show_one(session: Session, model: IndexModel) -> None:
    if session.as_json:
        session.out.json(model.to_json())
        return
    session.out.line(f"{model.name}  {model.state}")
    warn_of_cut(session, model)


def warn_of_cut(session: Session, model: IndexModel) -> None:
    if model.progress.chunks_cut:
        session.out.note(
            Text(
                f"! {model.name} reads only the beginning of {model.progress.chunks_cut:,} passages. "
                "earshot retry ID --from-stage index makes shorter ones.",
                style="yellow",
            )
        )


def show_list(session: Session, present: list[IndexModel]) -> None:
    if session.as_json:
        session.out.json({"items": [model.to_json() for model in present]})
        return
    rows: list[list[str | Text]] = [row_of(model) for model in present]
    session.out.table(("ID", "STATE", "DONE", "DIMENSIONS", "SIZE", "WHAT"), rows)
    for model in present:
        warn_of_cut(session, model)
        if model.error:
            session.out.note(Text(f"! {model.name}: {model.error.message} {model.error.advice}", style="yellow"))
    if not present:
        session.out.note("Nothing is indexed yet.")


def row_of(model: IndexModel) -> list[str | Text]:
    what = f"{model.name}, quantised" if model.quantised else model.name
    bytes_ = size(model.table_bytes + model.index_bytes)
    return [str(model.id), model.state, f"{model.progress.fraction:.0%}", str(model.dimensions), bytes_, what]
