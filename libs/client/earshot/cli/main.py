"""The `earshot` command: every subcommand by name."""

from importlib.metadata import version
from typing import Annotated

import typer

from earshot.cli import (
    add,
    analytics,
    ask,
    assets,
    backup,
    chat,
    demo,
    instructions,
    keys,
    models,
    moving,
    parked,
    play,
    profiles,
    prompts,
    reindex,
    retranscribe,
    search,
    speakers,
    stack,
    summary,
    transcript,
    upkeep,
)
from earshot.cli.session import AsJson, Data, Debug, Key, Url

app = typer.Typer(
    name="earshot",
    help="Recordings in, cited answers out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

PANELS = {
    "Recordings": {
        "add": add.add,
        "list": assets.list_command,
        "show": assets.show,
        "watch": add.watch_command,
        "jobs": assets.jobs,
        "retry": assets.retry,
        "retranscribe": retranscribe.retranscribe,
        "cancel": assets.cancel,
        "delete": assets.delete,
        "export": moving.export,
        "import": moving.import_command,
    },
    "Reading and asking": {
        "transcript": transcript.transcript,
        "summary": summary.summary,
        "chapters": summary.chapters,
        "speakers": speakers.speakers,
        "analytics": analytics.analytics,
        "replace": speakers.replace,
        "search": search.search,
        "ask": ask.ask,
        "chat": chat.chat,
        "play": play.play,
        "open": play.open_command,
    },
    "The stack on this machine": {
        "up": stack.up,
        "down": stack.down,
        "demo": demo.demo,
        "status": stack.status,
        "doctor": upkeep.doctor,
        "logs": upkeep.logs,
        "restore": backup.restore,
        "migrate": upkeep.migrate,
        "schemas": upkeep.schemas,
    },
}
for panel, commands in PANELS.items():
    for name, function in commands.items():
        app.command(name, rich_help_panel=panel)(function)
app.add_typer(backup.backup, name="backup", rich_help_panel="The stack on this machine")
app.add_typer(keys.keys, name="keys", rich_help_panel="People and places")
app.add_typer(keys.collections, name="collections", rich_help_panel="People and places")
app.add_typer(profiles.profiles, name="profiles", rich_help_panel="People and places")
app.add_typer(models.models, name="models", rich_help_panel="Reading and asking")
app.add_typer(parked.parked, name="parked", rich_help_panel="For administrators")
app.add_typer(instructions.instructions, name="instructions", rich_help_panel="For administrators")
app.add_typer(prompts.prompts, name="prompts", rich_help_panel="For administrators")
app.command("reindex", rich_help_panel="For administrators")(reindex.reindex)


def print_version(wanted: bool) -> None:
    if wanted:
        print(version("earshot"))
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data: Data = None,
    debug: Debug = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Recordings in, cited answers out."""
    context.obj = {"as_json": as_json, "url": url, "key": key, "data": data, "debug": debug}


def main() -> None:
    app(prog_name="earshot")
