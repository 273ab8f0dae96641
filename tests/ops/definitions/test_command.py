"""A definitions file: its problems, and the changes of applying it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.definitions.changes import (
    BadDefinitions,
    Change,
    DeclaredEvent,
    DefinitionsFile,
    changes,
    read_file,
    retired_by,
)
from ops.definitions.command import ApplyOptions, apply
from ops.definitions.text import BadText, data_of_json, data_of_yaml
from ops.local.servers.paths import DEMO_DEFINITIONS
from schemas.definitions import Definition
from schemas.documents import utc
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
    """The definitions in MongoDB after the changes."""
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
    assert "Value error" not in problem


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.yaml", "app: demo\ndefinitions: [{id: A, names: {en: x}}]\ndefinitions:\n  - {id: B, names: {en: x}}\n", 3),
        ("a.yaml", "app: demo\ndefinitions:\n  - id: A\n    names: {en: x}\n    id: B\n", 5),
        ("a.yaml", 'app: demo\ndefinitions:\n  - id: A\n    names:\n      en: x\n      "en": y\n', 6),
        ("a.yaml", "app: demo\ndefinitions: [{id: A, names: {null: x,\n 'null': y}}]\n", 3),
        ("a.json", '{"app": "demo",\n"definitions": [{"id": "A", "names": {"en": "x"}}],\n"definitions": []}', 3),
        (
            "a.json",
            '{"app": "demo", "definitions": [{"id": "A",\n"names": {"en": "\\", {\\"id", "\\u0065n": "y"}}]}',
            2,
        ),
        ("A.JSON", '{"app": "demo",\n\n"\\u0061pp": "demo", "definitions": []}', 3),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path, name: str, text: str, line: int) -> None:
    """At any level, however it is written: a reader takes the last, and the rest of the file would be retired."""
    (tmp_path / name).write_text(text)
    with pytest.raises(BadDefinitions) as caught:
        read_file(tmp_path / name)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / name}: line {line}: ")
    assert "is given twice" in problem


def test_every_key_that_stands_twice_is_told() -> None:
    """At once; keys of different mappings are no repetition, in arrays neither, nor what a text holds."""
    text = '{"a": 1, "b": {"a": 2, "a": 3}, "c": [{"a": 1}, {"a": "{\\"a\\": 1, \\"a\\": 2}"}, "a", "a"],\n"a": 4}'
    with pytest.raises(BadText) as caught:
        data_of_json(text)
    assert ["line 1: a", "line 2: a"] == [problem.partition(" is given")[0] for problem in caught.value.problems]
    assert data_of_json('{"a": {"a": [{"a": 1}, {"a": 2}]}, "b": "a"}')
    merged = "base: &base {id: A, names: {en: x}}\nother: {<<: *base, id: B}\n"
    assert {"id": "B", "names": {"en": "x"}} == data_of_yaml(merged)["other"]  # type: ignore[index]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=2), inside, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 1]))
def test_json_without_repeated_keys_reads_as_ever(value: object, indent: int | None) -> None:
    """Whatever texts and keys hold."""
    assert value == data_of_json(json.dumps(value, indent=indent))


PLAIN = [
    *("no", "No", "NO", "yes", "on", "off", "y", "n", "true", "False"),
    *("012", "0x1f", "1_000", "1e3", "1.0", ".inf", ".NaN", "-7", "+", "="),
    *("2026-01-01", "12:30:45", "null_x"),
]


@pytest.mark.parametrize("written", PLAIN)
def test_a_value_is_the_text_that_is_written(written: str) -> None:
    """YAML 1.1 would make booleans, numbers and dates of these; as keys, too."""
    assert {"id": written} == data_of_yaml(f"id: {written}")
    assert {written: "x"} == data_of_yaml(f"{written}: x")


def test_ids_and_languages_that_look_like_something_else_are_taken(tmp_path: Path) -> None:
    """As they are written."""
    path = tmp_path / "a.yaml"
    ids = ["012", "1e3", "2026-01-01", "true", "off", "7"]
    events = "".join(f"  - {{id: {one}, names: {{no: {one}, on: 7}}}}\n" for one in ids)
    path.write_text(f"app: 2026-01-01\ndefault_language: no\ndefinitions:\n{events}")
    file = read_file(path)
    assert ("2026-01-01", ids) == (file.app, [event.id for event in file.definitions])
    assert ("1e3", "7") == (file.definitions[1].names["no"], file.definitions[1].names["on"])


@pytest.mark.parametrize("value", ["null", "~", "", "!!int 7", "!!bool yes"])
def test_what_is_no_text_is_refused_with_a_word_about_quotes(tmp_path: Path, value: str) -> None:
    """An empty value is one that is not given; an image may have none."""
    path = tmp_path / "a.yaml"
    path.write_text(f"app: demo\ndefinitions:\n  - id: {value}\n    names: {{en: x}}\n    image_url: null\n")
    with pytest.raises(BadDefinitions) as caught:
        read_file(path)
    (problem,) = caught.value.problems
    assert problem.startswith("definitions[0].id: ")
    assert problem.endswith("put it in quotes")


def test_a_number_in_json_is_refused_with_a_word_about_quotes(tmp_path: Path) -> None:
    """JSON has no ambiguous scalars."""
    (problem,) = problems(tmp_path, declared(id=12))
    assert "definitions[0].id: must be a text: put it in quotes" == problem


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"formt": "plain"}, "definitions[0].formt: no such field. Did you mean format?"),
        ({"id": "B C"}, "definitions[0].id: must be 1 to 64 letters, digits, _ or -"),
        ({"names": {}}, "definitions[0].names: must have at least one entry"),
        ({"names": {"e n": "x", "en": "y"}}, "definitions[0].names.e n: must be a language tag such as en or pt-BR"),
        ({"names": {"en": ""}}, "definitions[0].names.en: must not be empty"),
        ({"names": {"en": "x" * 1001}}, "definitions[0].names.en: must have at most 1000 characters"),
        ({"names": "Level up"}, "definitions[0].names: must be a mapping"),
        ({"names": {"en": ["x"]}}, "definitions[0].names.en: must be a text"),
        ({"visibility": "SECRET"}, "definitions[0].visibility: must be REVEALED or HIDDEN"),
        ({"children": "B"}, "definitions[0].children: must be a list"),
        ({"image_url": "ftp://x"}, "definitions[0].image_url: must be a URL that begins with http:// or https://"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(
    changed: Mapping[str, object], expected: str, tmp_path: Path
) -> None:
    """In our words, not in those of the library that checks it."""
    assert (expected,) == problems(tmp_path, declared(**changed))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"definitions": []}, "app: required"),
        ({"app": "demo", "definitons": []}, "definitions: required"),
        ({"app": "demo", "definitions": ["A"]}, "definitions[0]: must be a mapping"),
        ([], "file: must be a mapping"),
    ],
)
def test_a_wrong_file_is_described_in_the_same_words(file: object, expected: str, tmp_path: Path) -> None:
    assert expected == problems(tmp_path, file)[0]


def test_what_a_file_retires_is_known_beforehand() -> None:
    """Only current events: one that is declared again is not among them."""
    existing = stand(changes(file_of("A", "B", "C"), {}, THEN))
    without = changes(file_of("B"), existing, LATER)
    assert (["A", "C"], 3) == retired_by(without)
    assert ([], 1) == retired_by(changes(file_of("A", "B"), stand(without), LATER))
    assert (["A", "B", "C"], 3) == retired_by(changes(file_of("X"), existing, LATER))
    assert ([], 3) == retired_by(changes(file_of("X"), existing, LATER, retires=False))


@pytest.mark.parametrize("name", ["broken.yaml", "broken.json"])
@pytest.mark.parametrize(
    "content", [b"{unclosed: [", b"\xff\xfe\x00", b"a: \x07", b"[" * 5_000, b"--- 1\n--- 2", b"? [a]"]
)
def test_a_file_that_cannot_be_read_as_what_it_is_is_named(tmp_path: Path, content: bytes, name: str) -> None:
    """Neither broken YAML or JSON nor bytes that are no text end in a traceback, and each is one line."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadDefinitions, match=r"broken\.|file: ") as caught:
        read_file(path)
    (problem,) = caught.value.problems
    assert "\n" not in problem


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
    assert [Change(change.definition, "unchanged") for change in first] == changes(
        file_of("A", "B"), stand(first), LATER
    )


