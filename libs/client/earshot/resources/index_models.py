"""Models of the index: what search understands meaning by, and its exchange for another. For administrators."""

from earshot.models import IndexModel, Page
from earshot.transport import Transport

PATH = "/api/admin/models"


class IndexModels:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[IndexModel]:
        """In the order in which they came; there are few."""
        return self._transport.fetch(Page[IndexModel], "GET", PATH).items

    def get(self, model_id: int) -> IndexModel:
        return self._transport.fetch(IndexModel, "GET", f"{PATH}/{model_id}")

    def prepare(self, model: str, *, quantised: bool = False, switch: bool = False) -> IndexModel:
        """Embed all chunks by this model too; search is unchanged until the switch. One that is there is answered."""
        body = {"model": model, "quantised": quantised, "switch": switch}
        return self._transport.fetch(IndexModel, "POST", PATH, json=body)

    def switch(self, model_id: int) -> IndexModel:
        """Search by it from now on. It must be ready: else an error with status 409."""
        return self._transport.fetch(IndexModel, "POST", f"{PATH}/{model_id}/switch")

    def drop(self, model_id: int) -> None:
        """Its vectors go for good."""
        self._transport.request("DELETE", f"{PATH}/{model_id}")
