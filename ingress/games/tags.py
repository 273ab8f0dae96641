"""The languages, scripts and territories that tags mean, by CLDR (Babel has its tables). Pure; never raises.

- One language has several tags: `iw` is `he`, `in` is `id`, `tl` is `fil`, `sh` is `sr-Latn`, `eng` is `en`, `cmn` and
  `zh-cmn` are `zh`, `nb` is `no` (CLDR's aliases, and those of RFC 5646).
- What a tag omits is filled in: `zh-TW` is `zh-Hant-TW`, `zh` is `zh-Hans-CN` (likely subtags).
- The fallback is the parent: of `es-MX` it is `es-419`, of `pt-AO` `pt-PT`, of `nn` `no`. A fallback never has another
  script, and never another language except `no` for `nn`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from babel.core import get_global

# RFC 5646's grandfathered tags. Babel's tables of aliases have no tag of more than one subtag.
_WHOLE: Final = {
    "art-lojban": "jbo",
    "no-bok": "no",
    "no-nyn": "nn",
    "zh-guoyu": "zh",
    "zh-hakka": "hak",
    "zh-min-nan": "nan",
    "zh-xiang": "hsn",
}
# CLDR has Bokmal as a separate language that inherits everything from `no`.
_BOKMAL, _NORWEGIAN = "nb", "no"

# The longest chain of aliases in CLDR has two steps. The bound prevents an endless loop.
_MAX_STEPS: Final = 5
# Clients choose the tags, so the caches are bounded: room for a few thousand spellings of some hundred languages.
_CACHE_SIZE: Final = 4_096

_is_extended = re.compile(r"[a-z]{3}\Z").match
_is_script = re.compile(r"[a-z]{4}\Z").match
_is_territory = re.compile(r"([a-z]{2}|[0-9]{3})\Z").match


class Meaning(NamedTuple):
    """What a tag says; "" is unsaid. Variants and extensions are omitted."""

    language: str
    script: str = ""
    territory: str = ""

    @property
    def written(self) -> tuple[str, str]:
        """Language and script: who reads both can read the text."""
        return self.language, self.script

    @property
    def whole(self) -> str:
        """In CLDR's spelling."""
        return "_".join(filter(None, self))

    def identifiers(self) -> Iterator[str]:
        """CLDR's identifiers, with the script and without it."""
        yield self.whole
        yield "_".join(filter(None, (self.language, self.territory)))


@lru_cache(_CACHE_SIZE)
def meaning_of(tag: str) -> Meaning:
    """What the tag says, in today's names."""
    language, *rest = tag.lower().replace("_", "-").split("-")
    whole = next((key for key in _WHOLE if f"{'-'.join((language, *rest))}-".startswith(f"{key}-")), None)
    if whole:
        language, rest = _WHOLE[whole], rest[whole.count("-") :]
    while rest and _is_extended(rest[0]):  # `zh-yue` is `yue`
        language, rest = rest[0], rest[1:]
    script = rest.pop(0).title() if rest and _is_script(rest[0]) else ""
    territory = rest.pop(0).upper() if rest and _is_territory(rest[0]) else ""
    return _renamed(Meaning(language, script, territory))


def _renamed(said: Meaning) -> Meaning:
    """Follow the aliases. One may give a script or territory too; what the tag itself says has precedence."""
    for _ in range(_MAX_STEPS):
        alias = get_global("language_aliases").get(said.language)
        if not alias:
            break
        means = _of_identifier(alias)
        said = Meaning(means.language, said.script or means.script, said.territory or means.territory)
    language = _NORWEGIAN if said.language == _BOKMAL else said.language
    script = get_global("script_aliases").get(said.script, said.script)
    return Meaning(language, script, _territory_now(Meaning(language, script, said.territory)))


def _of_identifier(identifier: str) -> Meaning:
    """The meaning of an identifier in CLDR's spelling."""
    language, *rest = identifier.split("_")
    script = rest.pop(0) if rest and _is_script(rest[0].lower()) else ""
    return Meaning(language, script, rest[0] if rest and _is_territory(rest[0].lower()) else "")


