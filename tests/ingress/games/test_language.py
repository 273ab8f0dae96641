"""Languages and numbers (G19)."""

import unicodedata

import pytest
from babel import Locale, localedata
from hypothesis import given
from hypothesis import strategies as st

from ingress.games.language import (
    MAX_LANGUAGES,
    MAX_TAG_CHARACTERS,
    ZEROS,
    format_problem,
    languages_asked,
    number_writer,
    text_for,
    write_number,
)
from schemas.definitions import Definition
from schemas.documents import utc
from tests.examples import ONE_IN

TEXTS = {"en": "Level up", "pt": "Nível", "pt-BR": "Subiu", "zh-Hant": "升級"}


def text(*asked: str, default: str = "en") -> str:
    return text_for(TEXTS, asked, default)


def number(language: str, value: int = 1_234_567, number_format: str = "grouped") -> str:
    return write_number(value, number_format, languages_asked(language, None), "en")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("pt-BR", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("pt-PT", "pt"),
        ("pt-BR-x-private", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh", "en"),
        ("de", "en"),
    ],
)
def test_g19_a_text_is_found_exact_then_by_its_base_then_by_default(asked: str, expected: str) -> None:
    """RFC 4647 lookup. `zh` does not match `zh-Hant`, which is more specific."""
    assert TEXTS[expected] == text(asked)


def test_g19_a_text_without_any_match_is_empty() -> None:
    """A description need not be there; a name in the default language always is."""
    assert "" == text_for({}, ("de",), "en")
    assert TEXTS["pt"] == text(default="pt-AO")


def test_g19_the_parameter_goes_before_accept_language() -> None:
    """And where it matches nothing, the app's default does, not the header."""
    assert ("de",) == languages_asked("de", b"pt-BR")
    assert ("pt-BR",) == languages_asked(None, b"pt-BR")
    assert ("pt-BR",) == languages_asked("", b"pt-BR")
    assert () == languages_asked("!!", b"pt-BR")
    assert () == languages_asked(None, None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"da, en-gb;q=0.8, en;q=0.7", ("da", "en-gb", "en")),
        (b"en;q=0.5,de;q=0.9,fr", ("fr", "de", "en")),
        (b"en;q=0.5 , de ; q=0.5", ("en", "de")),
        (b"en;q=0, de;q=0.000, *", ()),
        (b"en;q=2, de;q=x, fr;level=1, pt", ("pt",)),
        (b"pt_BR, en-", ("pt-BR", "en")),
        (b"\xff\xfe,, ;q=1", ()),
    ],
)
def test_g19_accept_language_is_taken_by_weight(header: bytes, expected: tuple[str, ...]) -> None:
    """RFC 9110, 12.5.4: a weight of 0 excludes a language, and malformed parts are skipped."""
    assert expected == languages_asked(None, header)


def test_g19_a_header_without_end_is_read_to_a_bound() -> None:
    """Of thousands the first are taken."""
    assert MAX_LANGUAGES == len(languages_asked(None, b",".join([b"en"] * 5000)))


def test_g19_a_tag_is_cut_at_35_characters() -> None:
    """The rest is ignored."""
    long = "pt-BR-" + "-".join(["abcdefg"] * 20)
    (tag,) = languages_asked(long, None)
    assert MAX_TAG_CHARACTERS >= len(tag)
    assert TEXTS["pt-BR"] == text(tag)


@pytest.mark.parametrize("language", ["xx", "", "en-US-x-foo", "en;q=1", "root", "und", "../../etc", "i-klingon", "-"])
def test_g19_a_language_nobody_knows_is_no_error(language: str) -> None:
    """Babel raises on most of these."""
    assert "1,234,567" == number(language)
    assert TEXTS["en"] == text(*languages_asked(language, None))


