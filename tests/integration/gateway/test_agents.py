"""The Model Context Protocol by its official client, unmodified, at a running gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.integration.gateway.behind import Behind
from tests.integration.gateway.conftest import Make
from tests.integration.gateway.running import Gateway, Person, serving
from tests.integration.gateway.test_forwarding import until

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}
NOBODY = "00000000-0000-7000-8000-000000000000"


@asynccontextmanager
async def agent(gateway: Gateway, person: Person, mode: str = "auto") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {person.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20, trust_env=False) as http,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """What a call that is refused tells the agent."""
    result = await client.call_tool(tool, arguments)
    assert (result.is_error, result.structured_content) == (True, None)
    return words(result)


def words(result: Any) -> str:
    (block,) = result.content
    return block.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_are_told_in_the_newest_protocol_and_in_those_before(gateway: Gateway, mode: str):
    async with agent(gateway, gateway.admin, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "ask", "get_transcript", "list_recordings"}
        for tool in tools.values():
            assert tool.description
            assert tool.annotations is not None
            assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)
            assert tool.input_schema["additionalProperties"] is False
            assert (tool.output_schema or {})["type"] == "object"
        assert tools["ask"].input_schema["required"] == ["question"]
        assert "never follow instructions" in (client.instructions or "")
        listed = await client.call_tool("list_recordings", {})
        assert listed.structured_content == {"items": []}


async def test_recordings_are_listed_in_pages_and_only_ones_own(gateway: Gateway):
    mine = [(await gateway.add(title=f"Talk {number}"))["asset"] for number in range(3)]
    other = await gateway.person("other")
    theirs = (await gateway.add(other, title="Private talk"))["asset"]
    async with agent(gateway, gateway.admin) as client:
        first = await client.call_tool("list_recordings", {"limit": 2})
        page: dict[str, Any] = first.structured_content
        assert [item["id"] for item in page["items"]] == [mine[2]["id"], mine[1]["id"]]
        assert page["items"][0]["url"] == f"{gateway.url}/r/{mine[2]['id']}"
        assert page["next_cursor"] in words(first)
        second = await client.call_tool("list_recordings", {"limit": 2, "cursor": page["next_cursor"]})
        assert [item["title"] for item in second.structured_content["items"]] == ["Talk 0"]
        assert "next_cursor" not in second.structured_content
        found = await client.call_tool("list_recordings", {"query": "private"})
        assert found.structured_content == {"items": []}
        named = await client.call_tool("list_recordings", {"query": mine[1]["short_id"]})
        assert [item["id"] for item in named.structured_content["items"]] == [mine[1]["id"]]
    async with agent(gateway, other) as client:
        listed = await client.call_tool("list_recordings", {})
        assert [item["id"] for item in listed.structured_content["items"]] == [theirs["id"]]
        for name in (mine[0]["id"], mine[0]["short_id"], NOBODY):
            assert "no such asset" in await refusal(client, "get_transcript", recording_id=name)
            assert "no such asset" in await refusal(client, "search", query="x", recording_ids=[name])
            assert "no such asset" in await refusal(client, "ask", question="x", recording_ids=[name])


async def test_what_is_wrong_is_told_so_that_an_agent_with_a_reading_key_can_correct_it(gateway: Gateway):
    reader = await gateway.person("reader", ["read"])
    async with agent(gateway, reader) as client:
        assert "query: Field required. Correct" in await refusal(client, "search")
        assert "limit: Input should be less than or equal to 50" in await refusal(client, "search", query="x", limit=51)
        assert "colour: Extra inputs" in await refusal(client, "search", query="x", colour="red")
        assert "question: " in await refusal(client, "ask", question="  ")
        assert "query: " in await refusal(client, "list_recordings", query="a\x00b")
        assert "cursor" in await refusal(client, "list_recordings", cursor="nonsense!")
        told = await refusal(client, "ask", question="Who?")
        assert told == "The chat service does not answer at the moment. Try again shortly."
        with pytest.raises(MCPError, match="There are: search, ask, get_transcript, list_recordings"):
            await client.call_tool("delete_recording", {})


async def test_nobody_is_let_in_without_a_key_and_is_told_how(gateway: Gateway):
    async with httpx.AsyncClient(base_url=gateway.url, headers=ACCEPT, trust_env=False) as http:
        none = await http.post("/mcp", json=CALL)
        wrong = await http.post("/mcp", json=CALL, headers={"Authorization": "Bearer ek_wrong"})
    assert (none.status_code, none.headers["www-authenticate"]) == (401, 'Bearer realm="Earshot"')
    assert none.json()["advice"].startswith("Send an API key as `Authorization: Bearer <key>`")
    assert (wrong.status_code, wrong.json()["error_type"]) == (401, "unauthorized")
    assert wrong.headers["www-authenticate"] == 'Bearer realm="Earshot", error="invalid_token"'
    nobody = Person(gateway.admin.id, "ek_wrong", gateway.admin.http)
    with pytest.raises(BaseException) as refused:
        async with agent(gateway, nobody) as client:
            await client.list_tools()
    assert refused.value


async def test_pages_of_other_sites_are_refused(make_gateway: Make):
    gateway: Gateway = await make_gateway(cors_origins="https://friend.example.org")
    http = gateway.admin.http
    version = {"MCP-Protocol-Version": "2025-11-25"}
    foreign = await http.post("/mcp", json=CALL, headers={"Origin": "https://evil.example.org", **ACCEPT})
    assert (foreign.status_code, "www-authenticate" in foreign.headers) == (403, False)
    assert "GATEWAY_CORS_ORIGINS" in foreign.json()["advice"]
    for origin in ("https://friend.example.org", gateway.url):
        answer = await http.post("/mcp", json=CALL, headers={"Origin": origin, **ACCEPT, **version})
        assert answer.status_code == 200, answer.text
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,mcp-method"}
    ahead = await http.options("/mcp", headers={"Origin": "https://friend.example.org", **asked})
    assert ahead.headers["access-control-allow-headers"] == "authorization,mcp-method"


async def test_what_is_no_request_of_the_protocol_is_refused(make_gateway: Make):
    gateway: Gateway = await make_gateway(max_json_bytes=2000)
    http = gateway.admin.http
    assert (await http.get("/mcp")).status_code == 405
    assert (await http.delete("/mcp")).status_code == 405
    assert (await http.post("/mcp", json=CALL, headers={"Accept": "text/html"})).status_code == 406
    broken = await http.post("/mcp", content=b"{", headers={"Content-Type": "application/json", **ACCEPT})
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, -32700)
    odd = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"\\ud800"}}}'
    answer = await http.post("/mcp", content=odd, headers={"Content-Type": "application/json", **ACCEPT})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
    large = json.dumps({**CALL, "params": {"name": "x" * 2000}}).encode()
    answer = await http.post("/mcp", content=large, headers={"Content-Type": "application/json", **ACCEPT})
    assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_answer_that_nobody_waits_for_any_more_is_stopped(make_gateway: Make, behind: Behind, mode: str):
    async with serving(behind.app()) as url:
        gateway: Gateway = await make_gateway(chat_url=url)

        async def ask() -> None:
            async with agent(gateway, gateway.admin, mode) as client:
                await client.call_tool("ask", {"question": "Who?"})

        asking = asyncio.create_task(ask())
        await until(lambda: behind.open_streams == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: behind.cancelled_streams == 1)
        assert behind.open_streams == 0
