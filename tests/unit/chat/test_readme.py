"""The page of the service names what the code has."""

from pathlib import Path

from chat.settings import ChatSettings
from common.settings import environment_of
from common.topology import SAYS, hearings

PAGE = (Path(__file__).parents[3] / "services" / "chat" / "README.md").read_text()


def test_every_variable_with_its_default() -> None:
    for name, default, description in environment_of(ChatSettings):
        shown = f"`{default}`" if default else ""
        assert f"| `{name}` | {shown} | {description} |" in PAGE


def test_everything_that_is_heard_and_said() -> None:
    for message in [*(hearing.message for hearing in hearings("chat")), *SAYS["chat"]]:
        assert f"`{message.type.removesuffix('.v1')}`" in PAGE
