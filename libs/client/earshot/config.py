"""Where the server and the key come from when the command line does not say."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from earshot.errors import EarshotError
from earshot.transport import LOOPBACK

DEFAULT_URL = "http://localhost:8000"
FOLDER = ".earshot"


@dataclass(frozen=True)
class Connection:
    """A server and the key for it; `data` is the data folder that was consulted, whether or not it gave anything."""

    url: str
    key: str | None
    data: Path


@dataclass(frozen=True)
class Surroundings:
    """What a command finds around it: environment variables and the folder it was started in."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    folder: Path = field(default_factory=Path.cwd)

    def connection(self, url: str | None = None, key: str | None = None, data: Path | None = None) -> Connection:
        """Given values first, then the environment, then what the data folder says."""
        folder = self.data_in_use(data)
        running_at = state_of(folder).get("url")
        asked = url or self.environ.get("EARSHOT_URL")
        server = asked or running_at or DEFAULT_URL
        found = key or self.environ.get("EARSHOT_API_KEY")
        if found is None and (self._data_given(data) or belongs_here(server, running_at)):
            found = read_key(folder)
        return Connection(server.rstrip("/"), found, folder)

    def data_in_use(self, given: Path | None = None) -> Path:
        """The folder of the stack that commands speak to: the nearest that has been started."""
        chosen = self._data_given(given)
        if chosen is not None:
            return chosen
        candidates = [*self._folders_upwards(), *self._home(), *self._remembered()]
        started = [folder for folder in candidates if (folder / "admin.key").is_file()]
        return started[0] if started else self.data_to_start()

    def data_to_start(self, given: Path | None = None) -> Path:
        """The folder that `earshot up` uses: one upwards from here, else the installation's, else a new one here."""
        chosen = self._data_given(given)
        if chosen is not None:
            return chosen
        return next(iter([*self._folders_upwards(), *self._home(), self.folder / FOLDER]))

    def remember(self, data: Path) -> None:
        """Note the data folder in the user's configuration, so that commands find it from any folder."""
        path = self._configuration()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"data": str(data.resolve())}) + "\n", encoding="utf-8")

    def state_folder(self) -> Path:
        """Where the command line keeps what it must remember between two commands."""
        return self._user_folder("XDG_STATE_HOME", ".local/state")

    def _data_given(self, given: Path | None) -> Path | None:
        named = given or self.environ.get("EARSHOT_DATA")
        return (self.folder / Path(named).expanduser()).resolve() if named else None

    def _folders_upwards(self) -> list[Path]:
        here = self.folder.resolve()
        return [folder / FOLDER for folder in (here, *here.parents) if (folder / FOLDER).is_dir()]

    def _home(self) -> list[Path]:
        home = self.environ.get("EARSHOT_HOME")
        return [Path(home).resolve() / FOLDER] if home else []

    def _remembered(self) -> list[Path]:
        data = read_json(self._configuration()).get("data")
        return [Path(data)] if isinstance(data, str) else []

    def _configuration(self) -> Path:
        return self._user_folder("XDG_CONFIG_HOME", ".config") / "config.json"

    def _user_folder(self, variable: str, default: str) -> Path:
        base = self.environ.get(variable) or Path(self.environ.get("HOME") or Path.home()) / default
        return Path(base) / "earshot"


def belongs_here(server: str, running_at: Any) -> bool:
    """A key found on this machine is sent to this machine's own server only, never to another that was named."""
    return server == running_at or urlsplit(server).hostname in LOOPBACK


def state_of(data: Path) -> dict[str, Any]:
    """What the running stack wrote about itself."""
    return read_json(data / "run" / "state.json")


def read_key(data: Path) -> str | None:
    path = data / "admin.key"
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EarshotError(
            f"The key {path} cannot be read: {error.strerror}.",
            advice="Run as the user who started Earshot, or give --key.",
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """An absent or unreadable file says nothing."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}  # pyright: ignore[reportUnknownVariableType]
