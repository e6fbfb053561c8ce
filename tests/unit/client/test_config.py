import json

import pytest
from earshot.config import Surroundings


def stack(folder, key="admin-1", url="http://localhost:8123"):
    (folder / "run").mkdir(parents=True)
    (folder / "run/state.json").write_text(json.dumps({"phase": "ready", "url": url}))
    (folder / "admin.key").write_text(key + "\n")
    return folder


@pytest.fixture
def around(tmp_path):
    """Surroundings in a project folder, with environment variables by name."""

    def make(**environ):
        here = tmp_path / "project/deep"
        here.mkdir(parents=True, exist_ok=True)
        return Surroundings({"HOME": str(tmp_path / "home"), **environ}, here)

    return make


def test_nothing_is_known(around):
    connection = around().connection()
    assert (connection.url, connection.key) == ("http://localhost:8000", None)


def test_the_data_folder_is_searched_upwards(around, tmp_path):
    stack(tmp_path / "project/.earshot")
    connection = around().connection()
    assert (connection.url, connection.key) == ("http://localhost:8123", "admin-1")


def test_given_beats_environment_beats_data_folder(around, tmp_path):
    stack(tmp_path / "project/.earshot")
    environ = {"EARSHOT_URL": "http://env:1", "EARSHOT_API_KEY": "env"}
    assert around(**environ).connection("http://given:2/", "given").url == "http://given:2"
    assert around(**environ).connection("http://given:2", "given").key == "given"
    assert around(**environ).connection().url == "http://env:1"
    assert around(**environ).connection().key == "env"


def test_named_data_folder(around, tmp_path):
    stack(tmp_path / "project/.earshot")
    stack(tmp_path / "other", key="admin-2")
    stack(tmp_path / "third", key="admin-3")
    surroundings = around(EARSHOT_DATA=str(tmp_path / "other"))
    assert surroundings.connection().key == "admin-2"
    assert surroundings.connection(data=tmp_path / "third").key == "admin-3"


def test_installation_then_what_was_remembered(around, tmp_path):
    remembered = stack(tmp_path / "remembered", key="remembered")
    around().remember(remembered)
    assert around().connection().key == "remembered"
    home = tmp_path / "checkout with space"
    assert around(EARSHOT_HOME=str(home)).connection().key == "remembered"
    stack(home / ".earshot", key="checkout")
    assert around(EARSHOT_HOME=str(home)).connection().key == "checkout"


def test_where_a_new_stack_goes(around, tmp_path):
    around().remember(stack(tmp_path / "remembered"))
    home = tmp_path / "checkout"
    assert around().data_to_start() == tmp_path / "project/deep/.earshot"
    assert around(EARSHOT_HOME=str(home)).data_to_start() == home / ".earshot"
    (tmp_path / "project/.earshot").mkdir()
    assert around(EARSHOT_HOME=str(home)).data_to_start() == tmp_path / "project/.earshot"


def test_a_found_key_is_never_sent_to_another_server(around, tmp_path):
    stack(tmp_path / "project/.earshot")
    assert around().connection("https://elsewhere.example").key is None
    assert around(EARSHOT_URL="https://elsewhere.example").connection().key is None
    assert around().connection("http://127.0.0.1:8123").key == "admin-1"
    named = tmp_path / "project/.earshot"
    assert around().connection("https://elsewhere.example", data=named).key == "admin-1"


def test_torn_files_say_nothing(around, tmp_path):
    folder = stack(tmp_path / "project/.earshot")
    (folder / "run/state.json").write_text("{")
    (folder / "admin.key").write_text("")
    assert around().connection().url == "http://localhost:8000"
    assert around().connection().key is None


def test_user_folders(around, tmp_path):
    assert around().state_folder() == tmp_path / "home/.local/state/earshot"
    assert around(XDG_STATE_HOME="/x").state_folder().as_posix() == "/x/earshot"
