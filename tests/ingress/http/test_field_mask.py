"""Masks of partial replies (G2): their syntax, what they keep, and laws of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.http.field_mask import MAX_MASK_CHARACTERS, BadMask, parse_mask, selected

REPLY: dict[str, object] = {
    "kind": "list",
    "items": [{"id": 1, "author": {"name": "ann", "mail": "a@x"}}, {"id": 2, "author": {"name": "bob", "mail": "b@x"}}],
    "context": {"facets": {"label": "new", "size": 3}, "title": "t"},
    "none": None,
}


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("kind", {"kind": "list"}),
        ("none,kind", {"kind": "list", "none": None}),
        ("context/title", {"context": {"title": "t"}}),
        ("context/facets/label", {"context": {"facets": {"label": "new"}}}),
        ("context(facets/label,title)", {"context": {"facets": {"label": "new"}, "title": "t"}}),
        ("items/id", {"items": [{"id": 1}, {"id": 2}]}),
        ("items(id,author/name)", {"items": [{"id": n, "author": {"name": w}} for n, w in ((1, "ann"), (2, "bob"))]}),
        ("items/author(name)", {"items": [{"author": {"name": "ann"}}, {"author": {"name": "bob"}}]}),
        ("context/*/size", {"context": {"facets": {"size": 3}}}),
        ("*/title,context/facets/size", {"items": [{}, {}], "context": {"facets": {"size": 3}, "title": "t"}}),
        ("context/facets/size,context", {"context": REPLY["context"]}),
        ("kind/x,absent,items(absent)", {"items": [{}, {}]}),
        ("*", REPLY),
    ],
)
def test_g2_a_mask_keeps_what_it_names(mask: str, expected: dict[str, object]) -> None:
    """Fields, paths, brackets, wildcards, arrays element by element; a name that isn't there keeps nothing."""
    assert expected == selected(REPLY, parse_mask(mask))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a,",
        ",a",
        "a,,b",
        "/a",
        "a/",
        "a//b",
        "a(",
        "a()",
        "a)",
        "(a)",
        "a(b",
        "a(b))",
        "a(b)c",
        "a(b)/c",
        "a(b)(c)",
        "a/(b)",
        "a b",
        " a",
        "a*",
        "**",
        "a(b,)",
        "x" * (MAX_MASK_CHARACTERS + 1),
    ],
)
def test_g2_what_is_no_mask_is_said_to_be_none(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadMask):
        parse_mask(text)


@given(st.text(alphabet="ab*,/() \n\x00é", max_size=40))
def test_g2_any_text_is_a_mask_or_a_bad_mask(text: str) -> None:
    """No other error, whatever is sent."""
    try:
        mask = parse_mask(text)
    except BadMask:
        return
    assert selected({"a": [{"b": 1}]}, mask) in ({}, {"a": [{"b": 1}]}, {"a": [{}]})


def test_g2_the_deepest_mask_is_read_without_recursion() -> None:
    """A stranger's mask must not end in a RecursionError."""
    deep = "/".join("a" * (MAX_MASK_CHARACTERS // 2))
    brackets = "a(" * (MAX_MASK_CHARACTERS // 4) + "a" + ")" * (MAX_MASK_CHARACTERS // 4)
    assert {"a": {}} == selected({"a": {}}, parse_mask(deep))
    assert {} == selected({"a": 1}, parse_mask(deep))
    assert {} == selected({"b": 1}, parse_mask(brackets[:MAX_MASK_CHARACTERS]))


NAMES = st.sampled_from("abc")
VALUES = st.dictionaries(
    NAMES,
    st.recursive(st.integers(0, 9), lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner, max_size=3)),
)
PATHS = st.lists(st.lists(st.sampled_from("abc*"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=4)


def leaves(value: object, path: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Every number of a value: where it is, and the field names on the way."""
    found: dict[str, tuple[str, ...]] = {}
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= leaves(inner, (*path, name), (*names, name))
    elif isinstance(value, list):
        for inner in value:
            found |= leaves(inner, (*path, "[]"), names)
    else:
        found["/".join(path)] = names
    return found


def means(path: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return len(path) <= len(names) and all(want in ("*", name) for want, name in zip(path, names, strict=False))


def nested(paths: list[tuple[str, ...]]) -> str:
    """The same paths written with brackets."""
    return ",".join(path[0] + "".join(f"({name}" for name in path[1:]) + ")" * (len(path) - 1) for path in paths)


@given(VALUES, PATHS)
def test_g2_exactly_what_some_path_means_is_kept(value: dict[str, object], paths: list[tuple[str, ...]]) -> None:
    """Compared with a plain reading of the rule; brackets and paths mean the same, and a second time takes nothing."""
    mask = parse_mask(",".join("/".join(path) for path in paths))
    kept = selected(value, mask)
    expected = {at for at, names in leaves(value).items() if any(means(path, names) for path in paths)}
    assert expected == set(leaves(kept))
    assert kept == selected(value, parse_mask(nested(paths)))
    assert kept == selected(kept, mask)
    assert list(kept) == [name for name in value if name in kept]
