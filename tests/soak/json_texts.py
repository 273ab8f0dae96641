"""Hostile JSON: texts that a parser, a document or a database may stumble over. Each is made from a seeded chance."""

import base64
import json
from collections.abc import Callable
from random import Random

# In every text that a client sends: neither a log nor a reason may hold it.
CANARY = "kanarienvogel"

# Around every limit of depth that is stated, and around those that Python's stack was seen to set.
DEPTHS = (2, 31, 32, 33, 63, 64, 65, 120, 480, 960, 966, 968, 986, 1_000, 5_000, 50_000)


def deep(chance: Random) -> str:
    """Arrays, objects, or both in turns."""
    depth = chance.choice(DEPTHS)
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}"), ('[{"b":', "}]")))
    return opening * depth + chance.choice(("1", '"x"', "[]", "null")) + closing * depth


def huge_number(chance: Random) -> str:
    digits = chance.choice((19, 20, 400, 4_299, 4_301, 20_000))
    return chance.choice(
        (
            str(2**63 - 1),
            str(2**63),
            str(-(2**63) - 1),
            "1e400",
            "-1e400",
            "1e-400",
            "-0",
            "0.1e1",
            "9" * digits,
            "-" + "9" * digits,
            "0." + "1" * digits,
            "1E+" + "9" * 20,
            "01",
            "+1",
            "NaN",
            "-Infinity",
        )
    )


def odd_string(chance: Random) -> str:
    count = chance.choice((1, 10, 300, 20_000))
    text = chance.choice(
        (
            r"\ud800",
            r"\udc00\ud800",
            r"\u0000",
            r"a\u0300\u0316" + r"\u0300\u0316" * count,
            "a" + "\u0300\u0316" * count,
            "\u202e\ufeff\u2028",
            r"\ud83d\ude00",
            "x" * count * 10,
            r"\\" * count,
            r"\x",
            "\t",
        )
    )
    return f'"{text}"'


def repeats(chance: Random) -> str:
    """One key many times, many keys, keys of the database."""
    count = chance.choice((2, 100, 5_000))
    return chance.choice(
        (
            "{" + ",".join('"k":1' for _ in range(count)) + "}",
            "{" + ",".join(f'"k{n}":{n}' for n in range(count)) + "}",
            '{"_id":1,"$where":"1","a.b":{"$set":{"":null}},"$ref":"x","$id":1}',
            r'{"a\u0000b":1}',
            "[" + ",".join("[]" for _ in range(count)) + "]",
            "[" + ",".join("{}" for _ in range(count)) + "]",
        )
    )


def plain(chance: Random) -> str:
    return chance.choice(("1", "null", "true", '"text"', "[]", "{}", "1.5", '{"Page":"/home"}'))


Text = Callable[[Random], str]
LEAVES: tuple[Text, ...] = (deep, huge_number, odd_string, repeats, plain, plain, plain)


def any_json(chance: Random, levels: int = 3) -> str:
    """A mixture of all of these."""
    if levels == 0 or chance.random() < 0.3:
        return chance.choice(LEAVES)(chance)
    parts = [any_json(chance, levels - 1) for _ in range(chance.randrange(4))]
    if chance.random() < 0.5:
        return "[" + ",".join(parts) + "]"
    return "{" + ",".join(f'"{CANARY}{n}":{part}' for n, part in enumerate(parts)) + "}"


def media_info(chance: Random, text: str) -> str:
    """In base64, standard or URL-safe, padded or not."""
    code = chance.choice((base64.b64encode, base64.urlsafe_b64encode))(text.encode(errors="surrogatepass")).decode()
    return code if chance.random() < 0.7 else code.rstrip("=")


TIMESTAMPS = (
    "9999-12-31T23:59:59.9999999-08:00",
    "9999-12-31T23:59:59.999Z",
    "10000-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "2016-12-31T23:59:60Z",
    "2026-06-01t10:00:00z",
    "2026-06-01T10:00:00+24:00",
    "2026-06-01T10:00:00.123456789123456789Z",
    "2026-W23-1T10:00:00Z",
    "20260921141320",
    "20260920",
    "99999999999",
    "100000000000",
    "99999999999999",
    "99999999999999999",
    "100000000000000000",
    "253402300799.9999",
    "/Date(253402300800000)/",
    "/Date(-1)/",
    "1e10",
    "-1",
    "0",
    "",
    " 1790000000",
    "\u0661\u0667\u0669",
    "nan",
)


def timestamp(chance: Random, now_millis: int) -> str:
    """As a JSON text: a string of the edge, that as a number where it is one, or a time of now."""
    if chance.random() < 0.3:
        return str(now_millis + chance.randrange(-(10**13), 10**13))
    edge = chance.choice(TIMESTAMPS)
    return edge if edge.isascii() and edge.isdigit() and chance.random() < 0.3 else json.dumps(edge)
