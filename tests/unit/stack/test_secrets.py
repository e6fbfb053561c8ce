"""The file of passwords and keys."""

import json
from pathlib import Path

import pytest
from stack import keys
from stack.errors import StackError


def test_keys_are_made_once_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = keys.load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.load_or_make(path) == made
    assert keys.make() != made


def test_a_damaged_file_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"postgres": "x"}))
    with pytest.raises(StackError, match="cannot be read"):
        keys.load_or_make(path)
    assert json.loads(path.read_text()) == {"postgres": "x"}
