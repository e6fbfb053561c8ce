"""Models that answer questions: which there are, which is the default for what, and one's own keys for providers."""

from earshot.models import AnswerModel, ModelDefault, Page, ProviderKey
from earshot.transport import Transport

PATH = "/api/models"
PURPOSES = ("answer", "chat", "rewrite", "title", "summary")


class AnswerModels:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[AnswerModel]:
        """The first is what the server's settings make the default."""
        return self._transport.fetch(Page[AnswerModel], "GET", PATH).items

    def default(self, purpose: str) -> ModelDefault:
        """`purpose`: answer, chat, rewrite, title or summary."""
        return self._transport.fetch(ModelDefault, "GET", f"{PATH}/defaults/{purpose}")

    def set_default(self, purpose: str, model: str, *, everyone: bool = False) -> ModelDefault:
        """For yourself; for everyone as an administrator."""
        return self._transport.fetch(
            ModelDefault, "PUT", f"{PATH}/defaults/{purpose}", params=_for(everyone), json={"model": model}
        )

    def clear_default(self, purpose: str, *, everyone: bool = False) -> ModelDefault:
        """What is used from now on."""
        return self._transport.fetch(ModelDefault, "DELETE", f"{PATH}/defaults/{purpose}", params=_for(everyone))

    def keys(self) -> list[ProviderKey]:
        """Those that you have given, by their last four characters."""
        return self._transport.fetch(Page[ProviderKey], "GET", f"{PATH}/keys").items

    def set_key(self, provider: str, key: str) -> ProviderKey:
        """Your own questions to this provider are asked with it; it takes the place of an earlier one."""
        return self._transport.fetch(ProviderKey, "PUT", f"{PATH}/keys/{provider}", json={"key": key})

    def delete_key(self, provider: str) -> None:
        self._transport.request("DELETE", f"{PATH}/keys/{provider}")


def _for(everyone: bool) -> dict[str, str]:
    return {"for": "everyone" if everyone else "me"}
