"""Tables of commands: for people on a terminal, one record a line where they are piped."""

import importlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ops.commands import config
from ops.dead_letters import command as dead_letters
from ops.definitions import command as definitions
from ops.definitions.command import ApplyOptions
from ops.doctor import command as doctor
from ops.init import command as init
from ops.lineage import command as lineage
from ops.output import print_table, printable, remark
from ops.reference import ROOT
from ops.titles import command as titles
from schemas.documents import DEAD_LETTERS, TITLES
from serving.dead_letters.store import Chosen
from tests.ops.running import Output, use
from tests.real import place
from tests.servers import Servers

LONG = "a cell that is longer than any terminal is wide, " * 10
HOSTILE = "two\nlines\tand \x1b[2J, \u202efdp.exe, [bold]"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_piped_table_is_one_record_a_line(capsys: Output) -> None:
    """Nothing is cut off, nothing is wrapped, and the cells are apart by a tab."""
    print_table(("name", "detail"), [("a", LONG), ("b", HOSTILE), ("c", "")])
    names, *lines = capsys.readouterr().out.splitlines()
    assert "name\tdetail" == names
    escaped = r"two\nlines\tand \x1b[2J, \u202efdp.exe, [bold]"
    assert [["a", LONG], ["b", escaped], ["c", ""]] == [line.split("\t") for line in lines]


def test_a_piped_table_without_records_is_its_names(capsys: Output) -> None:
    print_table(("name", "detail"), [])
    assert "name\tdetail\n" == capsys.readouterr().out


def test_a_table_on_a_terminal_is_folded_and_can_not_control_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in a name stays text."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", shown := Terminal())
    print_table(("name", "detail"), [("a", LONG), ("b", HOSTILE)])
    lines = shown.getvalue().splitlines()
    assert len(lines) > 10
    assert not any(character in shown.getvalue() for character in "\t\u202e│┃┏")
    assert "\x1b[2J" not in shown.getvalue()
    assert "[bold]" in shown.getvalue()


def test_what_scripts_and_emoji_need_is_printed_as_it_is() -> None:
    for text in ("Subiu de nível", "क्\u200dष", "👩\u200d🚀", "日本\u3000語", "\u00a0"):
        assert text == printable(text)


def test_a_remark_beside_a_piped_table_is_no_record(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    remark("3 of 5")
    assert ("", "3 of 5\n") == capsys.readouterr()
    monkeypatch.setattr("sys.stdout", shown := Terminal())
    remark("3 of 5")
    assert "3 of 5\n" == shown.getvalue()


def modules_with_tables() -> list[ModuleType]:
    """Those that print one."""
    files = [file for file in (ROOT / "ops").rglob("*.py") if "print_table(" in file.read_text()]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files if file.name != "output.py"]
    return [importlib.import_module(name) for name in sorted(names)]


def test_no_other_module_draws_tables() -> None:
    """Or it would have to be piped well too."""
    drawing = [file for file in (ROOT / "ops").rglob("*.py") if "rich.table" in file.read_text()]
    assert [ROOT / "ops" / "output.py"] == drawing


async def test_every_table_is_one_record_a_line_where_it_is_piped(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Of every command that prints one, with cells that a client has chosen."""
    printed: dict[str, list[str]] = {}

    def spied(name: str) -> Any:  # noqa: ANN401 a function as print_table is one
        def spy(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
            capsys.readouterr()
            print_table(columns, rows)
            lines = capsys.readouterr().out.splitlines()
            assert 1 + len(rows) == len(lines), name
            assert {len(columns)} == {len(line.split("\t")) for line in lines}, name
            printed.setdefault(name, []).append("\n".join(lines))

        return spy

    for module in modules_with_tables():
        monkeypatch.setattr(module, "print_table", spied(module.__name__), raising=False)
    monkeypatch.setattr("ops.output.print_table", spied(config.__name__))  # config imports it when it runs
    names = f"{{en: '{LONG}'}}"
    (tmp_path / "events.yaml").write_text(f"app: demo\ndefinitions: [{{id: A, names: {names}}}]")
    async with place(servers) as where:
        use(where.settings, tmp_path, monkeypatch)
        now = datetime.now(UTC)
        await where.database[TITLES].insert_one({"_id": f"demo/{HOSTILE}", "from": "r1/00/0", "by": "demo/~x"})
        letter: dict[str, Any] = {
            "_id": "r1/00/7",
            "value": b"x",
            "headers": [],
            "key": None,
            "reason": HOSTILE + LONG,
            "at": now,
        }
        await where.database[DEAD_LETTERS].insert_one(letter)
        await init.init(as_json=False)
        await doctor.doctor(as_json=False)
        await lineage.show(as_json=False)
        await dead_letters.show_list(Chosen(), as_json=False)
        await definitions.apply(tmp_path / "events.yaml", ApplyOptions(), as_json=False)
        await definitions.show_list("demo", as_json=False)
        await titles.show_list("demo", 24, as_json=False)
        await config.show(as_json=False)
    assert {module.__name__ for module in modules_with_tables()} == set(printed)
    assert 2 == len(printed[definitions.__name__]), "the changes and the list"
    assert LONG.strip() in printed[definitions.__name__][1]
    assert "\\x1b[2J" in printed[dead_letters.__name__][0]
    assert "\\x1b[2J" in printed[titles.__name__][0]