def _territory_now(said: Meaning) -> str:
    """The successor of a territory that was split up: where the language is likely, or else the first."""
    successors = get_global("territory_aliases").get(said.territory)
    if not successors:
        return said.territory
    likely = likely_of(Meaning(said.language, said.script)).territory
    return likely if likely in successors else str(successors[0])


@lru_cache(_CACHE_SIZE)
def likely_of(said: Meaning) -> Meaning:
    """Language, script and territory. Of a language that CLDR doesn't know, only what is said."""
    likely = get_global("likely_subtags")
    for known in (said, Meaning(said.language, said.script), Meaning(said.language, "", said.territory)):
        if found := likely.get(known.whole):
            break
    else:
        found = likely.get(said.language, "")
    means = _of_identifier(found) if found else Meaning("")
    return Meaning(said.language, said.script or means.script, said.territory or means.territory)


@lru_cache(_CACHE_SIZE)
def fallbacks_of(tag: str) -> tuple[Meaning, ...]:
    """The tag with its script, and its parents, best first."""
    said = _with_script(meaning_of(tag))
    found = [said]
    for _ in range(_MAX_STEPS):
        parent = _parent(said)
        if parent is None or parent in found:
            break
        found.append(said := parent)
    return tuple(found)


def _with_script(said: Meaning) -> Meaning:
    return said._replace(script=likely_of(said).script)


def _parent(said: Meaning) -> Meaning | None:
    exceptions = get_global("parent_exceptions")
    named = next((exceptions[one] for one in said.identifiers() if one in exceptions), None)
    if named:
        parent = _with_script(_renamed(_of_identifier(named)))
        if parent.script == said.script and parent.language in (said.language, _NORWEGIAN):
            return parent
    if said.territory:
        return said._replace(territory="")
    # The script of a language that CLDR doesn't have is unknown.
    is_unknown = said.script and said.language not in get_global("likely_subtags")
    return Meaning(said.language) if is_unknown else None


@lru_cache(_CACHE_SIZE)
def best_tag(tags: tuple[str, ...], wanted: str) -> str | None:
    """The best of the texts' tags for the language wanted. None if no text is in that language and script.

    In this order: the same tag; the tag without variants and extensions (RFC 4647); one with the same meaning, or its
    parent; any other of the same language and script, the shortest, so that the choice is stable.
    """
    by_lower = {tag.lower(): tag for tag in tags}
    means = meaning_of(wanted)
    for shorter in shorter_tags(wanted.lower()):
        if shorter in by_lower and (shorter == wanted.lower() or meaning_of(shorter) == means):
            return by_lower[shorter]
    shortest_first = sorted(tags, key=lambda tag: (len(tag), tag))
    for one in fallbacks_of(wanted):
        for tag in shortest_first:
            if likely_of(meaning_of(tag)) == likely_of(one):
                return tag
    readable = {one.written for one in fallbacks_of(wanted)}
    return next((tag for tag in shortest_first if likely_of(meaning_of(tag)).written in readable), None)


def shorter_tags(tag: str) -> Iterator[str]:
    """The tag, then without its last subtags, one by one. A single letter goes with what it introduces (RFC 4647)."""
    subtags = tag.split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()


def locale_names(wanted: str) -> Iterator[str]:
    """CLDR's names of locales to write numbers by, best first. Some of them may not exist in CLDR.

    For a language without a locale in its script another script is better than another language.
    """
    means = meaning_of(wanted)
    shorter = list(shorter_tags(wanted))
    # Babel resolves an alias to its likely locale: `arb` to `ar_EG`, which has other digits than `ar`.
    if shorter and shorter[-1].lower() == means.language:
        yield from (tag.replace("-", "_") for tag in shorter if meaning_of(tag) == means)
    yield means.whole
    for one in fallbacks_of(wanted):
        yield from one.identifiers() if likely_of(Meaning(one.language)).script == one.script else [one.whole]
    yield from (tag.replace("-", "_") for tag in shorter)
