"""Reads a Dockerfile and replays its stages in plain folders, where there is no container engine.

`COPY` sees what git knows and `.dockerignore` lets through, nothing else; `RUN` is carried out where it calls uv, with
the stage's own folders in the place of `/`. Other programs (apt-get, useradd) are left out.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction: `flags` are the words that begin with -- (without it), `words` the rest."""

    name: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    text: str

    def flag(self, name: str) -> str | None:
        found = [flag.split("=", 1)[1] for flag in self.flags if flag.startswith(f"{name}=")]
        return found[0] if found else None


@dataclass
class Stage:
    name: str
    base: str
    steps: list[Step] = field(default_factory=list[Step])

    def all(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]


def parse(text: str) -> dict[str, Stage]:
    """Stage name to stage, in order. Raises ValueError for what does not look like a Dockerfile."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for line in _lines(text):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, stage = (re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], rest)).partition(" AS ")
            stages[stage] = Stage(stage, base)
        elif not stages and name == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
        elif stages:
            list(stages.values())[-1].steps.append(_step(name, rest))
        else:
            raise ValueError(f"before the first stage: {line}")
    return stages


def _lines(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(kept)).splitlines()


def _step(name: str, rest: str) -> Step:
    flags: list[str] = []
    while (found := re.match(r"--([\w-]+=\S+)\s+", rest)) and name in ("COPY", "RUN", "HEALTHCHECK"):
        flags.append(found[1])
        rest = rest[found.end() :]
    return Step(name, tuple(flags), tuple(shlex.split(rest)), rest)


def chain(stages: dict[str, Stage], target: str) -> list[Stage]:
    """The stage and those that it is built on, the first one first."""
    found = [stages[target]]
    while found[0].base in stages:
        found.insert(0, stages[found[0].base])
    return found


def environment(stages: dict[str, Stage], target: str) -> dict[str, str]:
    """What ENV sets in the stage."""
    words = [word for stage in chain(stages, target) for step in stage.all("ENV") for word in step.words]
    return dict(word.split("=", 1) for word in words)


def context(root: Path) -> list[str]:
    """The files that are sent to the engine: those that git knows, less what `.dockerignore` takes away."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, text=True).splitlines()
    rules = [rule for rule in _lines((root / ".dockerignore").read_text()) if rule]
    return [name for name in listed if _sent(name, rules) and (root / name).is_file()]


def _sent(name: str, rules: list[str]) -> bool:
    """The last rule that fits decides, for the file or any folder around it."""
    sent = True
    parts = name.split("/")
    places = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for rule in rules:
        pattern = rule.removeprefix("!")
        anywhere = pattern.removeprefix("**/")
        fits = any(fnmatch(place, pattern) for place in places)
        if fits or (anywhere != pattern and any(fnmatch(part, anywhere) for part in parts)):
            sent = rule.startswith("!")
    return sent


@dataclass
class Replay:
    """Stages carried out below `folder`, each once; `uv` is the program's path."""

    root: Path
    folder: Path
    stages: dict[str, Stage]
    uv: str

    def __post_init__(self) -> None:
        self._context = context(self.root)
        self._built: set[str] = set()

    def build(self, target: str) -> Path:
        """The folder that stands for the target's `/`."""
        place = self.folder / target
        if target in self._built:
            return place
        shutil.rmtree(place, ignore_errors=True)
        stage = self.stages[target]
        if stage.base in self.stages:
            shutil.copytree(self.build(stage.base), place, symlinks=True, copy_function=os.link)
        else:
            place.mkdir(parents=True)
        for step in stage.steps:
            if step.name == "COPY":
                self._copy(target, step)
            elif step.name == "RUN" and step.words[0] == "uv":
                self._run(target, step)
        self._built.add(target)
        return place

    def _copy(self, target: str, step: Step) -> None:
        *sources, destination = step.words
        giver = step.flag("from")
        if giver == "uv":
            return
        place = self.folder / target / self._workdir(target).lstrip("/")
        for source in sources:
            into = (place / destination) if not destination.startswith("/") else self.folder / target / destination[1:]
            if giver:
                taken = self.build(giver) / source.lstrip("/")
                shutil.copytree(taken, into, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
            else:
                self._copy_from_context(source, into, whole=destination.endswith("/"))

    def _copy_from_context(self, source: str, into: Path, *, whole: bool) -> None:
        names = [name for name in self._context if name == source or name.startswith(f"{source}/")]
        if not names:
            raise FileNotFoundError(f"COPY {source}: not in the context")
        for name in names:
            inner = name.removeprefix(source).lstrip("/") or (Path(name).name if whole else "")
            there = into / inner if inner else into
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / name, there)

    def _workdir(self, target: str) -> str:
        found = [step.text for stage in chain(self.stages, target) for step in stage.all("WORKDIR")]
        return found[-1] if found else "/"

    def _run(self, target: str, step: Step) -> None:
        given = {mount["target"]: self.build(mount["from"]) for mount in _mounts(step) if mount.get("from") == "wheels"}
        command = self.inside(target, step.text, given)
        words = environment(self.stages, target) | {"UV_COMPILE_BYTECODE": "0", "UV_LINK_MODE": "hardlink"}
        told = {name: self.inside(target, value) for name, value in words.items() if name.startswith("UV_")}
        # How this machine reaches the package index is its own business; which environment is meant is the stage's.
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        path = os.pathsep.join([str(Path(self.uv).parent), "/usr/bin", "/bin"])
        workdir = self.folder / target / self._workdir(target).lstrip("/")
        workdir.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=workdir,
            env=kept | told | {"PATH": path, "UV_PYTHON": os.path.realpath(sys.executable)},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{target}: {step.text}\n{done.stderr[-3000:]}")

    def inside(self, target: str, text: str, given: dict[str, Path] | None = None) -> str:
        """The text with the absolute paths that the stages make replaced by those of the replay."""

        def place(found: re.Match[str]) -> str:
            home = (given or {}).get(f"/{found[1]}", self.folder / target)
            return f"{home}/{found[1]}"

        return re.sub(r"(?<![\w./-])/(opt|wheels|src)\b", place, text)


def _mounts(step: Step) -> list[dict[str, str]]:
    texts = [flag.removeprefix("mount=") for flag in step.flags if flag.startswith("mount=")]
    return [dict(part.split("=", 1) for part in text.split(",")) for text in texts]
