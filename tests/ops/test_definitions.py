"""A definitions file: what is wrong in it, and what applying it changes."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from ops.definitions import BadDefinitions, Change, DeclaredEvent, DefinitionsFile, changes, read_file
from ops.local.paths import DEMO_DEFINITIONS
from schemas.documents import Definition, utc
from tests.samples import NOW

THEN = utc(NOW)
LATER = THEN + timedelta(hours=1)

AS_YAML = """
app: demo
default_language: en
definitions:
  - id: LEVEL_UP
    names: {en: Level up, pt-BR: Subiu de nível 🏆}
    visibility: HIDDEN
    children: [BOSS]
  - {id: BOSS, names: {en: Boss}}
"""
AS_DATA = {
    "app": "demo",
    "default_language": "en",
    "definitions": [
        {
            "id": "LEVEL_UP",
            "names": {"en": "Level up", "pt-BR": "Subiu de nível 🏆"},
            "visibility": "HIDDEN",
            "children": ["BOSS"],
        },
        {"id": "BOSS", "names": {"en": "Boss"}},
    ],
}


def file_of(*ids: str, name: str = "x") -> DefinitionsFile:
    return DefinitionsFile(app="demo", definitions=tuple(DeclaredEvent(id=i, names={"en": name}) for i in ids))


def stand(found: list[Change]) -> dict[str, Definition]:
    """What stands in MongoDB after the changes."""
    return {change.definition.definition_id: change.definition for change in found}


def kinds(found: list[Change]) -> dict[str, str]:
    return {change.definition.definition_id: change.kind for change in found}


def problems(folder: Path, document: object) -> tuple[str, ...]:
    path = folder / "definitions.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadDefinitions) as caught:
        read_file(path)
    return caught.value.problems


def declared(**changed: object) -> dict[str, object]:
    return {"app": "demo", "definitions": [{"id": "A", "names": {"en": "x"}, **changed}]}


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    """Tabs and surrogate pairs are JSON; YAML knows neither."""
    (tmp_path / "a.yaml").write_text(AS_YAML)
    (tmp_path / "a.json").write_text(json.dumps(AS_DATA, indent="\t"))
    assert read_file(tmp_path / "a.json") == read_file(tmp_path / "a.yaml")
    assert "Subiu de nível 🏆" == read_file(tmp_path / "a.yaml").definitions[0].names["pt-BR"]


def test_norwegian_is_no_boolean(tmp_path: Path) -> None:
    """YAML 1.1 reads `no`, `yes` and `on` as such; here nothing is one."""
    path = tmp_path / "a.yaml"
    path.write_text("{app: demo, default_language: no, definitions: [{id: A, names: {no: Ja, en: yes, nl: on}}]}")
    file = read_file(path)
    assert ("no", {"no": "Ja", "en": "yes", "nl": "on"}) == (file.default_language, dict(file.definitions[0].names))


@pytest.mark.parametrize(("default", "tag"), [("he", "iw"), ("zh-CN", "zh-Hans"), ("pt-br", "pt-BR"), ("nb", "no")])
def test_g19_a_name_in_the_default_language_may_have_another_tag(tmp_path: Path, default: str, tag: str) -> None:
    """One that means the same; but not one in another script."""
    file = {"app": "demo", "default_language": default, "definitions": [{"id": "A", "names": {tag: "x"}}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(file))
    assert {tag: "x"} == dict(read_file(path).definitions[0].names)
    wrong = file | {"default_language": "zh-TW"}
    assert "A has no name in the default language zh-TW" in problems(tmp_path, wrong)[0]


def test_the_demo_app_declares_what_the_welcome_records() -> None:
    """The curl line that `up` prints counts something."""
    assert "LEVEL_UP" in [event.id for event in read_file(DEMO_DEFINITIONS).definitions]


def test_the_demo_app_shows_what_a_definition_can_be() -> None:
    """Three languages each, a hidden one, one with children, one that is not grouped."""
    events = read_file(DEMO_DEFINITIONS).definitions
    assert {("en", "hi", "pt-BR")} == {tuple(sorted(event.names)) for event in events}
    assert {"REVEALED", "HIDDEN"} == {event.visibility for event in events}
    assert {"grouped", "plain"} == {event.format for event in events}
    assert ["BOSS_DEFEATED"] == [child for event in events for child in event.children]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"definitions": []}, "app"),
        ({**declared(), "app": "de/mo"}, "app"),
        ({**declared(), "default_language": "not a language"}, "default_language"),
        ({**declared(), "nmaes": 1}, "nmaes"),
        (declared(id="LEVEL UP"), "definitions[0].id"),
        (declared(names={}), "definitions[0].names"),
        (declared(names={"en": ""}), "definitions[0].names.en"),
        (declared(visibility="SECRET"), "definitions[0].visibility"),
        (declared(children=["a/b"]), "definitions[0].children[0]"),
        (declared(colour="red"), "definitions[0].colour"),
        (declared(format="¤0"), "definitions[0].format"),
        (declared(format=7), "definitions[0].format"),
        (declared(image_url="no address"), "definitions[0].image_url"),
        (["no", "mapping"], "file"),
        (None, "file"),
    ],
)
def test_a_problem_names_its_field(tmp_path: Path, document: object, field: str) -> None:
    """As a path that can be found in the file."""
    (problem,) = problems(tmp_path, document)
    assert field == problem.partition(":")[0]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Two wrong events are two sentences."""
    wrong = {"app": "demo", "definitions": [{"id": "a b", "names": {"en": "x"}}, {"id": "B", "names": {}}]}
    names = [problem.partition(":")[0] for problem in problems(tmp_path, wrong)]
    assert ["definitions[0].id", "definitions[1].names"] == names


