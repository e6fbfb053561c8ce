import pytest
from earshot import EarshotError
from earshot.resolve import resolve_asset, resolve_collection


@pytest.fixture
def library(server, sample):
    """Two pages: three titles, one of them twice."""
    assets = [sample.asset(1), sample.asset(2, title="Plan"), sample.asset(3, title="plan"), sample.asset(4)]
    first, second = {"items": assets[:2], "next_cursor": "c"}, {"items": assets[2:], "next_cursor": None}

    def page(request, body):
        from starlette.responses import JSONResponse

        return JSONResponse(second if request.query_params.get("cursor") else first)

    server.on("GET", "/api/assets", page)
    server.on("GET", f"/api/assets/{assets[3]['id']}", assets[3])
    return assets


@pytest.mark.parametrize(
    ("text", "number"), [("short004", 4), ("SHORT004", 4), ("Talk 4", 4), ("talk 1", 1), ("@last", 1)]
)
def test_short_id_title_and_last(library, client, text, number):
    assert resolve_asset(client, text).id == library[number - 1]["id"]


def test_a_full_id_is_asked_for_directly(library, client, server):
    assert resolve_asset(client, library[3]["id"]).title == "Talk 4"
    assert [asked.path for asked in server.asked] == [f"/api/assets/{library[3]['id']}"]


def test_a_title_of_two(library, client):
    with pytest.raises(EarshotError, match="2 assets") as caught:
        resolve_asset(client, "PLAN")
    assert "short002, short003" in (caught.value.advice or "")


def test_nothing_of_that_name(library, client):
    with pytest.raises(EarshotError, match="Nothing is called 'Tal'"):
        resolve_asset(client, "Tal")


def test_last_of_nothing(server, client):
    server.on("GET", "/api/assets", {"items": [], "next_cursor": None})
    with pytest.raises(EarshotError, match="nothing here yet"):
        resolve_asset(client, "@last")


def test_collections_by_name(server, client):
    items = [{"id": "c1", "name": "Talks"}, {"id": "c2", "name": "Notes"}]
    server.on("GET", "/api/collections", {"items": items, "next_cursor": None})
    assert resolve_collection(client, "notes").id == "c2"
    with pytest.raises(EarshotError) as caught:
        resolve_collection(client, "Plans")
    assert "earshot collections create" in (caught.value.advice or "")
