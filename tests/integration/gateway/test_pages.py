"""Pages: plain, strict about what may run in them, and deaf to markup in titles."""

import re
from base64 import b64encode
from hashlib import sha256, sha384

import httpx
import pytest
from gateway.admin import sign_in_link

from tests.integration.gateway.running import Gateway

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
async def browser(gateway: Gateway):
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, follow_redirects=True) as http:
        await http.get(await sign_in_link(gateway.settings, gateway.url, "admin@localhost"))
        yield http


def is_strict(page: httpx.Response) -> bool:
    policy = page.headers["content-security-policy"]
    return "script-src 'self';" in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


async def test_a_stranger_learns_what_this_is_and_nothing_else(gateway: Gateway):
    asset = (await gateway.add(title="Secret plans"))["asset"]
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        home = await http.get("/")
        assert (home.status_code, is_strict(home)) == (200, True)
        assert "Secret plans" not in home.text
        page = await http.get(f"/r/{asset['id']}")
        assert (page.status_code, is_strict(page)) == (401, True)
        assert "Secret plans" not in page.text


async def test_the_home_page_lists_recordings_and_escapes_their_titles(gateway: Gateway, browser: httpx.AsyncClient):
    asset = (await gateway.add(title=EVIL))["asset"]
    for path in ("/", f"/r/{asset['id']}"):
        page = await browser.get(path)
        assert (page.status_code, is_strict(page)) == (200, True)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
    assert f'href="/r/{asset["id"]}"' in (await browser.get("/")).text


async def test_a_recordings_page_begins_at_the_second_of_its_address(gateway: Gateway, browser: httpx.AsyncClient):
    asset = (await gateway.add())["asset"]
    page = await browser.get(f"/r/{asset['short_id']}?t=83.2")
    assert f'src="/api/recordings/{asset["id"]}/media"' in page.text
    assert 'data-start="83.2"' in page.text
    for odd in ("-1", "nan", "inf", "x", '"><script>'):
        assert 'data-start="0.0"' in (await browser.get(f"/r/{asset['id']}", params={"t": odd})).text


async def test_foreign_and_unknown_recordings_look_the_same(gateway: Gateway, browser: httpx.AsyncClient):
    other = await gateway.person("other")
    foreign = (await gateway.add(other))["asset"]["id"]
    pages = [await browser.get(f"/r/{name}") for name in (foreign, "00000000-0000-7000-8000-000000000000", "x")]
    assert [page.status_code for page in pages] == [404, 404, 404]
    assert pages[0].text == pages[1].text


async def test_the_api_description_and_its_viewers_need_no_other_host(gateway: Gateway):
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        document = (await http.get("/openapi.json")).json()
        assert "/api/recordings/{asset_id}/media" in document["paths"]
        for viewer in ("/docs", "/redoc"):
            page = await http.get(viewer)
            assert page.status_code == 200
            assert "http://" not in page.text
            assert "https://" not in page.text
        for file in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"):
            assert (await http.get(f"/static/api/{file}")).status_code == 200
        for file in ("earshot.css", "icon.svg", "recording.js", "session.js", "api.js"):
            assert (await http.get(f"/static/{file}")).status_code == 200
        assert (await http.get("/static/../main.py")).status_code == 404
        assert (await http.get("/static/%2e%2e/%2e%2e/main.py")).status_code == 404


async def test_health_is_public(gateway: Gateway):
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        alive = await http.get("/api/health")
        assert (alive.status_code, alive.json()["status"]) == (200, "ok")
        assert alive.json()["version"]
        report = await http.get("/api/health/ready")
        assert (report.status_code, report.json()["status"]) == (503, "not ready")
        assert report.json()["services"]["asr"] == {"ready": False, "checks": {"reachable": False}}
        assert report.json()["store"]["ready"]
        assert "earshot_gateway_refused_requests_total" in (await http.get("/metrics")).text


async def test_the_chat_page_names_its_bundle_by_content_and_checksum(gateway: Gateway, browser: httpx.AsyncClient):
    page = await browser.get("/ag-ui")
    assert (page.status_code, is_strict(page)) == (200, True)
    assert page.headers["cache-control"] == "no-store"
    files = re.findall(r'(?:src|href)="(/ag-ui/assets/[^"]+)" integrity="sha384-([^"]+)"', page.text)
    assert [path.rsplit(".", 1)[1] for path, _ in files] == ["css", "js"]
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as stranger:
        assert (await stranger.get("/ag-ui")).status_code == 401
        for path, checksum in files:
            file = await stranger.get(path)
            assert b64encode(sha384(file.content).digest()).decode() == checksum
            assert sha256(file.content).hexdigest()[:16] in path
            assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert file.headers["content-type"] in ("text/css; charset=utf-8", "text/javascript; charset=utf-8")
            for known in (file.headers["etag"], f'"other", W/{file.headers["etag"]}', "*"):
                again = await stranger.get(path, headers={"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", file.headers["etag"])
            assert (await stranger.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
        for other in ("manifest.json", "chat-0000000000000000.js", "%2e%2e%2fbundle.py"):
            assert (await stranger.get(f"/ag-ui/assets/{other}")).status_code == 404
