"""Reads a Dockerfile: its stages, and what each instruction says. It knows what deploy/image/Dockerfile uses."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.reference import ROOT

DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Run:
    """RUN: a shell command, and its caches by the folder that they are mounted at."""

    command: str
    caches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY of one path, from the context or from an earlier stage."""

    stage: str | None
    source: str
    target: str


@dataclass(slots=True)
class Stage:
    """One FROM, and what follows it."""

    image: str
    name: str | None
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, Run | Copy]] = field(default_factory=list)
    """With the working folder in which each is carried out."""
    folder: str = "/"
    ports: list[int] = field(default_factory=list)
    user: str | None = None
    stop_signal: str | None = None
    entrypoint: list[str] | None = None
    command: list[str] | None = None


def stages(text: str, arguments: Mapping[str, str] | None = None) -> list[Stage]:
    """The stages of a Dockerfile, with these values of its ARGs in place of their defaults."""
    given = dict(arguments or {})
    outer: dict[str, str] = {}
    inner: dict[str, str] = {}
    found: list[Stage] = []
    for word, rest in _instructions(text):
        match word:
            case "ARG":
                name, _, default = rest.partition("=")
                scope = inner if found else outer
                scope[name] = given.get(name, default or outer.get(name, ""))
            case "FROM":
                image, *named = _substituted(rest, outer).split()
                found.append(Stage(image, named[1] if named else None))
                inner = {}
            case _:
                _apply(found[-1], word, _substituted(rest, inner))
    return found


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """Only ${NAME} of an ARG. A shell's own variables stay as they are."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def _apply(stage: Stage, word: str, rest: str) -> None:  # noqa: C901 one line for each instruction
    match word:
        case "ENV":
            stage.environment |= _pairs(rest)
        case "LABEL":
            stage.labels |= _pairs(rest)
        case "WORKDIR":
            stage.folder = rest
        case "RUN":
            stage.steps.append((stage.folder, _run(rest)))
        case "COPY":
            stage.steps.append((stage.folder, _copy(rest)))
        case "EXPOSE":
            stage.ports = [int(port) for port in rest.split()]
        case "USER":
            stage.user = rest
        case "STOPSIGNAL":
            stage.stop_signal = rest
        case "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        case "CMD":
            stage.command = json.loads(rest)
        case _:
            raise ValueError(f"{word}: this reader does not know it, so the tests would not see what it does")


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(text))


def _run(text: str) -> Run:
    caches = []
    while found := re.match(r"--mount=type=cache,target=(\S+)\s+", text):
        caches.append(found[1])
        text = text[found.end() :]
    if text.startswith(("-", "[")):
        raise ValueError(f"RUN {text}: this reader knows only --mount=type=cache and the shell form")
    return Run(text, tuple(caches))


def _copy(text: str) -> Copy:
    stage = None
    if found := re.match(r"--from=(\S+)\s+", text):
        stage, text = found[1], text[found.end() :]
    source, target = text.split()
    return Copy(stage, source, target)


def is_left_out(path: str, rules: list[str]) -> bool:
    """Whether .dockerignore leaves this file out of the context: the last rule that fits decides."""
    out = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if _fits(path, pattern):
            out = not rule.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    """Whether the pattern names the file or a folder that it is in."""
    regular = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(f"{regular}(?:/.*)?", path) is not None


def context(root: Path) -> Iterator[str]:
    """The files that a build is given, by their paths in the context."""
    rules = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    tops = {rule.removeprefix("!").split("/")[0] for rule in rules if rule.startswith("!")}  # not a walk of .venv
    for top in sorted(tops):
        for file in [root / top, *(root / top).rglob("*")]:
            path = str(file.relative_to(root))
            if file.is_file() and not is_left_out(path, rules):
                yield path
