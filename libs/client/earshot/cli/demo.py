"""`demo`: a recording with known answers through a stack of its own, checked."""

import os
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from earshot.cli.session import Session, command
from earshot.cli.stack import stack_commands
from earshot.demo.reference import QUESTIONS, RECORDING, demo_folder, read_reference
from earshot.demo.run import run_demo
from earshot.errors import EarshotError


@command
def demo(
    session: Session,
    recording: Annotated[Path | None, typer.Option(help="Another recording in its place.")] = None,
    questions: Annotated[Path | None, typer.Option(help="Other questions, with the places of their answers.")] = None,
) -> None:
    """Run the demo: start a private stack, transcribe, search, ask six questions, stop.

    Exit code 0 only if every answer cites the place where it is said, and the unanswerable question is refused.
    """
    chosen = recording or demo_folder(os.environ) / RECORDING
    if not chosen.is_file():
        raise EarshotError(f"There is no file {chosen}.")
    reference = read_reference(questions or demo_folder(os.environ) / QUESTIONS)
    commands = stack_commands()
    port: int = import_module("stack.ports").private(1)[0]
    checks, times = run_demo(session.out, commands, port, chosen, reference)
    if session.as_json:
        session.out.json({"checks": [asdict(check) for check in checks], "seconds": asdict(times)})
    if not all(check.passed for check in checks):
        failed = sum(not check.passed for check in checks)
        raise EarshotError(f"{failed} of {len(checks)} checks failed.")
