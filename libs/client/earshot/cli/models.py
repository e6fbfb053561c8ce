"""`models`: what answers questions, which model is the default for what, and one's own keys for their providers."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import AnswerModel, ModelDefault, ProviderKey
from earshot.resources.answer_models import PURPOSES

models = typer.Typer(no_args_is_help=True, help="Models that answer: list, choose a default, give keys of your own.")

Purpose = Annotated[str | None, typer.Argument(metavar="PURPOSE", help=f"{', '.join(PURPOSES)}; without one, all.")]
Name = Annotated[str | None, typer.Argument(metavar="MODEL", help="As `earshot models list` names it.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="Of the whole installation, as an administrator.")]
Clear = Annotated[bool, typer.Option("--clear", help="Take the default back.")]
Provider = Annotated[str | None, typer.Argument(metavar="PROVIDER", help="As `earshot models list` names it.")]
Remove = Annotated[bool, typer.Option("--remove", help="Remove your key for it.")]


@command
def list_models(session: Session) -> None:
    """List the models that a question may name."""
    found = session.client.models.all()
    if session.as_json:
        session.out.json({"items": [model.to_json() for model in found]})
        return
    rows: list[list[str | Text]] = [row_of(model) for model in found]
    session.out.table(("PROVIDER", "WINDOW", "CAN", "DEFAULT FOR", "MODEL"), rows)
    for provider in dict.fromkeys(model.provider for model in found if not model.usable):
        session.out.note(f"{provider} wants a key of your own: earshot models keys {provider}")


def row_of(model: AnswerModel) -> list[str | Text]:
    abilities = {
        "vision": model.vision,
        "pdf": model.pdf,
        "tools": model.tools,
        "json": model.json_output,
        "own key": model.own_key,
    }
    can = ", ".join(name for name, there in abilities.items() if there)
    window = f"{model.context_tokens:,}" if model.context_tokens else "–"
    name = model.name if model.usable else Text(model.name, style="dim")
    return [model.provider, window, can or "–", ", ".join(model.default_for) or "–", name]


@command
def default(
    session: Session, purpose: Purpose = None, model: Name = None, everyone: Everyone = False, clear: Clear = False
) -> None:
    """Show or set the model that is used where a question names none.

    Examples:

        earshot models default

        earshot models default answer gpt-4.1

        earshot models default chat --clear
    """
    check_purpose(purpose, model, clear)
    api = session.client.models
    if purpose is None:
        show_defaults(session, [api.default(one) for one in PURPOSES])
    elif clear:
        show_defaults(session, [api.clear_default(purpose, everyone=everyone)])
    elif model is not None:
        show_defaults(session, [api.set_default(purpose, model, everyone=everyone)])
    else:
        show_defaults(session, [api.default(purpose)])


def check_purpose(purpose: str | None, model: str | None, clear: bool) -> None:
    if purpose is not None and purpose not in PURPOSES:
        raise EarshotError(f"There is no purpose {purpose!r}.", advice=f"One of {', '.join(PURPOSES)}.")
    if clear and (purpose is None or model is not None):
        raise EarshotError("--clear wants a purpose and no model.", advice="earshot models default answer --clear")


def show_defaults(session: Session, found: list[ModelDefault]) -> None:
    if session.as_json:
        session.out.json({"items": [one.to_json() for one in found]})
        return
    rows = [[one.purpose, one.own or "–", one.installation or "–", one.model] for one in found]
    session.out.table(("PURPOSE", "YOURS", "EVERYONE'S", "USED"), rows)


@command
def keys(session: Session, provider: Provider = None, remove: Remove = False) -> None:
    """List your own keys for providers; with a provider, give or exchange the one for it.

    The key is asked for, or read from standard input: it stands in no history and no list of processes. Only its last
    four characters are ever shown again, and only your own questions are asked with it.

    Examples:

        earshot models keys anthropic < key.txt

        earshot models keys anthropic --remove
    """
    api = session.client.models
    if provider is None:
        if remove:
            raise EarshotError("Which one?", advice="earshot models keys PROVIDER --remove")
        show_keys(session, api.keys())
    elif remove:
        api.delete_key(provider)
        show_keys(session, api.keys())
    else:
        show_keys(session, [api.set_key(provider, read_key(provider))])


def read_key(provider: str) -> str:
    asked = typer.prompt(f"Key for {provider}", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    key = str(asked).strip()
    if not key:
        raise EarshotError("No key was given.", advice=f"earshot models keys {provider} < key.txt")
    return key


def show_keys(session: Session, found: list[ProviderKey]) -> None:
    if session.as_json:
        session.out.json({"items": [key.to_json() for key in found]})
        return
    rows = [[key.provider, f"…{key.last_four}", f"{key.set_at:%Y-%m-%d %H:%M}"] for key in found]
    session.out.table(("PROVIDER", "KEY", "SINCE"), rows)


models.command("list")(list_models)
models.command("default")(default)
models.command("keys")(keys)
