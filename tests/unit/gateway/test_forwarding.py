"""The table of routes, and the headers that may pass."""

from pathlib import Path

import pytest
from gateway.forwarding.headers import inward, outward
from gateway.forwarding.table import file_paths, find_openapi, read_table


def raw(**headers: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def test_nobody_names_themselves_and_credentials_stay_outside():
    passed = inward(
        raw(
            Host="here",
            Authorization="Bearer x",
            X_API_Key="x",
            Cookie="earshot_session=x",
            X_Earshot_Identity="forged",
            x_earshot_service="forged",
            X_Forwarded_For="1.2.3.4",
            Forwarded="for=1.2.3.4",
            Range="bytes=0-9",
            Last_Event_ID="7",
            Accept="text/event-stream",
        )
    )
    assert passed == [("range", "bytes=0-9"), ("last-event-id", "7"), ("accept", "text/event-stream")]


def test_headers_of_one_connection_do_not_pass_either_way():
    headers = raw(Connection="close, X-Hop", X_Hop="1", Transfer_Encoding="chunked", Upgrade="h2c", Content_Type="a/b")
    assert inward(headers) == [("content-type", "a/b")]
    assert outward(headers) == [(b"content-type", b"a/b")]


def test_the_answer_keeps_repeated_headers_and_what_ranges_need():
    headers = [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"Content-Range", b"bytes 0-9/20"), (b"Server", b"x")]
    assert outward(headers) == [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"content-range", b"bytes 0-9/20"),
    ]


DOCUMENT = {
    "paths": {
        "/api/own": {"get": {"x-earshot-service": "gateway"}},
        "/api/things/{thing_id}": {"get": {"x-earshot-service": "asr"}},
        "/api/things/special": {"get": {"x-earshot-service": "asr", "security": []}},
        "/api/assets/{asset_id}/media": {
            "get": {"x-earshot-service": "fetcher", "x-earshot-role": "viewer"},
            "delete": {"x-earshot-service": "fetcher", "x-earshot-role": "owner"},
        },
        "/v1/files": {
            "post": {
                "x-earshot-service": "asr",
                "x-earshot-scope": "read",
                "requestBody": {"content": {"multipart/form-data": {}}},
            }
        },
    }
}


def test_the_table_holds_what_others_serve_fixed_paths_first():
    table = read_table(DOCUMENT)
    assert [route.path for route in table] == [
        "/api/things/special",
        "/v1/files",
        "/api/assets/{asset_id}/media",
        "/api/things/{thing_id}",
    ]
    media = table[2].operations
    assert (media["GET"].service, media["GET"].role, media["DELETE"].role) == ("fetcher", "viewer", "owner")
    assert table[0].operations["GET"].public
    assert table[1].operations["POST"].scope == "read"
    assert file_paths(table) == ("/v1/files",)


def test_json_that_holds_files_streams_too():
    post = {"x-earshot-service": "chat", "x-earshot-body": "file", "requestBody": {"content": {"application/json": {}}}}
    small = {"post": post, "get": {"x-earshot-service": "chat"}}
    assert file_paths(read_table({"paths": {"/api/sessions/{id}/messages": small}})) == ("/api/sessions/",)


def test_a_role_that_does_not_exist_is_an_error_at_start():
    with pytest.raises(ValueError, match="unknown role"):
        read_table({"paths": {"/x": {"get": {"x-earshot-service": "asr", "x-earshot-role": "king"}}}})


def test_the_document_is_looked_for_where_the_setting_says(tmp_path: Path):
    assert find_openapi(tmp_path / "absent.yaml") is None
    (tmp_path / "here.yaml").write_text("openapi: 3.1.0\npaths: {}\n")
    assert find_openapi(tmp_path / "here.yaml") == {"openapi": "3.1.0", "paths": {}}
