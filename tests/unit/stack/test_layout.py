"""The data folder: made for its owner alone, left as it is where it exists."""

from pathlib import Path

import pytest
from stack.errors import AlreadyRunning, StackError
from stack.layout import FOLDERS, DataFolder
from stack.state import hold, is_held


def test_new_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path / "a b" / "data")
    folder.prepare()
    assert {path.name for path in folder.path.iterdir()} == set(FOLDERS)
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (folder.path, *folder.path.iterdir()))


def test_modes_of_existing_folders_stay(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "logs").mkdir(parents=True)
    data.chmod(0o755)
    (data / "logs").chmod(0o775)
    DataFolder.at(data).prepare()
    assert data.stat().st_mode & 0o777 == 0o755
    assert (data / "logs").stat().st_mode & 0o777 == 0o775


def test_a_place_that_cannot_be_used_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError) as caught:
        DataFolder.at(tmp_path / "file" / "data").prepare()
    assert "--data" in (caught.value.remedy or "")


def test_one_folder_has_one_supervisor(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.prepare()
    assert not is_held(folder)
    with hold(folder):
        assert is_held(folder)
        with pytest.raises(AlreadyRunning), hold(folder):
            pass
    assert not is_held(folder)
