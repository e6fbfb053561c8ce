"""Downloads from servers that misbehave in every way we know."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from common.addresses import Address, AddressPolicy
from common.errors import CannotProcess, Stale, TryAgain
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fetcher.providers.web.client import Client
from fetcher.providers.web.download import Downloader, Limits, Received
from fetcher.providers.web.network import CheckedNetwork, resolve_by_system
from fetcher.providers.web.partial import Partial

BODY = b"fLaC" + bytes(index * 7 % 256 for index in range(900_000))
OPEN = AddressPolicy((ip_network("127.0.0.1/32"), ip_network("::1/128")))
QUICK = Limits(max_bytes=2_000_000, attempts=3, total_seconds=60, pause_seconds=0.01)
STALL_SECONDS = 0.4


def client(policy: AddressPolicy = OPEN, resolve: Any = resolve_by_system, **more: Any) -> Client:
    return Client(CheckedNetwork(policy, resolve), connect_seconds=2, stall_seconds=STALL_SECONDS, **more)


async def watch(_: Received) -> None:
    return


async def download(url: str, folder: Path, through: Client | None = None, limits: Limits = QUICK) -> bytes:
    partial = Partial(folder)
    await Downloader(through or client(), limits).download(url, partial, watch)
    return partial.path.read_bytes()


async def refused(url: str, folder: Path, through: Client | None = None, limits: Limits = QUICK) -> CannotProcess:
    with pytest.raises(CannotProcess) as caught:
        await download(url, folder, through, limits)
    assert caught.value.message
    assert caught.value.advice
    return caught.value


class TestAddresses:
    async def test_a_closed_address_is_never_connected_to(self, web: Any, tmp_path: Path) -> None:
        error = await refused(web.file("/a", BODY), tmp_path, client(AddressPolicy()))
        assert error.category == "forbidden_address"
        assert "127.0.0.1" not in error.advice
        assert web.requests == []

    @pytest.mark.parametrize(
        "host",
        ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost", "[::ffff:127.0.0.1]", "[::1]",
         "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "[fe80::1]", "10.0.0.1"],
    )  # fmt: skip
    async def test_no_notation_gets_through(self, host: str, web: Any, tmp_path: Path) -> None:
        web.file("/a", BODY)
        error = await refused(web.url("/a", host), tmp_path, client(AddressPolicy()))
        # Numbers that no standard allows are not even taken for a link.
        assert error.category == ("unsupported_url" if host == "0177.0.0.1" else "forbidden_address")
        assert web.requests == []

    async def test_a_redirect_to_a_closed_address(self, web: Any, tmp_path: Path) -> None:
        hidden = web.file("/secret", BODY).replace("127.0.0.1", "127.0.0.2")

        async def redirect(_: Any, reply: Any) -> None:
            await reply.whole(b"", "302 Found", Location=hidden)

        web.routes["/a"] = redirect
        error = await refused(web.url("/a"), tmp_path)
        assert error.category == "forbidden_address"
        assert "redirects" in error.message
        assert [request.target for request in web.requests] == ["/a"]

    async def test_a_name_is_resolved_once_and_the_checked_address_is_used(self, web: Any, tmp_path: Path) -> None:
        """DNS rebinding: the second answer would be an inner address."""
        answers: list[str] = []

        async def rebinding(host: str, port: int) -> list[Address]:
            answers.append("127.0.0.1" if not answers else "127.0.0.2")
            return [ip_address(answers[-1])]

        web.file("/a", BODY)
        through = client(resolve=rebinding)
        assert await download(web.url("/a", "media.example"), tmp_path, through) == BODY
        assert answers == ["127.0.0.1"]
        assert web.requests[0].headers["host"] == f"media.example:{web.port}"

        error = await refused(web.url("/a?again", "media.example"), tmp_path, through)
        assert error.category == "forbidden_address"

    async def test_one_closed_address_among_open_ones(self, web: Any, tmp_path: Path) -> None:
        async def mixed(host: str, port: int) -> list[Address]:
            return [ip_address("127.0.0.1"), ip_address("::ffff:10.0.0.1")]

        web.file("/a", BODY)
        error = await refused(web.url("/a", "media.example"), tmp_path, client(resolve=mixed))
        assert error.category == "forbidden_address"
        assert web.requests == []

    async def test_the_next_address_is_tried(self, web: Any, tmp_path: Path) -> None:
        """Nothing listens on the first one."""

        async def two(host: str, port: int) -> list[Address]:
            return [ip_address("127.0.0.3"), ip_address("127.0.0.1")]

        web.file("/a", BODY)
        through = client(AddressPolicy((ip_network("127.0.0.0/8"),)), two)
        assert await download(web.url("/a", "media.example"), tmp_path, through) == BODY

    async def test_proxies_of_the_environment_are_ignored(
        self, web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert await download(web.file("/a", BODY), tmp_path) == BODY

    async def test_ipv6(self, serve_on: Any, tmp_path: Path) -> None:
        async with serve_on("::1") as web:
            assert await download(web.file("/a", BODY), tmp_path) == BODY

    async def test_unknown_host(self, tmp_path: Path) -> None:
        error = await refused("http://no-such-host.invalid/a.mp3", tmp_path)
        assert error.category == "unreachable"
        assert "no-such-host.invalid" in error.message

    async def test_a_name_service_that_is_away_is_asked_again(self, web: Any, tmp_path: Path) -> None:
        asked: list[str] = []

        async def shaky(host: str, port: int) -> list[Address]:
            asked.append(host)
            if len(asked) < 3:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return [ip_address("127.0.0.1")]

        web.file("/a", BODY)
        assert await download(web.url("/a", "media.example"), tmp_path, client(resolve=shaky)) == BODY
        assert len(asked) == 3

    async def test_nobody_listens(self, web: Any, tmp_path: Path) -> None:
        error = await refused("http://127.0.0.1:9/a.mp3", tmp_path)
        assert (error.category, error.retryable) == ("unreachable", True)


class TestRedirects:
    async def test_a_few_are_followed(self, web: Any, tmp_path: Path) -> None:
        web.file("/end", BODY)

        async def on(request: Any, reply: Any) -> None:
            step = int(request.target[-1])
            await reply.whole(b"", "307 Temporary Redirect", Location="/end" if step == 4 else f"/{step + 1}")

        web.routes |= {f"/{step}": on for step in range(5)}
        assert await download(web.url("/0"), tmp_path) == BODY

    async def test_a_circle_ends(self, web: Any, tmp_path: Path) -> None:
        async def on(_: Any, reply: Any) -> None:
            await reply.whole(b"", "301 Moved", Location="/a")

        web.routes["/a"] = on
        assert (await refused(web.url("/a"), tmp_path)).category == "unreachable"
        assert len(web.requests) == 6

    async def test_other_schemes_are_not_followed(self, web: Any, tmp_path: Path) -> None:
        async def on(_: Any, reply: Any) -> None:
            await reply.whole(b"", "302 Found", Location="file:///etc/passwd")

        web.routes["/a"] = on
        assert (await refused(web.url("/a"), tmp_path)).category == "unsupported_url"


class TestFaults:
    async def test_a_cut_connection_is_resumed_where_it_broke(self, web: Any, tmp_path: Path) -> None:
        async def cut_half_way(request: Any, reply: Any) -> None:
            if "range" in request.headers:
                assert request.headers["if-range"] == '"v1"'
                start = request.first_byte()
                span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
                await reply.whole(BODY[start:], "206 Partial Content", Content_Range=span, ETag='"v1"')
                return
            await reply.head("200 OK", Content_Length=len(BODY), ETag='"v1"')
            await reply.raw(BODY[:400_000])

        web.routes["/a"] = cut_half_way
        assert await download(web.url("/a"), tmp_path) == BODY
        assert [request.first_byte() for request in web.requests] == [0, 400_000]

    async def test_another_process_goes_on(self, web: Any, tmp_path: Path) -> None:
        """The partial file and its note outlive the one who wrote them."""
        url = web.file("/a", BODY)

        async def stop(so_far: Received) -> None:
            if so_far.size_bytes > 300_000:
                raise Stale("killed")

        with pytest.raises(Stale):
            await Downloader(client(), QUICK).download(url, Partial(tmp_path), stop)
        held = Partial(tmp_path).size
        assert 300_000 < held < len(BODY)
        assert await download(url, tmp_path) == BODY
        assert [request.first_byte() for request in web.requests] == [0, held]

        assert await download(url, tmp_path) == BODY
        assert len(web.requests) == 2, "a complete file needs no request"

    async def test_a_file_that_changed_meanwhile_begins_anew(self, web: Any, tmp_path: Path) -> None:
        url = web.file("/a", BODY[:500_000] + b"old", ETag='"old"')

        async def stop(so_far: Received) -> None:
            raise Stale("killed")

        with pytest.raises(Stale):
            await Downloader(client(), QUICK).download(url, Partial(tmp_path), stop)
        web.file("/a", BODY, ETag='"new"')
        assert await download(url, tmp_path) == BODY

    async def test_a_server_that_ignores_ranges_begins_anew(self, web: Any, tmp_path: Path) -> None:
        async def no_ranges(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=len(BODY))
            await reply.raw(BODY if len(web.requests) > 1 else BODY[:400_000])

        web.routes["/a"] = no_ranges
        assert await download(web.url("/a"), tmp_path) == BODY
        assert web.requests[1].first_byte() == 400_000

    async def test_a_server_that_answers_another_range_is_not_believed(self, web: Any, tmp_path: Path) -> None:
        async def wrong_range(request: Any, reply: Any) -> None:
            if "range" in request.headers:
                span = f"bytes 5-{len(BODY) - 1}/{len(BODY)}"
                await reply.whole(BODY[5:], "206 Partial Content", Content_Range=span, ETag='"v1"')
            elif len(web.requests) == 1:
                await reply.head("200 OK", Content_Length=len(BODY), ETag='"v1"')
                await reply.raw(BODY[:400_000])
            else:
                await reply.whole(BODY, ETag='"v1"')

        web.routes["/a"] = wrong_range
        assert await download(web.url("/a"), tmp_path) == BODY

    async def test_always_cut_at_the_same_place(self, web: Any, tmp_path: Path) -> None:
        async def cut(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=len(BODY))
            await reply.raw(BODY[:100_000])

        web.routes["/a"] = cut
        error = await refused(web.url("/a"), tmp_path)
        assert (error.category, error.retryable) == ("unreachable", True)
        assert "cut" in error.message
        assert len(web.requests) == QUICK.attempts

    async def test_cut_in_the_middle_of_chunked_coding(self, web: Any, tmp_path: Path) -> None:
        async def cut(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Transfer_Encoding="chunked")
            await reply.raw(b"186a0\r\n" + BODY[:50_000])

        web.routes["/a"] = cut
        assert (await refused(web.url("/a"), tmp_path)).category == "unreachable"

    async def test_a_server_that_never_answers(self, web: Any, tmp_path: Path) -> None:
        async def stall(_: Any, reply: Any) -> None:
            await reply.stall()

        web.routes["/a"] = stall
        error = await refused(web.url("/a"), tmp_path)
        assert (error.category, error.retryable) == ("timeout", True)
        assert len(web.requests) == QUICK.attempts

    async def test_a_server_that_stalls_half_way(self, web: Any, tmp_path: Path) -> None:
        async def stall(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=len(BODY))
            await reply.raw(BODY[:1000])
            await reply.stall()

        web.routes["/a"] = stall
        assert (await refused(web.url("/a"), tmp_path)).category == "timeout"

    @pytest.mark.parametrize("part", ["headers", "body"])
    async def test_a_server_that_drips(self, part: str, web: Any, tmp_path: Path) -> None:
        """Each byte comes in time, the whole never does."""

        async def drip(_: Any, reply: Any) -> None:
            if part == "body":
                await reply.head("200 OK", Content_Length=len(BODY))
                await reply.raw(b"fLaC")
            else:
                await reply.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                await reply.raw(b"x")
                await asyncio.sleep(STALL_SECONDS / 8)

        web.routes["/a"] = drip
        assert (await refused(web.url("/a"), tmp_path)).category == "timeout"
        assert len(web.requests) == QUICK.attempts

    async def test_progress_forgives_earlier_failures(self, web: Any, tmp_path: Path) -> None:
        """More cuts than attempts, but each attempt brings the download on."""
        step = 300_000

        async def piecewise(request: Any, reply: Any) -> None:
            start = request.first_byte()
            left = len(BODY) - start
            await reply.head(
                "206 Partial Content" if start else "200 OK",
                Content_Length=left,
                ETag='"v1"',
                Content_Range=f"bytes {start}-{len(BODY) - 1}/{len(BODY)}",
            )
            await reply.raw(BODY[start : start + step])

        web.routes["/a"] = piecewise
        assert await download(web.url("/a"), tmp_path, limits=replace(QUICK, attempts=2)) == BODY
        assert len(web.requests) == 4

    async def test_the_time_for_the_whole_ends(self, web: Any, tmp_path: Path) -> None:
        async def endless(_: Any, reply: Any) -> None:
            await reply.head("200 OK")
            while True:
                await reply.raw(bytes(5000))
                await asyncio.sleep(0.02)

        web.routes["/a"] = endless
        error = await refused(web.url("/a"), tmp_path, limits=replace(QUICK, total_seconds=0.5))
        assert (error.category, error.retryable) == ("timeout", False)

    async def test_what_the_watcher_raises_ends_the_download_at_once(self, web: Any, tmp_path: Path) -> None:
        async def stop(so_far: Received) -> None:
            raise Stale("deleted")

        with pytest.raises(Stale):
            await Downloader(client(), QUICK).download(web.file("/a", BODY), Partial(tmp_path), stop)
        assert len(web.requests) == 1


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "category"),
        [("404 Not Found", "not_found"), ("410 Gone", "not_found"), ("401 Unauthorized", "unreachable"),
         ("403 Forbidden", "unreachable"), ("418 Teapot", "unreachable")],
    )  # fmt: skip
    async def test_refusals(self, status: str, category: str, web: Any, tmp_path: Path) -> None:
        async def serve(_: Any, reply: Any) -> None:
            await reply.whole(b"no", status)

        web.routes["/a"] = serve
        error = await refused(web.url("/a"), tmp_path)
        assert error.category == category
        assert status.split()[0] in error.message
        assert len(web.requests) == 1

    @pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "503 Service Unavailable"])
    async def test_trouble_of_the_server_is_waited_for(self, status: str, web: Any, tmp_path: Path) -> None:
        async def serve(_: Any, reply: Any) -> None:
            await reply.whole(b"later", status)

        web.routes["/a"] = serve
        with pytest.raises(TryAgain) as caught:
            await download(web.url("/a"), tmp_path)
        assert caught.value.attempts <= 3
        assert len(web.requests) == QUICK.attempts

    async def test_a_short_trouble_is_not_even_noticed(self, web: Any, tmp_path: Path) -> None:
        good = web.file("/good", BODY)

        async def serve(request: Any, reply: Any) -> None:
            if len(web.requests) < 3:
                await reply.whole(b"later", "503 Service Unavailable")
            else:
                await web.routes["/good"](request, reply)

        web.routes["/a"] = serve
        assert await download(good.replace("/good", "/a"), tmp_path) == BODY

    async def test_a_page_instead_of_the_file(self, web: Any, tmp_path: Path) -> None:
        url = web.file("/a.mp3", b"<!doctype html><html>Sign in" + bytes(5000), Content_Type="text/html")
        error = await refused(url, tmp_path)
        assert error.category == "not_media"
        assert "web page" in error.message
        assert "direct link" in error.advice

    async def test_an_archive_is_refused_at_its_first_bytes(self, web: Any, tmp_path: Path) -> None:
        async def endless_archive(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=10**6)
            await reply.raw(b"PK\x03\x04" + bytes(4000))
            await reply.stall()

        web.routes["/a"] = endless_archive
        assert (await refused(web.url("/a"), tmp_path)).category == "archive"

    async def test_an_empty_file(self, web: Any, tmp_path: Path) -> None:
        assert (await refused(web.file("/a", b""), tmp_path)).category == "empty"

    async def test_too_large_by_its_own_word(self, web: Any, tmp_path: Path) -> None:
        async def boast(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=QUICK.max_bytes + 1)
            await reply.stall()

        web.routes["/a"] = boast
        assert (await refused(web.url("/a"), tmp_path)).category == "too_large"

    async def test_too_large_without_saying_so(self, web: Any, tmp_path: Path) -> None:
        async def pour(_: Any, reply: Any) -> None:
            await reply.head("200 OK")
            while True:
                await reply.raw(BODY)

        web.routes["/a"] = pour
        assert (await refused(web.url("/a"), tmp_path)).category == "too_large"
        assert Partial(tmp_path).size < QUICK.max_bytes + 100_000

    async def test_a_length_that_is_too_short_ends_the_file_there(self, web: Any, tmp_path: Path) -> None:
        async def lie(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=1000, Connection="close")
            await reply.raw(BODY)

        web.routes["/a"] = lie
        assert await download(web.url("/a"), tmp_path) == BODY[:1000]

    async def test_packed_answers_are_refused(self, web: Any, tmp_path: Path) -> None:
        url = web.file("/a", BODY, Content_Encoding="gzip")
        assert (await refused(url, tmp_path)).category == "unsupported"
        assert web.requests[0].headers["accept-encoding"] == "identity"

    async def test_nonsense_instead_of_http(self, web: Any, tmp_path: Path) -> None:
        async def nonsense(_: Any, reply: Any) -> None:
            await reply.raw(b"SSH-2.0-OpenSSH\r\n\r\n")

        web.routes["/a"] = nonsense
        assert (await refused(web.url("/a"), tmp_path)).category == "unreachable"


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """Contexts for a server called ``name`` and for a client that trusts it."""

    def make(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        signed = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = tmp_path / "server.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(pem)
        trusting = ssl.create_default_context(cafile=str(pem))
        return server, trusting

    return make


class TestTls:
    async def test_name_and_certificate_stay_those_of_the_link(
        self, serve_on: Any, certificate: Any, tmp_path: Path
    ) -> None:
        server, trusting = certificate("media.example")
        asked: list[str] = []
        server.sni_callback = lambda _sock, name, _context: asked.append(name)

        async def resolve(host: str, port: int) -> list[Address]:
            return [ip_address("127.0.0.1")]

        async with serve_on("127.0.0.1", ssl=server) as web:
            web.file("/a", BODY)
            through = client(resolve=resolve, tls=trusting)
            assert await download(web.url("/a", "media.example"), tmp_path, through) == BODY
            assert asked == ["media.example"]
            assert web.requests[0].headers["host"] == f"media.example:{web.port}"

            error = await refused(web.url("/a", "other.example"), tmp_path, through)
            assert (error.category, "certificate" in error.message) == ("unreachable", True)

    async def test_strangers_certificates_are_not_trusted(
        self, serve_on: Any, certificate: Any, tmp_path: Path
    ) -> None:
        server, _ = certificate("localhost")
        async with serve_on("127.0.0.1", ssl=server) as web:
            url = web.file("/a", BODY).replace("127.0.0.1", "localhost")
            error = await refused(
                url, tmp_path, client(AddressPolicy((ip_network("127.0.0.0/8"), ip_network("::1/128"))))
            )
            assert "certificate" in error.message
