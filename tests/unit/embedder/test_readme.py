"""The page of the service names what the code has."""

from pathlib import Path

from common.settings import environment_of
from common.topology import SAYS, hearings
from embedder.settings import EmbedderSettings

PAGE = (Path(__file__).parents[3] / "services" / "embedder" / "README.md").read_text()


def test_every_variable_with_its_default() -> None:
    for name, default, description in environment_of(EmbedderSettings):
        shown = f"`{default}`" if default else ""
        assert f"| `{name}` | {shown} | {description} |" in PAGE


def test_everything_that_is_heard_and_said() -> None:
    for message in [*(hearing.message for hearing in hearings("embedder")), *SAYS["embedder"]]:
        assert f"`{message.type.removesuffix('.v1')}`" in PAGE