def test_a_file_must_agree_with_itself(tmp_path: Path) -> None:
    """An id twice, a child that is nowhere, no name in the default language: all three in one sentence."""
    event = {"id": "A", "names": {"pt": "x"}, "children": ["NOBODY"]}
    (problem,) = problems(tmp_path, {"app": "demo", "definitions": [event, event]})
    for words in ("A is declared twice", "no name in the default language en", "child NOBODY is not declared"):
        assert words in problem


@pytest.mark.parametrize("content", [b"{unclosed: [", b"\xff\xfe\x00"])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    """Neither broken YAML nor bytes that are no text end in a traceback."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(BadDefinitions, match=r"broken\.yaml"):
        read_file(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder is no file either."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(BadDefinitions, match=str(path)):
            read_file(path)


def test_a_new_event_is_declared_from_now_on() -> None:
    """Records received before count as NOT_FOUND for it (G12)."""
    (change,) = changes(file_of("A"), {}, THEN)
    assert "declared" == change.kind
    assert (False, True) == tuple(change.definition.in_force(THEN + timedelta(seconds=s)) for s in (-1, 0))


def test_the_same_file_again_changes_nothing() -> None:
    """So `apply` may run at every deployment."""
    first = changes(file_of("A", "B"), {}, THEN)
    assert [Change(change.definition, "kept") for change in first] == changes(file_of("A", "B"), stand(first), LATER)


def test_a_changed_text_leaves_the_time_of_declaration() -> None:
    """What was recorded under the old name stays in force."""
    existing = stand(changes(file_of("A"), {}, THEN))
    (change,) = changes(file_of("A", name="y"), existing, LATER)
    assert ("changed", THEN, "y") == (change.kind, change.definition.declared_at, change.definition.names["en"])


def test_an_event_that_is_gone_is_retired_once() -> None:
    """Never removed: a record of before is judged by its own time."""
    existing: Mapping[str, Definition] = stand(changes(file_of("A", "B"), {}, THEN))
    found = changes(file_of("B"), existing, LATER)
    assert {"A": "retired", "B": "kept"} == kinds(found)
    assert LATER == stand(found)["A"].retired_at
    again = changes(file_of("B"), stand(found), LATER + timedelta(hours=1))
    assert {"A": "kept", "B": "kept"} == kinds(again)
    assert LATER == stand(again)["A"].retired_at


def test_a_retired_event_can_be_declared_again() -> None:
    """In force since then, and not for the time in between."""
    existing = stand(changes(file_of("A"), {}, THEN))
    retired = stand(changes(file_of(), existing, LATER))
    much_later = LATER + timedelta(hours=1)
    (change,) = changes(file_of("A"), retired, much_later)
    assert ("declared", much_later, None) == (change.kind, change.definition.declared_at, change.definition.retired_at)


def test_g12_what_is_declared_again_keeps_its_earlier_times() -> None:
    """Twice over: a raw record of each is judged by its own time."""
    times = [THEN + timedelta(hours=n) for n in range(5)]
    standing: dict[str, Definition] = {}
    for n, hour in enumerate(times):
        standing = stand(changes(file_of(*("A" if n % 2 == 0 else "")), standing, hour))
    again = standing["A"]
    assert [True, False, True, False, True] == [again.in_force(hour + timedelta(minutes=1)) for hour in times]
    changed = stand(changes(file_of("A", name="y"), standing, LATER + timedelta(days=1)))["A"]
    assert again.earlier == changed.earlier


def test_a_change_is_shown_field_by_field() -> None:
    """Before and after; a language of a text is a field of its own, and what stays is not shown."""
    old = DeclaredEvent(id="A", names={"en": "x", "de": "y"}, children=("B",))
    new = DeclaredEvent(id="A", names={"en": "z", "pt": "w"}, children=("B",), format="plain", visibility="HIDDEN")
    child = DeclaredEvent(id="B", names={"en": "b"})
    existing = stand(changes(DefinitionsFile(app="demo", definitions=(old, child)), {}, THEN))
    found, kept = changes(DefinitionsFile(app="demo", definitions=(new, child)), existing, LATER)
    assert {
        ("names.en", "x", "z"),
        ("names.de", "y", None),
        ("names.pt", None, "w"),
        ("visibility", "REVEALED", "HIDDEN"),
        ("format", "grouped", "plain"),
    } == {(one.field, one.before, one.after) for one in found.fields}
    assert () == kept.fields


def test_what_is_declared_shows_all_it_has_and_what_is_retired_when() -> None:
    """A new one has no before; a retired one changes in nothing else."""
    (declared_now,) = changes(file_of("A"), {}, THEN)
    assert {None} == {one.before for one in declared_now.fields}
    assert {"names.en", "default_language", "visibility", "format", "declared_at"} == {
        one.field for one in declared_now.fields
    }
    (retired,) = changes(file_of(), stand([declared_now]), LATER)
    assert ["retired_at"] == [one.field for one in retired.fields]
