"""What can go wrong with the stack, said so that a person knows what to do next."""


class StackError(Exception):
    """A plain sentence; `remedy` is what to do about it, when there is something."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class PortTaken(StackError):
    """A port that was asked for explicitly belongs to another process."""


class Missing(StackError):
    """A program that the stack needs is not on this machine."""


class DidNotStart(StackError):
    """A process ended or stayed silent while it was being started."""


class AlreadyRunning(StackError):
    """Another stack holds this data folder."""
