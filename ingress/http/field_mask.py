"""Partial replies: the mask in the parameter `fields` (G2), in the syntax of Google's APIs. Pure.

    mask = item ("," item)*     item = path | path "(" mask ")"     path = name ("/" name)*     name = text | "*"

`a,b` keeps both fields. `a/b` keeps only b of a. `a(b,c)` means `a/b,a/c`. `*` means every field. A mask applies to
each element of an array. A name that the reply does not have keeps nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

# Google's client sends a query longer than 2,048 characters as a form, and masks alone can be longer.
MAX_MASK_CHARACTERS = 8_192
# Of nested fields. The deepest reply has four levels, so deeper names keep nothing anyway.
MAX_MASK_DEPTH = 32

_pieces = re.compile(r"[,/()]|[^,/()]+").findall
_is_name = re.compile(r"\*|[^*\s,/()]+").fullmatch
_NOTHING: Final = object()


class BadMask(ValueError):
    """The text is not a mask. The message says why."""


@dataclass(slots=True)
class Mask:
    """A field of the mask: kept whole, or only the fields in `below`."""

    whole: bool = False
    below: dict[str, "Mask"] = field(default_factory=dict)


def parse_mask(text: str) -> Mask:
    """Parses a mask. Raises BadMask."""
    if len(text) > MAX_MASK_CHARACTERS:
        raise BadMask(f"Longer than {MAX_MASK_CHARACTERS} characters")
    root = Mask()
    # The fields with an open bracket, the last field and its depth, and what may come next.
    opened, last, depth, name_due, in_path = [(root, 0)], root, 0, True, False
    for piece in _pieces(text):
        if name_due and _is_name(piece):
            last = last.below.setdefault(piece, Mask()) if depth < MAX_MASK_DEPTH else Mask()
            depth, name_due, in_path = depth + 1, False, True
        elif piece == "/" and in_path:
            name_due, in_path = True, False
        elif piece == "(" and in_path:
            opened.append((last, depth))
            name_due, in_path = True, False
        elif piece == "," and not name_due:
            last.whole |= in_path
            (last, depth), name_due, in_path = opened[-1], True, False
        elif piece == ")" and not name_due and len(opened) > 1:
            last.whole |= in_path
            (last, depth), in_path = opened.pop(), False
        else:
            raise BadMask(f"Unexpected {piece[:40]!r}")
    if name_due or len(opened) > 1:
        raise BadMask("Ends too early")
    last.whole |= in_path
    return root


def selected(reply: dict[str, object], mask: Mask) -> dict[str, object]:
    """The fields of a reply that `mask` keeps, in the reply's order."""
    return _of_object(reply, (mask,))


def _of_object(value: dict[str, object], masks: Sequence[Mask]) -> dict[str, object]:
    """A field can match by its name and by `*`, hence several masks. A field stays if any of them keeps it."""
    kept = {}
    for name, inner in value.items():
        meant = [mask.below[key] for mask in masks for key in (name, "*") if key in mask.below]
        part = inner if any(mask.whole for mask in meant) else _below(inner, meant)
        if part is not _NOTHING:
            kept[name] = part
    return kept


def _below(value: object, masks: Sequence[Mask]) -> object:
    if not masks:
        return _NOTHING
    if isinstance(value, dict):
        return _of_object(value, masks)
    if isinstance(value, list):
        return [part for part in (_below(element, masks) for element in value) if part is not _NOTHING]
    return _NOTHING  # a plain value has no fields
