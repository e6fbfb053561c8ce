"""Each service installs alone in a clean environment, imports, and brings no torch."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "fetcher", "asr", "embedder", "chat")
# The system's, else the one that `make setup` keeps beside the checkout.
UV = shutil.which("uv") or shutil.which(ROOT / ".venv-tools" / "bin" / "uv")


def sync(tmp_path: Path, *arguments: str) -> Path:
    """A clean environment from the committed lock; answers its python."""
    assert UV is not None, "uv is needed: run make setup"
    environment = tmp_path / "venv"
    subprocess.run(
        [UV, "sync", "--frozen", "--no-dev", "--quiet", "--project", str(ROOT), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "UV_PROJECT_ENVIRONMENT": str(environment)},
        check=True,
        timeout=280,
    )
    return environment / "bin" / "python"


def run(python: Path, code: str) -> str:
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_alone(tmp_path: Path, service: str) -> None:
    python = sync(tmp_path, "--package", f"earshot-{service}")
    others = [name for name in SERVICES if name != service]
    code = f"""
import importlib.util as u
import {service}.main
assert u.find_spec("torch") is None, "torch is here"
print([name for name in {others} if u.find_spec(name)])
"""
    assert run(python, code).strip() == "[]"


def test_the_default_install_has_no_torch(tmp_path: Path) -> None:
    python = sync(tmp_path)
    code = """
import importlib.util as u, sys
import gateway.main, fetcher.main, asr.main, embedder.main, chat.main, stack.commands, earshot
assert u.find_spec("torch") is None and "torch" not in sys.modules
print("fine")
"""
    assert run(python, code).strip() == "fine"


@pytest.mark.parametrize("service", SERVICES)
def test_a_wheel_carries_its_migrations(tmp_path: Path, service: str) -> None:
    assert UV is not None
    command = [UV, "build", "--quiet", "--wheel", "--package", f"earshot-{service}", "--out-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith(f"{service}/migrations/versions/0001") for name in names)
    assert (f"{service}/openapi.yaml" in names) == (service == "gateway")


def test_the_lock_names_only_the_public_index() -> None:
    lock = (ROOT / "uv.lock").read_text()
    hosts = {part.split("/")[0] for part in lock.split("https://")[1:]}
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    assert "http://" not in lock
