"""Where everything lies below the data folder."""

from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

SERVICES = ("gateway", "fetcher", "asr", "embedder", "chat")
FOLDERS = ("postgres", "rabbitmq", "objects", "models", "scratch", "logs", "run")
DATABASE_MAJOR = 18


@dataclass(frozen=True)
class DataFolder:
    """Paths only; `prepare` makes what is missing and leaves what exists as it is."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "DataFolder":
        return cls(path.expanduser().absolute())

    @property
    def postgres(self) -> Path:
        # By major version: a newer server cannot read an older one's files.
        return self.path / "postgres" / str(DATABASE_MAJOR)

    @property
    def rabbitmq(self) -> Path:
        return self.path / "rabbitmq"

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def lock(self) -> Path:
        return self.run / "lock"

    @property
    def state(self) -> Path:
        return self.run / "state.json"

    @property
    def failure(self) -> Path:
        return self.run / "failure.json"

    @property
    def admin_key(self) -> Path:
        return self.path / "admin.key"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def mark_of(self, service: str) -> Path:
        return self.run / f"{service}.pid"

    def prepare(self) -> None:
        """New folders are for their owner alone; StackError when the place cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in FOLDERS:
                (self.path / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"The data folder {self.path} cannot be used: {error.strerror}.", remedy="Give another one with --data."
            ) from error
