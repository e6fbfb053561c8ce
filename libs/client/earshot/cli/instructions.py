"""`instructions`: how a model is to write answers, tried before it counts, with every version kept."""

from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.parked import ask
from earshot.cli.session import Session, command
from earshot.cli.texts import FromFile, Words, text_of, wanted_text
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import Instruction, InstructionVersion, Preview, PreviewAnswer
from earshot.resolve import is_uuid, resolve_collection

instructions = typer.Typer(
    no_args_is_help=True,
    help="Custom instructions for answers: list, show, add, edit, versions, activate, preview, remove.",
)

Which = Annotated[str, typer.Argument(metavar="INSTRUCTION", help="Its name or id.")]
OfCollection = Annotated[
    str | None, typer.Option("--collection", "-c", help="Only for questions to it, by its owner; its name or id.")
]
Name = Annotated[str | None, typer.Option("--name", help="What it is called.")]
Activate = Annotated[bool, typer.Option("--activate", help="Answer by it from now on.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command
def list_instructions(session: Session, collection: OfCollection = None) -> None:
    """List the instructions that you may change: administrators those for all answers, owners their collections'."""
    only = resolve_collection(session.client, collection).id if collection else None
    found = list(session.client.instructions.all(only))
    if session.as_json:
        session.out.json({"items": [one.to_json() for one in found]})
        return
    rows = [
        [one.id, str(one.version), active_words(one), "collection" if one.collection_id else "everything", one.name]
        for one in found
    ]
    session.out.table(("ID", "NEWEST", "ACTIVE", "FOR", "WHAT"), rows)
    if not found:
        session.out.note('There is none that you may change. Write one: earshot instructions add "Be brief."')


def active_words(instruction: Instruction) -> str:
    return "no" if instruction.active_version is None else f"version {instruction.active_version}"


@command
def show_instruction(session: Session, which: Which) -> None:
    """Show the newest version of an instruction."""
    one = the_instruction(session.client, which)
    if session.as_json:
        session.out.json(one.to_json())
        return
    session.out.line(f"{one.name}  ({one.id})")
    session.out.line(f"  for      {one.collection_id or 'everything'}")
    session.out.line(f"  active   {active_words(one)}, newest {one.version}")
    session.out.line()
    session.out.raw(one.text)


@command
def add_instruction(
    session: Session,
    text: Words = None,
    file: FromFile = None,
    name: Name = None,
    collection: OfCollection = None,
    activate: Activate = False,
) -> None:
    """Write an instruction. Nothing changes until a version of it is active.

    Example:

        earshot instructions add "Answer in three bullet points." --name Bullets
    """
    of = resolve_collection(session.client, collection).id if collection else None
    made = session.client.instructions.create(wanted_text(text, file), name=name, collection_id=of, activate=activate)
    tell(session, made, "added")


@command
def edit_instruction(
    session: Session,
    which: Which,
    text: Words = None,
    file: FromFile = None,
    name: Name = None,
    activate: Activate = False,
) -> None:
    """Write a new version; the active one stays active unless you say --activate."""
    one = the_instruction(session.client, which)
    written = text_of(text, file)
    if written is None and name is None:
        raise EarshotError("There is nothing to change.", advice="Give a text, --file or --name.")
    changed = session.client.instructions.edit(one.id, text=written, name=name, activate=activate, version=one.version)
    tell(session, changed, f"version {changed.version}")


@command
def list_versions(session: Session, which: Which) -> None:
    """List who wrote which version when, and when it was active."""
    found = list(session.client.instructions.versions(the_instruction(session.client, which).id))
    if session.as_json:
        session.out.json({"items": [one.to_json() for one in found]})
        return
    rows = [
        [str(one.version), f"{one.created_at:%Y-%m-%d %H:%M}", one.created_by, activity(one), first_line(one.text)]
        for one in found
    ]
    session.out.table(("VERSION", "WRITTEN", "BY", "ACTIVE", "WHAT"), rows)


def activity(version: InstructionVersion) -> str:
    if version.active:
        return f"since {version.activations[-1].begun_at:%Y-%m-%d %H:%M}" if version.activations else "now"
    return f"until {version.activations[-1].ended_at:%Y-%m-%d %H:%M}" if version.activations else "never"


def first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 60 else line[:59] + "…"


@command
def activate_version(
    session: Session,
    which: Which,
    version: Annotated[int | None, typer.Option("--version", "-v", min=1, help="By default the newest.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Answer without it from now on.")] = False,
) -> None:
    """Answer by a version from now on; an earlier one is gone back to in the same way."""
    if off and version is not None:
        raise EarshotError("--off and --version exclude each other.")
    one = the_instruction(session.client, which)
    if off:
        tell(session, session.client.instructions.deactivate(one.id), "not used any more")
    else:
        tell(session, session.client.instructions.activate(one.id, version or one.version), "is active now")


@command
def preview_instruction(
    session: Session,
    which: Which,
    questions: Annotated[list[str], typer.Argument(metavar="QUESTION...", help="One to five sample questions.")],
    text: Annotated[str | None, typer.Option("--text", help="A draft; it is stored nowhere.")] = None,
    file: FromFile = None,
    version: Annotated[int | None, typer.Option("--version", "-v", min=1, help="By default the newest.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="One of those offered.")] = None,
) -> None:
    """Answer sample questions by a draft and by what is active, side by side; nothing is stored.

    Example:

        earshot instructions preview Bullets "When do we move?" --text "Answer in one word."
    """
    one = the_instruction(session.client, which)
    shown = session.client.instructions.preview(
        one.id, questions, text=text_of(text, file), version=version, model=model
    )
    if session.as_json:
        session.out.json(shown.to_json())
    else:
        show_preview(session, shown)


def show_preview(session: Session, preview: Preview) -> None:
    if preview.note:
        session.out.note(Text(f"! {preview.note}", style="yellow"))
    for item in preview.items:
        session.out.line(Text(item.question, style="bold"))
        session.out.line(f"  draft    {answer_words(item.draft)}")
        session.out.line(f"  active   {answer_words(item.active)}")


def answer_words(answer: PreviewAnswer) -> str:
    if answer.error is not None:
        return f"{answer.error.message} {answer.error.advice or ''}".rstrip()
    return (answer.answer if answer.answered else answer.reason or "no answer").replace("\n", "\n           ")


@command
def remove_instruction(session: Session, which: Which, yes: Yes = False) -> None:
    """Remove an instruction with all its versions. On a terminal it asks first."""
    one = the_instruction(session.client, which)
    ask(session, f"Remove the instruction {one.name!r} with its {one.version} versions?", yes)
    session.client.instructions.delete(one.id)
    if session.as_json:
        session.out.json({"id": one.id, "done": "removed"})
    else:
        session.out.line(f"{one.name}  removed")


def tell(session: Session, instruction: Instruction, done: str) -> None:
    if session.as_json:
        session.out.json(instruction.to_json())
        return
    session.out.line(f"{instruction.name}  {done}")
    if instruction.active_version != instruction.version:
        used = active_words(instruction).replace("no", "none of its versions", 1)
        session.out.note(f"Active: {used}. Use the newest: earshot instructions activate {instruction.id}")


def the_instruction(client: Client, which: str) -> Instruction:
    """By id, or by a name that only one has."""
    if is_uuid(which):
        return client.instructions.get(which)
    found = [one for one in client.instructions.all() if one.name.casefold() == which.casefold()]
    if len(found) != 1:
        said = "No instruction" if not found else f"More than one instruction ({len(found)})"
        raise EarshotError(f"{said} is called {which!r}.", advice="See: earshot instructions list")
    return found[0]


instructions.command("list")(list_instructions)
instructions.command("show")(show_instruction)
instructions.command("add")(add_instruction)
instructions.command("edit")(edit_instruction)
instructions.command("versions")(list_versions)
instructions.command("activate")(activate_version)
instructions.command("preview")(preview_instruction)
instructions.command("remove")(remove_instruction)
