"""One user's session, spoken to over HTTP."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House

SAID = "please send me the contract before the end of november"
Event = tuple[str, str, dict[str, Any]]


@dataclass
class Talk:
    """A session of the meeting's reader."""

    house: House
    meeting: Meeting
    id: str

    @property
    def path(self) -> str:
        return f"/api/chat/sessions/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        return self.house.as_user(self.meeting.user_id)

    async def post(self, place: str, body: dict[str, Any]) -> httpx.Response:
        return await self.house.http.post(self.path + place, json=body, headers=self.headers)

    async def get(self, place: str, **params: Any) -> dict[str, Any]:
        response = await self.house.http.get(self.path + place, params=params, headers=self.headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def read(self) -> dict[str, Any]:
        return await self.get("")

    async def say(self, content: str, **more: Any) -> dict[str, Any]:
        response = await self.post("/messages", {"content": content, **more})
        assert response.status_code == 200, response.text
        return response.json()

    async def events(self, message_id: str, after: str | None = None) -> list[Event]:
        headers = self.headers | ({"Last-Event-ID": after} if after else {})
        response = await self.house.http.get(f"{self.path}/messages/{message_id}/events", headers=headers)
        assert response.status_code == 200, response.text
        return read_events(response.text)

    async def branch(self, message_id: str) -> "Talk":
        response = await self.post("/branch", {"message_id": message_id})
        assert response.status_code == 201, response.text
        return Talk(self.house, self.meeting, response.json()["id"])


async def begin(house: House, meeting: Meeting, **body: Any) -> Talk:
    headers = house.as_user(meeting.user_id)
    response = await house.http.post("/api/chat/sessions", json=body, headers=headers)
    assert response.status_code == 201, response.text
    return Talk(house, meeting, response.json()["id"])


def read_events(text: str) -> list[Event]:
    """Server-sent events as (id, event, data)."""
    found: list[Event] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found
