"""Links that sign one browser in, once, made by the gateway's own command for a stack that runs."""

import os
import subprocess
import sys

from stack import keys, state
from stack.config import Servers, environments
from stack.errors import StackError
from stack.layout import DataFolder

PATIENCE_SECONDS = 60.0


def sign_in_link(folder: DataFolder) -> str:
    """StackError when nothing runs on the folder, or its database does not answer."""
    found = state.live(folder)
    if found is None:
        raise StackError(f"Nothing runs on {folder.path}.", remedy="earshot up starts it.")
    servers = Servers(found.database_url, found.rabbitmq_url, found.object_store_url)
    secret = keys.load_or_make(folder.secrets)
    environment = environments(folder, servers, secret, found.ports, os.environ)["gateway"]
    done = _ask_gateway(environment)
    if done.returncode != 0:
        raise StackError(f"The gateway makes no link: {done.stderr.strip()[-500:]}")
    return done.stdout.split()[-1]


def _ask_gateway(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.admin", "sign-in-link"]
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"The gateway has made no link within {PATIENCE_SECONDS:.0f} s.", remedy="earshot status shows what runs."
        ) from error