def test_a_changed_text_leaves_the_time_of_declaration() -> None:
    """What was recorded under the old name stays valid."""
    existing = stand(changes(file_of("A"), {}, THEN))
    (change,) = changes(file_of("A", name="y"), existing, LATER)
    assert ("changed", THEN, "y") == (change.kind, change.definition.declared_at, change.definition.names["en"])


def test_an_event_that_is_gone_is_retired_once() -> None:
    """Never removed: a record of before is judged by its own time."""
    existing: Mapping[str, Definition] = stand(changes(file_of("A", "B"), {}, THEN))
    found = changes(file_of("B"), existing, LATER)
    assert {"A": "retired", "B": "unchanged"} == kinds(found)
    assert LATER == stand(found)["A"].retired_at
    again = changes(file_of("B"), stand(found), LATER + timedelta(hours=1))
    assert {"A": "unchanged", "B": "unchanged"} == kinds(again)
    assert LATER == stand(again)["A"].retired_at


def test_a_retired_event_can_be_declared_again() -> None:
    """It is declared from then on, and not for the time in between."""
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
    """Before and after. Each language of a text is a field. Unchanged fields are not shown."""
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


async def test_the_canary_s_app_is_reserved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any server is asked."""
    file = tmp_path / "canary.yaml"
    file.write_text("app: tallymill-canary\ndefinitions: []")
    assert 2 == await apply(file, ApplyOptions(retire_all=True), as_json=False)
    assert "is reserved for `tallymill canary`" in capsys.readouterr().err
