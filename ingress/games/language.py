"""Chooses the language of texts and numbers (G19). Pure; CLDR by Babel. No language that a client asks for is an error.

- Asked for: the `language` parameter; without it Accept-Language, by weight (RFC 9110, 12.5.4).
- Texts, each by itself: for each language asked for, the best text in that language and script (tags.py); at last the
  text in the definition's default language, which always has a name.
- Numbers: the same steps over all locales of CLDR, independent of the languages of the texts.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern, get_group_symbol, parse_pattern

from ingress.games.tags import best_tag, locale_names
from schemas.definitions import GROUPED, PLAIN, Definition

# RFC 5646 (4.4.1) requires support of tags so long. The rest of a longer one is ignored.
MAX_TAG_CHARACTERS: Final = 35
# A browser sends some tens of characters and a handful of languages. The rest is ignored.
MAX_ACCEPT_CHARACTERS: Final = 500
MAX_LANGUAGES: Final = 20
FALLBACK_LANGUAGE: Final = "en"

_is_tag = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z").match
_is_weight = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\Z").match
# Both mean "no language" (RFC 5646, CLDR's root), but Babel has locales of these names.
_NO_LANGUAGE: Final = frozenset(("und", "root"))

Languages = tuple[str, ...]
NumberWriter = Callable[[str, int], str]
"""Writes a total: definitionId and number in, text out."""


def languages_asked(language: str | None, accept_language: bytes | None) -> Languages:
    """The tags asked for, best first. Empty if none is usable."""
    if language:
        return _tags(language[: MAX_TAG_CHARACTERS + 1])
    return _accepted(accept_language[:MAX_ACCEPT_CHARACTERS]) if accept_language else ()


def _tags(text: str) -> Languages:
    """The tag, cut to the maximal length. `pt_BR`, as some platforms spell it, is accepted too."""
    tag = text.strip()[:MAX_TAG_CHARACTERS].rstrip("-").replace("_", "-")
    return (tag,) if _is_tag(tag) and tag.lower() not in _NO_LANGUAGE else ()


@lru_cache(1_024)
def _accepted(header: bytes) -> Languages:
    weighted = []
    for part in header.decode("latin-1").split(",")[:MAX_LANGUAGES]:
        text, *parameters = (piece.strip() for piece in part.split(";"))
        weight = parameters[0].lower().removeprefix("q=") if parameters else "1"
        if _is_weight(weight) and float(weight) > 0:
            weighted += [(float(weight), tag) for tag in _tags(text)]
    # Sorting is stable: tags of equal weight keep their order.
    return tuple(tag for _, tag in sorted(weighted, key=lambda one: -one[0]))


def text_for(texts: Mapping[str, str], asked: Languages, default: str) -> str:
    """The text in the best of the languages asked for; else in the default language; else empty."""
    tags = tuple(texts)
    for wanted in (*asked, default):
        tag = best_tag(tags, wanted)
        if tag is not None:
            return texts[tag]
    return ""


def _locale(asked: Languages) -> Locale:
    """The first of them that CLDR has a locale for."""
    for name in (name for wanted in asked for name in locale_names(wanted)):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(FALLBACK_LANGUAGE)


def number_writer(definitions: Mapping[str, Definition], asked: Languages) -> NumberWriter:
    """Writes totals in the format of their definitions, in the language asked for or the definition's default."""

    def written(definition_id: str, number: int) -> str:
        definition = definitions.get(definition_id)
        if definition is None:
            return write_number(number, GROUPED, asked, FALLBACK_LANGUAGE)
        return write_number(number, definition.format, asked, definition.default_language)

    return written


def write_number(number: int, number_format: str, asked: Languages, default: str) -> str:
    return _style(number_format, asked, default).write(number)


# Zeros of the numbering systems of CLDR's languages: Babel knows their separators, but not their digits. In each the
# ten digits are consecutive. A test checks that with unicodedata, and that no system is missing.
ZEROS: Final = {
    "adlm": 0x1E950,
    "arab": 0x660,
    "arabext": 0x6F0,
    "beng": 0x9E6,
    "cakm": 0x11136,
    "deva": 0x966,
    "hmnp": 0x1E140,
    "latn": 0x30,
    "mtei": 0xABF0,
    "mymr": 0x1040,
    "nkoo": 0x7C0,
    "olck": 0x1C50,
    "tibt": 0xF20,
}


@dataclass(frozen=True, slots=True)
class _Style:
    """One way to write numbers. Babel takes 14 us a number. Where only the separator differs, Python takes 1 us."""

    locale: Locale
    pattern: NumberPattern
    separator: str | None
    digits: Mapping[int, int]

    def write(self, number: int) -> str:
        if self.separator is None or number < 0:
            text = str(self.pattern.apply(number, self.locale, numbering_system="default"))
        else:
            text = f"{number:,}".replace(",", self.separator)
        return text.translate(self.digits) if self.digits else text


@lru_cache(2_048)
def _style(number_format: str, asked: Languages, default: str) -> _Style:
    """Cached by its arguments, not by locale: comparing Babel's locales takes longer than writing a number."""
    locale = _locale((*asked, default))
    zero = ZEROS.get(locale.default_numbering_system, ord("0"))
    digits = {} if zero == ord("0") else {ord("0") + n: zero + n for n in range(10)}
    if number_format == PLAIN:
        return _Style(locale, parse_pattern("0"), "", digits)
    pattern = _pattern(number_format, locale)
    by_thousands = number_format == GROUPED and pattern.grouping == (3, 3)
    separator = get_group_symbol(locale, numbering_system="default") if by_thousands else None
    return _Style(locale, pattern, separator, digits)


def _pattern(number_format: str, locale: Locale) -> NumberPattern:
    """`definitions apply` checks the format. A wrong one that another program wrote is replaced by the default."""
    if number_format == GROUPED or format_problem(number_format):
        number_format = locale.decimal_formats[None].pattern
    pattern: NumberPattern = parse_pattern(number_format)
    return pattern


MAX_FORMAT_CHARACTERS: Final = 64
# One run of digit placeholders whose integer part ends with a 0, and text around it. Characters with another meaning in
# CLDR (currency, exponent, significant digits, padding, rounding, negatives) must be quoted.
_TEXT = r"(?:'[^']*'|[^#.,;@*¤'+E0-9])*"
_is_pattern = re.compile(rf"{_TEXT}(?:#,?)*(?:0,?)*0(?:\.0*#*)?{_TEXT}\Z").match


def format_problem(number_format: str) -> str | None:
    """What is wrong with the `format` of a definition; None if nothing is."""
    if number_format in (GROUPED, PLAIN):
        return None
    if len(number_format) <= MAX_FORMAT_CHARACTERS and _is_pattern(number_format):
        return None
    return f"must be {GROUPED}, {PLAIN}, or a number pattern as in CLDR with at least one 0, such as #,##0 'km'"
