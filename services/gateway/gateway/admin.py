"""For the operator on the server itself: the first key, and links that sign a browser in.

python -m gateway.admin ensure-admin-key --write PATH
python -m gateway.admin sign-in-link [--base-url URL] [--email ADDRESS]
"""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.db import Connection, Database
from common.ids import uuid7

from gateway.domain import credentials
from gateway.domain.scopes import SCOPES
from gateway.people import make_user
from gateway.queries import keys, people
from gateway.queries.people import User
from gateway.settings import GatewaySettings

ADMIN_EMAIL = "admin@localhost"


async def ensure_admin_key(settings: GatewaySettings, path: Path) -> bool:
    """Make the administrator, with default collection and key, unless ``path`` holds a key that works.

    Answers whether a key was written; the file has mode 0600.
    """
    database = Database(settings.database_url, size=1)
    await database.open()
    try:
        async with database.transaction() as conn:
            admin = await _admin(conn)
            if await _works(conn, path, settings.pepper):
                return False
            new = credentials.make_key(settings.pepper)
            await keys.add_key(conn, uuid7(), admin.id, "admin.key", new.prefix, new.key_hash, list(SCOPES), None)
            # In place before the commit: a key file without its row is replaced by the next call.
            _write_private(path, new.text + "\n")
        return True
    finally:
        await database.close()


async def sign_in_link(settings: GatewaySettings, base_url: str, email: str) -> str:
    """A link that signs one browser in, once. Raises LookupError when there is no such user."""
    database = Database(settings.database_url, size=1)
    await database.open()
    try:
        async with database.transaction() as conn:
            user = await people.user_by_email(conn, email.lower())
            if user is None:
                raise LookupError(f"there is no user {email}; run ensure-admin-key first")
            token = credentials.make_token()
            expires_at = datetime.now(UTC) + timedelta(minutes=settings.sign_in_link_minutes)
            await people.add_token(conn, "sign_in_links", credentials.token_hash(token), user.id, expires_at)
        return f"{base_url.rstrip('/')}/api/auth/link?token={token}"
    finally:
        await database.close()


async def _admin(conn: Connection) -> User:
    user = await make_user(conn, ADMIN_EMAIL, "Administrator", is_admin=True)
    user = user or await people.user_by_email(conn, ADMIN_EMAIL)
    assert user is not None
    return user


async def _works(conn: Connection, path: Path, pepper: bytes) -> bool:
    text = path.read_text("utf-8").strip() if path.is_file() else ""
    prefix = credentials.prefix_of(text)
    holder = await keys.holder_of(conn, prefix) if prefix else None
    return holder is not None and credentials.same(holder.key_hash, credentials.keyed_hash(pepper, text))


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.admin", description="Keys and sign-in links.")
    commands = parser.add_subparsers(dest="command", required=True)
    ensure = commands.add_parser("ensure-admin-key", help="make the administrator's key, once")
    ensure.add_argument("--write", type=Path, required=True, metavar="PATH", help="file to keep the key in")
    link = commands.add_parser("sign-in-link", help="print a link that signs one browser in, once")
    link.add_argument("--base-url", default="", metavar="URL", help="address of this Earshot")
    link.add_argument("--email", default=ADMIN_EMAIL, help="whom it signs in")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    arguments = _arguments(words)
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue]
    if arguments.command == "ensure-admin-key":
        made = asyncio.run(ensure_admin_key(settings, arguments.write))
        print(f"{arguments.write}: {'written' if made else 'is good'}", file=sys.stderr)  # noqa: T201
        return 0
    base_url = arguments.base_url or settings.public_url or f"http://localhost:{settings.port}"
    try:
        print(asyncio.run(sign_in_link(settings, base_url, arguments.email)))  # noqa: T201
    except LookupError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
