"""The log events of the code: read from the calls that write them, and from the imports of the three processes.

- `log.warning("name", key=value)` is an event, where the module has `log = structlog.get_logger()`.
- A function that logs the name in its first parameter (`not_checked(event, ...)`), or a class that logs a name with a
  fixed end (`Outage("kafka")` logs f"{server}_lost"), is a helper: each call of it with a literal is an event.
- Every other use of a logger is reported without a name, because the list would miss its events.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

# The modules of the processes, and what starts them all.
PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "ingress": ("ingress.server", "ops.logs"),
    "worker": ("consumer.server", "ops.logs"),
    "console": ("console.server", "ops.logs"),
    "canary": ("ops.canary.server", "ops.logs"),
}


class Call(NamedTuple):
    """A call that writes an event. Without a name if the name can't be read from the code."""

    place: str
    module: str
    level: str
    name: str | None
    keys: frozenset[str]


class Helper(NamedTuple):
    """A function or class that writes events for its callers. Their literal replaces the {} of `pattern`."""

    name: str
    pattern: str
    level: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event, of all its calls."""

    name: str
    levels: tuple[str, ...]
    processes: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A file of the code."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def place(self, node: ast.expr) -> str:
        return f"{self.path}:{node.lineno}"


def modules_of(root: Path, packages: Sequence[str]) -> list[Module]:
    """All modules of these packages."""
    found = []
    for file in sorted(file for package in packages for file in (root / package).rglob("*.py")):
        path = file.relative_to(root)
        text = file.read_text()
        found.append(Module(".".join(path.with_suffix("").parts), path, text, ast.parse(text)))
    return found


def events_of(modules: Sequence[Module], calls: Sequence[Call]) -> list[Event]:
    """Each event once, by name."""
    imported = {process: _imported(modules, entries) for process, entries in PROCESSES.items()}
    by_name: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.name is not None:
            by_name[call.name].append(call)
    return [
        Event(
            name,
            tuple(sorted({call.level for call in found})),
            tuple(process for process in PROCESSES if any(call.module in imported[process] for call in found)),
            tuple(sorted({key for call in found for key in call.keys})),
        )
        for name, found in sorted(by_name.items())
    ]


def calls_of(modules: Sequence[Module]) -> list[Call]:
    """Every call that writes an event."""
    found, helpers = [], []
    for module in (one for one in modules if "structlog" in one.text):
        for node, inside in _logger_uses(module):
            call = _direct(module, node)
            if call.name is None and (helper := _helper(node, inside)):
                helpers.append(helper)
            else:
                found.append(call)
    for module in (one for one in modules if any(helper.name in one.text for helper in helpers)):
        found += _through_helpers(module, helpers)
    return found


Parent = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _logger_uses(module: Module) -> Iterator[tuple[ast.expr, tuple[Parent, ...]]]:
    """Calls of the logger's methods, and whatever else is done with a logger; each with the definitions around it."""
    is_logging = any(_names_logger(statement) for statement in module.tree.body)

    def walk(node: ast.AST, inside: tuple[Parent, ...]) -> Iterator[tuple[ast.expr, tuple[Parent, ...]]]:
        if _names_logger(node):
            return
        if isinstance(node, ast.Call) and is_logging and _is_log(getattr(node.func, "value", None)):
            yield node, inside
            children: Sequence[ast.AST] = (*node.args, *node.keywords)
        else:
            if isinstance(node, ast.expr) and ((is_logging and _is_log(node)) or _makes_logger(node)):
                yield node, inside
            children = tuple(ast.iter_child_nodes(node))
        for child in children:
            yield from walk(child, (node, *inside) if isinstance(node, Parent) else inside)

    return walk(module.tree, ())


def _is_log(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "log" and isinstance(node.ctx, ast.Load)


def _names_logger(node: ast.AST) -> bool:
    """Whether it is `log = structlog.get_logger()`."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and _makes_logger(node.value.func)
        and ([ast.unparse(target) for target in node.targets] == ["log"])
    )


def _makes_logger(node: ast.expr) -> bool:
    return _last_name(node) == "get_logger"


def _last_name(node: ast.expr) -> str:
    """Of `a.b.name` and of `name`; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _direct(module: Module, node: ast.expr) -> Call:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return Call(module.place(node), module.name, "", None, frozenset())
    return Call(module.place(node), module.name, node.func.attr, _first_text(node), _keys(node))


def _first_text(node: ast.Call) -> str | None:
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _keys(node: ast.Call) -> frozenset[str]:
    return frozenset("exception" if one.arg == "exc_info" else one.arg for one in node.keywords if one.arg)


def _helper(node: ast.expr, inside: Sequence[Parent]) -> Helper | None:
    """Of `log.warning(event)` the function that has this parameter; of `log.info(f"{...}_back")` the class."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return None
    level, keys = node.func.attr, _keys(node)
    match node.args[0]:
        case ast.Name(id=name):
            for one in inside:
                if (
                    isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
                    and one.args.args
                    and one.args.args[0].arg == name
                ):
                    return Helper(one.name, "{}", level, keys)
        case ast.JoinedStr(values=[ast.FormattedValue(), ast.Constant(value=str(end))]):
            for one in inside:
                if isinstance(one, ast.ClassDef):
                    return Helper(one.name, "{}" + end, level, keys)
    return None


def _through_helpers(module: Module, helpers: Sequence[Helper]) -> Iterator[Call]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            for helper in helpers:
                if helper.name == _last_name(node.func):
                    text = _first_text(node)
                    name = helper.pattern.format(text) if text is not None else None
                    # A helper function passes its keys on. The arguments of a class are no keys.
                    keys = helper.keys if helper.name[0].isupper() else helper.keys | _keys(node)
                    yield Call(module.place(node), module.name, helper.level, name, keys)


def _imported(modules: Sequence[Module], entries: Sequence[str]) -> set[str]:
    """The modules that these import, directly or not."""
    by_name = {module.name: module for module in modules}
    found: set[str] = set()
    todo = list(entries)
    while todo:
        name = todo.pop()
        if name in by_name and name not in found:
            found.add(name)
            for node in ast.walk(by_name[name].tree):
                if isinstance(node, ast.Import):
                    todo += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