@given(st.text(max_size=60), st.binary(max_size=60), st.integers(0, 2**63 - 1))
def test_g19_nothing_that_is_said_is_an_error(language: str, header: bytes, value: int) -> None:
    """Never a 400, and never a 500."""
    for asked in (languages_asked(language, header), languages_asked(None, header)):
        assert write_number(value, "grouped", asked, "en")
        assert "Level up" == text_for({"en": "Level up"}, asked, "en")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "1,234,567"),
        ("de", "1.234.567"),
        ("pt-BR", "1.234.567"),
        ("fr-CA", "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"),
        ("de-CH", "1\N{RIGHT SINGLE QUOTATION MARK}234\N{RIGHT SINGLE QUOTATION MARK}567"),
        ("hi", "12,34,567"),
        ("ar-EG", "١٬٢٣٤٬٥٦٧"),  # noqa: RUF001 the digits of Egypt
        ("mr", "१२,३४,५६७"),
        ("fa", "۱٬۲۳۴٬۵۶۷"),  # noqa: RUF001 the digits of Iran
    ],
)
def test_g19_a_number_is_grouped_as_its_language_does(language: str, expected: str) -> None:
    """Separators, sizes of groups and digits are CLDR's."""
    assert expected == number(language)


def test_g19_a_definition_says_how_its_numbers_are_written() -> None:
    """grouped, plain, or a CLDR pattern; all in the digits of the language."""
    assert ("1234567", "١٢٣٤٥٦٧") == (number("de", number_format="plain"), number("ar-EG", number_format="plain"))
    assert "1.234.567 km" == number("de", number_format="#,##0 'km'")
    assert "0007" == number("de", 7, "0000")


def test_g19_a_number_without_a_language_is_written_for_the_definitions_default() -> None:
    """And where nothing is known of the event, as in English."""
    one = Definition(
        app="demo", definition_id="A", default_language="de", names={"de": "a"}, declared_at=utc(0), format="#,##0 m"
    )
    written = number_writer({"A": one}, ())
    assert ("1.234 m", "1,234") == (written("A", 1234), written("B", 1234))
    assert "1,234 m" == number_writer({"A": one}, ("en",))("A", 1234)


def test_g19_a_format_that_was_written_by_other_means_is_no_error() -> None:
    """Then grouped is the best there is."""
    assert "1,234,567" == number("en", number_format="¤¤;;'")


@pytest.mark.parametrize("value", [0, 7, 999, 1000, 123_456, 10**9, 2**63 - 1])
def test_g19_the_quick_way_writes_what_babel_writes(value: int) -> None:
    """In every locale that CLDR has, but for the digits, which Babel does not translate.

    `make check` looks at one in five of them.
    """
    for identifier in localedata.locale_identifiers()[::ONE_IN]:
        locale = Locale.parse(identifier)
        pattern = locale.decimal_formats[None]
        by_babel = pattern.apply(value, locale, numbering_system="default")
        ours = write_number(value, "grouped", (identifier.replace("_", "-"),), "en")
        western = "".join(str(unicodedata.digit(one)) if one.isdigit() else one for one in ours)
        assert by_babel == western, identifier


def test_g19_every_numbering_system_of_a_language_has_its_digits() -> None:
    """Ten in a row from its zero, as Unicode lays them out."""
    used = {Locale.parse(one).default_numbering_system for one in localedata.locale_identifiers()}
    assert set() == used - ZEROS.keys()
    for zero in ZEROS.values():
        assert list(range(10)) == [unicodedata.digit(chr(zero + n)) for n in range(10)]


@pytest.mark.parametrize(
    "good", ["grouped", "plain", "0", "#,##0", "#,##,##0", "0.00", "#,##0 km", "'#'0", "00000", "0%"]
)
def test_g19_a_pattern_of_cldr_is_taken(good: str) -> None:
    """Anything that shows every digit."""
    assert format_problem(good) is None


@pytest.mark.parametrize(
    "bad",
    ["", "abc", "#", "Grouped", "¤0", "0E0", "@@@", "*x0", "0;(0)", "#,##0,", "0#", "#.#.0", "'0", "5", "+0", "0" * 65],
)
def test_g19_what_is_no_pattern_is_said_when_the_file_is_read(bad: str) -> None:
    """Currency, exponents, rounding and padding would hide what was counted."""
    assert "grouped, plain" in (format_problem(bad) or "")
