"""Keys, sessions and one-time links: who gets in, and who does not any more."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from gateway.admin import ensure_admin_key, main, sign_in_link

from tests.integration.gateway.running import Gateway


async def test_the_admin_key_is_made_once_and_kept_private(gateway: Gateway, tmp_path: Path):
    path = tmp_path / "keys" / "admin.key"
    path.parent.mkdir()
    assert await ensure_admin_key(gateway.settings, path)
    key = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not await ensure_admin_key(gateway.settings, path)
    assert path.read_text() == key
    assert [entry.name for entry in path.parent.iterdir()] == ["admin.key"]
    path.write_text("esk_0123456789_" + "a" * 43)
    assert await ensure_admin_key(gateway.settings, path)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        answer = await http.get("/api/auth/me", headers={"X-API-Key": path.read_text().strip()})
    assert answer.json()["is_admin"]


async def test_wrong_keys_and_no_keys_get_401_in_the_common_shape(gateway: Gateway):
    wrong = [
        "nonsense",
        "esk_0123456789_" + "a" * 43,
        gateway.admin.key[:-1] + ("_" if gateway.admin.key[-1] != "_" else "-"),
        gateway.admin.key + "x",
    ]
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        for headers in ({}, *({"Authorization": f"Bearer {key}"} for key in wrong)):
            answer = await http.get("/api/assets", headers=headers)
            body = answer.json()
            assert answer.status_code == 401
            assert set(body) == {"detail", "status_code", "error_type", "advice", "errors", "request_id"}
            assert (body["status_code"], body["error_type"]) == (401, "unauthorized")
            assert body["advice"]
            assert body["request_id"] == answer.headers["x-request-id"]


async def test_guessing_keys_is_slowed_down(make_gateway: Any):
    gateway = await make_gateway(bad_keys_per_minute=5)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        answers = [await http.get("/api/assets", headers={"X-API-Key": "wrong"}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await gateway.admin.http.get("/api/assets")).status_code == 200


async def test_a_caller_who_asks_too_much_waits(make_gateway: Any):
    gateway = await make_gateway(requests_per_second=0.5, request_burst=4)
    codes = [(await gateway.admin.http.get("/api/auth/me")).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


async def test_scopes_limit_what_a_key_may_do(gateway: Gateway):
    reader = await gateway.person("reader", ["read"])
    assert (await reader.http.get("/api/assets")).status_code == 200
    refused = await reader.http.post("/api/collections", json={"name": "x"})
    assert (refused.status_code, refused.json()["error_type"]) == (403, "forbidden")
    assert (await reader.http.post("/api/ws/ticket")).status_code == 201
    writer = await gateway.person("writer")
    assert (await writer.http.post("/api/collections", json={"name": "x"})).status_code == 201
    assert (await writer.http.get("/api/users")).status_code == 403
    wider = await writer.http.post("/api/keys", json={"name": "x", "scopes": ["admin"]})
    assert wider.status_code == 403
    for_other = await writer.http.post(f"/api/users/{gateway.admin.id}/keys", json={"name": "x"})
    assert for_other.status_code == 403
    too_much = await gateway.admin.http.post(f"/api/users/{writer.id}/keys", json={"name": "x", "scopes": ["admin"]})
    assert too_much.status_code == 422
    nobody = await gateway.admin.http.post(f"/api/users/{uuid4()}/keys", json={"name": "x"})
    assert nobody.status_code == 404


async def test_keys_are_shown_once_listed_without_secret_and_revoked(gateway: Gateway):
    made = (await gateway.admin.http.post("/api/keys", json={"name": "mine", "scopes": ["read"]})).json()
    listed = (await gateway.admin.http.get("/api/keys")).json()["items"]
    assert {key["name"] for key in listed} == {"mine", "admin.key"}
    assert all("key" not in key and "key_hash" not in key for key in listed)
    assert made["prefix"] in made["key"]
    headers = {"Authorization": f"Bearer {made['key']}"}
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, headers=headers) as http:
        assert (await http.get("/api/auth/me")).json()["scopes"] == ["read"]
        assert (await gateway.admin.http.delete(f"/api/keys/{made['id']}")).status_code == 204
        assert (await http.get("/api/auth/me")).status_code == 401
    assert (await gateway.admin.http.delete(f"/api/keys/{made['id']}")).status_code == 404


async def test_nobody_revokes_somebody_elses_key(gateway: Gateway):
    other = await gateway.person("other")
    mine = (await gateway.admin.http.get("/api/keys")).json()["items"][0]["id"]
    assert (await other.http.delete(f"/api/keys/{mine}")).status_code == 404


async def test_an_expired_key_is_no_key(gateway: Gateway):
    past = {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}
    assert (await gateway.admin.http.post("/api/keys", json=past)).status_code == 422
    person = await gateway.person("brief")
    async with gateway.db.acquire() as conn:
        await conn.execute("UPDATE api_keys SET expires_at = now() WHERE user_id = $1", person.id)
    assert (await person.http.get("/api/auth/me")).status_code == 401


async def test_a_link_signs_in_once_and_the_cookie_is_careful(gateway: Gateway):
    link = await sign_in_link(gateway.settings, gateway.url, "admin@localhost")
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as browser:
        assert (await browser.get("/api/auth/status")).json() == {"signed_in": False, "user": None}
        assert (await browser.head(link)).status_code == 405
        answer = await browser.get(link + "&next=/r/abc?t=1")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/r/abc?t=1"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert (await browser.get("/api/auth/status")).json()["user"]["email"] == "admin@localhost"
        assert (await browser.get("/api/assets")).status_code == 200
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as second:
        again = await second.get(link)
        assert again.status_code == 401
        assert "set-cookie" not in again.headers


async def test_a_link_leads_nowhere_else(gateway: Gateway):
    for place in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        link = await sign_in_link(gateway.settings, gateway.url, "admin@localhost")
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(link + f"&next={place}")
        assert answer.headers["location"] == "/"


@asynccontextmanager
async def browser_of(gateway: Gateway) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as browser:
        await browser.get(await sign_in_link(gateway.settings, gateway.url, "admin@localhost"))
        yield browser


async def test_a_write_with_the_cookie_must_come_from_our_own_pages(gateway: Gateway):
    async with browser_of(gateway) as browser:
        for origin in (None, "null", "https://evil.example", gateway.url + ".evil.example"):
            headers = {"Origin": origin} if origin else {}
            answer = await browser.post("/api/collections", json={"name": "x"}, headers=headers)
            assert (answer.status_code, answer.json()["error_type"]) == (403, "forbidden")
        own = await browser.post("/api/collections", json={"name": "x"}, headers={"Origin": gateway.url})
        assert own.status_code == 201
        forwarded = await browser.post("/api/echo", headers={"Origin": "https://evil.example"})
        assert forwarded.status_code == 403
    # A key is not sent by a browser on its own: it needs no Origin.
    assert (await gateway.admin.http.post("/api/collections", json={"name": "x"})).status_code == 201


async def test_signing_out_ends_the_session_for_good(gateway: Gateway):
    async with browser_of(gateway) as browser:
        cookies = dict(browser.cookies)
        answer = await browser.post("/api/auth/logout", headers={"Origin": gateway.url})
        assert answer.status_code == 204
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, cookies=cookies) as copied:
            assert (await copied.get("/api/auth/me")).status_code == 401


async def test_an_expired_link_session_or_ticket_is_none(gateway: Gateway):
    link = await sign_in_link(gateway.settings, gateway.url, "admin@localhost")
    async with browser_of(gateway) as browser:
        async with gateway.db.acquire() as conn:
            await conn.execute("UPDATE sessions SET expires_at = now()")
            await conn.execute("UPDATE sign_in_links SET expires_at = now()")
        assert (await browser.get("/api/auth/me")).status_code == 401
        assert (await browser.get(link)).status_code == 401


def printed_link(capsys: Any) -> str:
    """The one address; the gateway of this process may have logged something beside it."""
    (link,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("http")]
    return link


async def test_the_command_prints_a_link_that_works(gateway: Gateway, monkeypatch: Any, capsys: Any):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", gateway.settings.database_url)
    monkeypatch.setenv("GATEWAY_KEY_SECRET", "k" * 40)
    monkeypatch.setitem(os.environ, "GATEWAY_PORT", "8123")
    # main() runs its own event loop, so it runs in a thread of its own here.
    assert await asyncio.to_thread(main, ["sign-in-link"]) == 0
    assert printed_link(capsys).startswith("http://localhost:8123/api/auth/link?token=")
    assert await asyncio.to_thread(main, ["sign-in-link", "--base-url", gateway.url]) == 0
    link = printed_link(capsys)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link)).status_code == 303
    assert await asyncio.to_thread(main, ["sign-in-link", "--email", "nobody@example.org"]) == 1
