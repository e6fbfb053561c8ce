"""The files at the root: Makefile, launcher, set-up script, CI."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LISTED = (
    "help setup setup-npm setup-peers setup-whisperx demo run test check lint types imports drift bench faults schemas "
    "dashboards clean down"
)
TARGETS = set(LISTED.split())
TOOLS = (
    "bash",
    "sh",
    "cat",
    "dirname",
    "mktemp",
    "rm",
    "tail",
    "tr",
    "id",
    "awk",
    "readlink",
    "env",
    "cmp",
    "cp",
    "head",
)


def run(*words: str, cwd: Path = ROOT, path: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": path or os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C", **more}
    return subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Path, str]:
    """A checkout with a space in its path on a machine that has nothing but a shell."""
    checkout, tools = tmp_path / "my checkout", tmp_path / "bin"
    (checkout / "scripts").mkdir(parents=True)
    for script in ("setup.sh", "setup-npm.sh"):
        shutil.copy(ROOT / "scripts" / script, checkout / "scripts")
    shutil.copy(ROOT / "earshot", checkout)
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    return checkout, str(tools)


def test_help_lists_every_target_and_every_target_exists() -> None:
    listed = set(re.findall(r"^  make ([\w-]+)", run("make", "help").stdout, re.MULTILINE))
    assert listed == TARGETS
    for target in sorted(TARGETS):
        planned = run("make", "--dry-run", target)
        assert planned.returncode == 0, planned.stderr


def test_check_runs_everything_that_ci_runs() -> None:
    planned = run("make", "--dry-run", "check").stdout
    for command in ("ruff check", "ruff format --check", "pyright", "lint-imports", "schemas --check", "test.sh"):
        assert command in planned
    assert "make check" in (ROOT / ".ci" / "run").read_text()


SCRIPTS = [
    "scripts/setup.sh",
    "scripts/setup-npm.sh",
    "scripts/setup-peers.sh",
    "scripts/setup-whisperx.sh",
    "scripts/test.sh",
    ".ci/run",
    "earshot",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_run_and_parse(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    shell = "sh" if script == "earshot" else "bash"
    assert run(shell, "-n", script).returncode == 0


def test_the_launcher_without_an_environment_says_what_to_do(bare: tuple[Path, str]) -> None:
    checkout, tools = bare
    said = run(str(checkout / "earshot"), "status", cwd=Path("/"), path=tools)
    assert said.returncode == 1
    assert f"make -C '{checkout}' setup" in said.stderr


def test_the_launcher_works_from_any_folder_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "ear"
    link.symlink_to(ROOT / "earshot")
    said = run(str(link), "--help", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "transcript" in said.stdout


def test_setup_says_once_and_plainly_what_cannot_be_had(bare: tuple[Path, str]) -> None:
    checkout, tools = bare
    said = run(str(checkout / "scripts" / "setup.sh"), cwd=Path("/"), path=tools)
    assert said.returncode == 1
    assert said.stdout.count("ffmpeg is missing") == 1
    assert said.stdout.count("The Python packages could not be installed") == 1
    for way in ("package", "Docker"):
        assert way in said.stdout
    assert [path.name for path in sorted(checkout.iterdir())] == ["earshot", "scripts"]


def test_node_clients_are_installed_once_and_fail_nothing_where_they_cannot_be(bare: tuple[Path, str]) -> None:
    checkout, tools = bare
    folder = checkout / "tests" / "npm"
    folder.mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")

    def install(**environ: str) -> str:
        said = run(str(checkout / "scripts" / "setup-npm.sh"), cwd=Path("/"), path=tools, **environ)
        assert (said.returncode, said.stderr) == (0, "")
        return said.stdout

    assert "apt-get install nodejs npm" in install()
    _script(Path(tools) / "node", "exit 0")
    # What broke off is not taken for whole.
    _script(Path(tools) / "npm", "echo no route to the registry; /bin/mkdir node_modules; exit 1")
    assert "no route to the registry" in install()
    assert not (folder / "node_modules").exists()
    _script(Path(tools) / "npm", '[ "$1" = ci ] && /bin/mkdir -p node_modules && echo "$*" >>asked')
    for _ in range(2):
        assert "Installing" in install()
        assert [install(), install(EARSHOT_NPM="/elsewhere")] == ["", ""]
        (folder / "package-lock.json").write_text('{"other": "versions"}')
    assert len((folder / "asked").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("given", "plain", "torch"),
    [
        (["tests/unit/asr"], "tests/unit/asr", None),
        (["tests/whisperx/test_x.py::test_y", "-x"], None, "tests/whisperx/test_x.py::test_y -x"),
        (["tests/unit", "tests/whisperx"], "tests/unit", "tests/whisperx"),
    ],
)
def test_tests_that_need_torch_run_in_an_environment_of_their_own(
    tmp_path: Path, given: list[str], plain: str | None, torch: str | None
) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    _script(tmp_path / "scripts" / "setup-whisperx.sh", 'echo "made .venv-whisperx"')
    _script(tmp_path / "scripts" / "setup-npm.sh", 'echo "made tests/npm/node_modules"')
    for environment in (".venv", ".venv-whisperx"):
        # Status 5: nothing was selected there.
        _script(tmp_path / environment / "bin" / "pytest", f'echo "{environment}: $*"; [ $# -lt 2 ] || exit 5')
    said = run(str(tmp_path / "scripts" / "test.sh"), *given, cwd=tmp_path)
    first = [] if plain is None else ["made tests/npm/node_modules", f".venv: {plain}"]
    second = [] if torch is None else ["made .venv-whisperx", f".venv-whisperx: {torch}"]
    assert said.stdout.splitlines() == first + second
    assert said.returncode == 0


SLOW = "tests/integration/common tests/integration/gateway tests/integration/stack tests/e2e tests/faults"


@pytest.mark.parametrize("given", [[], ["tests"], ["-k", "words or demo"], ["tests/", "-x"]])
def test_all_tests_run_in_two_lanes_that_leave_nothing_out(tmp_path: Path, given: list[str]) -> None:
    options = "".join(f" {word}" for word in given if not word.startswith("tests"))
    said = run_lanes(tmp_path, given, plain='echo ".venv: $*"', torch='echo ".venv-whisperx: $*"')
    assert said.stdout.splitlines() == [
        "made tests/npm/node_modules",
        f".venv: tests {' '.join(f'--ignore={folder}' for folder in SLOW.split())}{options}",
        "made .venv-whisperx",
        f".venv-whisperx: tests/whisperx{options}",
        f"Beside these ran {SLOW}:",
        f".venv: {SLOW}{options}",
    ]
    assert said.returncode == 0
    assert all((ROOT / folder).is_dir() for folder in SLOW.split())


IN_SLOW_LANE = 'case "$*" in tests/integration/common*) '


@pytest.mark.parametrize(
    ("plain", "torch", "status"),
    [
        ("exit 0", "exit 0", 0),
        ("exit 1", "exit 0", 1),
        ("exit 0", "exit 1", 1),
        (IN_SLOW_LANE + "exit 1 ;; esac", "exit 0", 1),
        # Nothing selected: right in a lane that the options leave empty, wrong when nobody chose.
        (IN_SLOW_LANE + "exit 5 ;; esac", "exit 0", 1),
        (IN_SLOW_LANE + "kill -9 $$ ;; esac", "exit 0", 1),
    ],
)
def test_a_test_that_fails_in_any_lane_fails_the_run(tmp_path: Path, plain: str, torch: str, status: int) -> None:
    said = run_lanes(tmp_path, [], plain, torch)
    assert f"Beside these ran {SLOW}:" in said.stdout
    assert bool(said.returncode) == bool(status)


def test_options_that_select_nothing_in_a_lane_are_no_failure(tmp_path: Path) -> None:
    assert run_lanes(tmp_path, ["-k", "words"], plain="exit 5", torch="exit 0").returncode == 0


def test_bytecode_is_kept_also_where_the_environment_forbids_it(tmp_path: Path) -> None:
    tell = 'echo "forbidden: $PYTHONDONTWRITEBYTECODE"'
    said = run_lanes(tmp_path, [], plain=tell, torch=tell, PYTHONDONTWRITEBYTECODE="1")
    assert [line for line in said.stdout.splitlines() if line.startswith("forbidden")] == ["forbidden: "] * 3


def run_lanes(
    tmp_path: Path, given: list[str], plain: str, torch: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """The script of `make test` with these in the place of pytest, without and with torch."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    _script(tmp_path / "scripts" / "setup-whisperx.sh", 'echo "made .venv-whisperx"')
    _script(tmp_path / "scripts" / "setup-npm.sh", 'echo "made tests/npm/node_modules"')
    _script(tmp_path / ".venv" / "bin" / "pytest", plain)
    _script(tmp_path / ".venv-whisperx" / "bin" / "pytest", torch)
    return run(str(tmp_path / "scripts" / "test.sh"), *given, cwd=tmp_path, **environ)


def _script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
