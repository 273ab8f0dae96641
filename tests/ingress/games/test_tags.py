"""Tags that mean the same find the same text, and never one in another script (G19)."""

import pytest
from babel import Locale, localedata
from babel.core import get_global
from hypothesis import example, given
from hypothesis import strategies as st

from ingress.games.language import _locale, languages_asked, text_for, write_number
from ingress.games.tags import best_tag, fallbacks_of, likely_of, locale_names, meaning_of

SAME = [
    ("iw", "he"),
    ("iw-IL", "he-IL"),
    ("in", "id"),
    ("no", "nb"),
    ("no-NO", "nb"),
    ("no-bok", "nb-NO"),
    ("no-nyn", "nn"),
    ("tl", "fil"),
    ("tl-PH", "fil"),
    ("ji", "yi"),
    ("jw", "jv"),
    ("mo", "ro"),
    ("sh", "sr-Latn"),
    ("sh-BA", "sr-Latn-BA"),
    ("sr-ME", "sr-Latn-ME"),
    ("zh-CN", "zh-Hans"),
    ("zh-CN", "zh"),
    ("zh-SG", "zh-Hans-SG"),
    ("zh-TW", "zh-Hant"),
    ("zh-HK", "zh-Hant-HK"),
    ("cmn", "zh"),
    ("zh-cmn-Hant", "zh-TW"),
    ("zh-yue", "yue"),
    ("zh-min-nan", "nan"),
    ("zh-hakka", "hak"),
    ("art-lojban", "jbo"),
    ("prs", "fa-AF"),
    ("arb", "ar"),
    ("eng-840", "en-US"),
    ("deu", "de"),
    ("my-BU", "my-MM"),
    ("en-UK", "en-GB"),
    ("de-DD", "de-DE"),
    ("ru-SU", "ru-RU"),
    ("hy-SU", "hy-AM"),
    ("pt-BR", "pt"),
    ("uz-AF", "uz-Arab"),
    ("pa-PK", "pa-Arab-PK"),
]


@pytest.mark.parametrize(("one", "other"), [*SAME, *((b, a) for a, b in SAME)])
def test_g19_two_tags_of_one_meaning_find_each_others_text(one: str, other: str) -> None:
    """By the parameter or by the header; numbers are written alike."""
    texts = {"en": "English", other: "found"} if not other.startswith("en") else {"de": "Deutsch", other: "found"}
    default = next(iter(texts))
    for asked in (languages_asked(one, None), languages_asked(None, f"{one};q=0.9, {default};q=0.1".encode())):
        assert "found" == text_for(texts, asked, default)
    assert write_number(1_234_567, "grouped", (other,), "en") == write_number(1_234_567, "grouped", (one,), "en")


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [
        ("zh-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-TW", ["zh", "zh-Hant-HK"], "zh-Hant-HK"),
        ("zh-TW", ["zh", "zh-CN", "zh-Hans"], None),
        ("zh-Hant", ["zh"], None),
        ("zh", ["zh-TW"], None),
        ("zh-MO", ["zh-TW", "zh-HK"], "zh-HK"),
        ("sr", ["sr-Latn"], None),
        ("sh", ["sr"], None),
        ("uz-Cyrl", ["uz"], None),
        ("es-MX", ["es", "es-419", "es-ES"], "es-419"),
        ("es-MX", ["es", "es-ES"], "es"),
        ("es-MX", ["es-ES"], "es-ES"),
        ("en-GB", ["en"], "en"),
        ("en-GB", ["en", "en-001"], "en-001"),
        ("en-GB", ["en-US"], "en-US"),
        ("pt-AO", ["pt-BR", "pt-PT"], "pt-PT"),
        ("pt-PT", ["pt-BR"], "pt-BR"),
        ("pt", ["pt-PT", "pt-BR"], "pt-BR"),
        ("nn", ["nb"], "nb"),
        ("nb", ["nn"], None),
        ("ht", ["fr"], None),
        ("de-1901-x-a", ["de", "de-1901"], "de-1901"),
        ("de-x-a", ["de-AT", "de"], "de"),
        ("de-AT", ["de", "DE-at"], "DE-at"),
        ("xx-Latn-YY", ["xx"], "xx"),
        ("xx", ["yy"], None),
    ],
)
def test_g19_the_best_text_is_in_the_same_script(asked: str, there: list[str], found: str | None) -> None:
    """The nearest by CLDR's parents; of nothing readable, nothing."""
    assert found == best_tag(tuple(there), asked)


LANGUAGES = sorted({*get_global("language_aliases"), *(k for k in get_global("likely_subtags") if "_" not in k), "xx"})
SCRIPTS = ["", "-Latn", "-Hant", "-Hans", "-Cyrl", "-Arab"]
TERRITORIES = ["", "-TW", "-CN", "-US", "-BR", "-SU", "-419", "-001", "-ME"]
REST = ["", "-valencia", "-x-a", "-u-nu-latn"]

tags = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["zh", "sr", "no", "nn", "pt", "es", "en", "uz"]) | st.sampled_from(LANGUAGES),
    st.sampled_from(SCRIPTS),
    st.sampled_from(TERRITORIES),
    st.sampled_from(REST),
)


@given(tags, st.lists(tags, max_size=5))
@example("zh-TW", ["zh"])
def test_g19_a_text_is_found_if_and_only_if_one_is_readable(asked: str, there: list[str]) -> None:
    """In the language and script that the tag, or its parent, means. The very tag goes before all others."""
    readable = {one.written for one in fallbacks_of(asked)}
    can_be_read = [tag for tag in there if likely_of(meaning_of(tag)).written in readable]
    found = best_tag(tuple(there), asked)
    assert (found is not None) == bool(can_be_read)
    assert found is None or found in can_be_read
    assert asked not in there or asked == found
    assert found == best_tag(tuple(reversed(there)), asked), "whatever order a file has them in"


@given(st.text(max_size=40), st.lists(st.text(max_size=12), max_size=4))
def test_g19_no_tag_is_an_error(asked: str, there: list[str]) -> None:
    """Whatever it holds, asked for or in a definition that was written by other means."""
    assert best_tag(tuple(there), asked) in (None, *there)
    assert list(locale_names(asked))
    assert all(list(locale_names(tag)) for tag in there)


def test_g19_a_text_in_each_locale_of_cldr_is_found_by_its_own_name() -> None:
    """Spelt whole too, as likely subtags have it."""
    for identifier in localedata.locale_identifiers():
        tag = identifier.replace("_", "-")
        assert tag == best_tag(("en", tag), tag) or tag == "en"
        whole = likely_of(meaning_of(tag)).whole.replace("_", "-")
        assert best_tag((tag,), whole) == tag, whole


def test_g19_numbers_are_written_in_the_script_that_was_asked_for() -> None:
    """Of each locale, by every way to spell it."""
    for identifier in localedata.locale_identifiers():
        locale = Locale.parse(identifier)
        first = _locale((identifier.replace("_", "-"),))
        assert meaning_of(locale.language) == meaning_of(first.language)
        assert locale.decimal_formats[None].pattern == first.decimal_formats[None].pattern
