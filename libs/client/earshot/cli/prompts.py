"""`prompts`: what a model is told for each purpose; written anew, and gone back from."""

from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.parked import ask
from earshot.cli.session import Session, command
from earshot.cli.texts import FromFile, Words, wanted_text
from earshot.models import Prompt

prompts = typer.Typer(no_args_is_help=True, help="Prompts by purpose: list, show, set, revert.")

Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="One of: earshot prompts list")]


@command
def list_prompts(session: Session) -> None:
    """List the purposes, and whether their prompt is the built-in one."""
    found = session.client.prompts.all()
    if session.as_json:
        session.out.json({"items": [one.to_json() for one in found]})
        return
    rows = [[one.purpose, state_of(one), str(one.version), one.about] for one in found]
    session.out.table(("PURPOSE", "PROMPT", "VERSION", "WHAT"), rows)
    for one in found:
        warn(session, one)


def state_of(prompt: Prompt) -> str:
    return "customised" if prompt.customised else "built in"


def warn(session: Session, prompt: Prompt) -> None:
    if prompt.problem:
        session.out.note(Text(f"! {prompt.purpose}: {prompt.problem}", style="yellow"))


@command
def show_prompt(
    session: Session,
    purpose: Purpose,
    default: Annotated[bool, typer.Option("--default", help="The built-in one, also while another is used.")] = False,
) -> None:
    """Show the prompt that is used. What is printed can be edited and given to `earshot prompts set`."""
    shown = session.client.prompts.default(purpose) if default else session.client.prompts.get(purpose)
    if session.as_json:
        session.out.json(shown.to_json())
        return
    session.out.raw(shown.text)
    for place in shown.placeholders:
        session.out.note(f"{{{place.name}}}{'' if place.required else ' (may be left out)'}: {place.about}")
    if isinstance(shown, Prompt):
        warn(session, shown)


@command
def set_prompt(session: Session, purpose: Purpose, text: Words = None, file: FromFile = None) -> None:
    """Use another prompt from now on. The one before is kept as a version.

    Example:

        earshot prompts show answer > answer.txt
        earshot prompts set answer --file answer.txt
    """
    changed = session.client.prompts.set(purpose, wanted_text(text, file))
    if session.as_json:
        session.out.json(changed.to_json())
    else:
        session.out.line(f"{changed.purpose}  customised, version {changed.version}")


@command
def revert_prompt(
    session: Session,
    purpose: Purpose,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Go back to the built-in prompt. On a terminal it asks first."""
    ask(session, f"Use the built-in prompt for {purpose!r} again?", yes)
    session.client.prompts.revert(purpose)
    if session.as_json:
        session.out.json({"purpose": purpose, "done": "reverted"})
    else:
        session.out.line(f"{purpose}  built in again")


prompts.command("list")(list_prompts)
prompts.command("show")(show_prompt)
prompts.command("set")(set_prompt)
prompts.command("revert")(revert_prompt)
