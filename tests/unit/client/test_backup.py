"""What is said after `earshot backup` is a target, unless it is a subcommand; refusals say what to do."""

import json


def test_what_is_no_subcommand_is_the_target(run, tmp_path):
    for words in (("backup", "there"), ("backup", "--full", "there.tar"), ("backup", "take", "there")):
        result = run(*words, "--data", str(tmp_path / "none"))
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: There is no Earshot in {tmp_path / 'none'}.\n"), result.stderr
    assert run("backup", "there", "--bogus").exit_code == 2


def test_what_is_to_be_verified_must_be_there(run, tmp_path):
    result = run("backup", "verify", str(tmp_path / "nothing"), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["detail"] == f"There is no backup at {tmp_path / 'nothing'}."


def test_a_restore_is_told_where_to(run, tmp_path):
    result = run("restore", str(tmp_path))
    assert result.exit_code == 1
    assert "Name a new data folder with --data." in result.stderr
    assert "no finished backup" in run("restore", str(tmp_path), "--data", str(tmp_path / "new")).stderr
    assert list(tmp_path.iterdir()) == []
