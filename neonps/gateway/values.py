"""Values between JSON and the text form of Postgres, as SQL over HTTP has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring

#: Turns the text of a value that is not NULL into JSON.
ToJSON = Callable[[str], str]

#: Text as a JSON string. Only what JSON requires is escaped (RFC 8259 7).
string_to_json: ToJSON = encode_basestring


class Number(str):
    """A JSON number as it was written, so that no digit of it is lost on the way."""

    __slots__ = ()


#: What a value takes in memory beside its text, and what an object takes more, in bytes.
_VALUE, _OBJECT = 100, 300

#: What takes no more than this is not counted, in bytes.
_LITTLE = 1 << 20

#: How much of a document is looked at in one go, in bytes: other threads have their turn in between.
_PIECE = 1 << 18


def memory_for(document: bytes | bytearray) -> int:
    """About how much memory the values of a JSON document take beside their text, in bytes; 0 for little."""
    if _weight(document) <= _LITTLE:
        return 0
    found = 0
    in_string = False
    begun = b""  # an escape that goes on in the next piece
    for start in range(0, len(document), _PIECE):
        piece = begun + document[start : start + _PIECE]
        begun = b"\\" * ((len(piece) - len(piece.rstrip(b"\\"))) % 2)
        piece = piece[: len(piece) - len(begun)].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        found += _weight(b"".join(parts[in_string::2]))
        in_string ^= len(parts) % 2 == 0
    return found


def _weight(structure: bytes | bytearray) -> int:
    return _VALUE * (structure.count(b",") + structure.count(b"[")) + _OBJECT * structure.count(b"{")


def parse_json(document: bytes | bytearray) -> object:
    """The value of a JSON document, with its numbers as `Number`.

    Raises:
        ValueError: it is not JSON (RFC 8259).
        RecursionError: it is nested deeper than we can follow.
    """
    return json.loads(document.decode(), parse_float=Number, parse_int=Number, parse_constant=_no_constant)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def to_json(value: object) -> str:
    """What `parse_json` has given, as JSON again."""
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return string_to_json(value)
    if isinstance(value, list):
        return f"[{','.join(map(to_json, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{string_to_json(key)}:{to_json(item)}' for key, item in value.items())}}}"
    return {None: "null", True: "true", False: "false"}[value]  # type: ignore[index]


def to_postgres(value: object) -> str | None:
    """A parameter, as `parse_json` has given it, in the text form of Postgres; None for NULL.

    An array becomes a `{...}` literal and an object JSON text. So an array for a json parameter has to come
    as a string.
    """
    if value is None or isinstance(value, str):
        return value
    return _array_literal(value) if isinstance(value, list) else to_json(value)


def _array_literal(items: list[object]) -> str:
    # PostgreSQL docs 8.15.6
    return f"{{{','.join(map(_array_element, items))}}}"


def _array_element(item: object) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, list):
        return _array_literal(item)
    if isinstance(item, (Number, bool)):
        return to_json(item)
    text = item if isinstance(item, str) else to_json(item)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bool_to_json(text: str) -> str:
    return "true" if text == "t" else "false"


def _number_to_json(text: str) -> str:
    # JSON has no NaN and no infinities. Like the proxy of Neon we send them as strings, since null says less.
    return text if text[-1].isdigit() else string_to_json(text)


def _json_to_json(text: str) -> str:
    return text


#: How values of a type become JSON, by its OID. Those of types that are neither here nor arrays are strings.
SCALARS: dict[int, ToJSON] = {
    16: _bool_to_json,
    21: _number_to_json,  # int2
    23: _number_to_json,  # int4
    700: _number_to_json,  # float4
    701: _number_to_json,  # float8
    114: _json_to_json,
    3802: _json_to_json,  # jsonb
}

#: Types that are known to be neither in SCALARS nor arrays; with any other one asks the server.
STRINGS = frozenset(
    (
        17,  # bytea
        18,  # "char"
        19,  # name
        20,  # int8
        25,  # text
        26,  # oid
        142,  # xml
        705,  # unknown
        790,  # money
        1042,  # bpchar
        1043,  # varchar
        1082,  # date
        1083,  # time
        1114,  # timestamp
        1184,  # timestamptz
        1186,  # interval
        1266,  # timetz
        1700,  # numeric
        2950,  # uuid
    )
)

#: For types that are arrays, the type and the delimiter of their elements, by OID.
ArrayTypes = dict[int, tuple[int, str]]

#: The common ones, to save asking the server.
ARRAY_TYPES: ArrayTypes = {
    1000: (16, ","),  # bool[]
    1005: (21, ","),  # int2[]
    1007: (23, ","),  # int4[]
    1016: (20, ","),  # int8[]
    1009: (25, ","),  # text[]
    1015: (1043, ","),  # varchar[]
    1021: (700, ","),  # float4[]
    1022: (701, ","),  # float8[]
    199: (114, ","),  # json[]
    3807: (3802, ","),  # jsonb[]
}

#: Asks for the array types among `$1`, an array of OIDs.
ARRAY_TYPES_QUERY = b"""
SELECT a.oid, coalesce(nullif(e.typbasetype, 0), e.oid), e.typdelim
FROM pg_catalog.pg_type e JOIN pg_catalog.pg_type a ON a.oid = e.typarray
WHERE a.oid = ANY ($1)
"""


def converter(oid: int, array_types: ArrayTypes) -> ToJSON:
    """What turns values of the type `oid` into JSON when the client does not want them raw."""
    if oid in array_types:
        element, delimiter = array_types[oid]
        return array_converter(SCALARS.get(element, string_to_json), delimiter)
    return SCALARS.get(oid, string_to_json)


def array_converter(to_json: ToJSON, delimiter: str = ",") -> ToJSON:
    """What turns arrays into JSON, given what does so for their elements."""
    escaped = re.escape(delimiter)
    # PostgreSQL docs 8.15.6. In group 1 a quoted element; in group 2 one that is not.
    token = re.compile(rf'"((?:[^"\\]|\\.)*)"|([^{{}}"{escaped}]+)|[{{}}{escaped}]', re.DOTALL)
    structure = {"{": "[", "}": "]", delimiter: ","}

    def replace(match: re.Match[str]) -> str:
        if match[2] is not None:
            return "null" if match[2] == "NULL" else to_json(match[2])
        if match[1] is not None:
            return to_json(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        return structure[match[0]]

    def convert(text: str) -> str:
        # Unless all lower bounds are 1, they stand in front: [0:1]={3,4}.
        return token.sub(replace, text[text.index("{") :])

    return convert
