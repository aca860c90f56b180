"""Text as a terminal may show it: nothing in it is obeyed, and it is known how many columns it takes."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category, combining, east_asian_width

#: What terminals obey, or what changes the order in which they show text (UAX 9): all control characters but line
#: feed and tab, line and paragraph separators, embeddings, overrides and isolates.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_NAMES = {"\r": r"\r"}

#: How far apart the stops of tabulators are.
_TAB = 8

_ZERO_WIDTH_JOINER = "\u200d"
_EMOJI_VARIATION = "\ufe0f"
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")


def shown(text: str) -> str:
    """`text` with what terminals obey written out, as `\\x1b`. Line feeds and tabs are left."""
    return _OBEYED.sub(_written_out, text)


def shown_message(text: str) -> str:
    """As `shown()`, for messages, which need not have an exact form."""
    return shown(text).replace("\t", " ")


def json_safe(text: str) -> str:
    """JSON with what terminals obey as escapes of JSON's."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMES.get(character) or (f"\\x{ord(character):02x}" if character < "\x80" else f"\\u{ord(character):04x}")


def shown_lines(text: str) -> list[str]:
    """The lines of a text as they are shown, with spaces in the place of tabs."""
    if text.isascii() and text.isprintable():
        return [text]
    lines = shown(text).split("\n")
    return [_without_tabs(line) if "\t" in line else line for line in lines]


def _without_tabs(line: str) -> str:
    first, *rest = line.split("\t")
    result = first
    for piece in rest:
        result += " " * (_TAB - width(result) % _TAB) + piece
    return result


def width(text: str) -> int:
    """How many columns of a terminal a line takes (UAX 11); what belongs to one emoji is counted once."""
    if text.isascii():
        return len(text)
    total = 0
    before = ""
    last = 0  # the width of the character that others are added to
    for character in text:
        if character == _EMOJI_VARIATION:
            total += 2 - last if last == 1 else 0
            last = 2 if last else 0
        elif columns := _columns(character):
            joined = before == _ZERO_WIDTH_JOINER or _SKIN_TONES[0] <= character <= _SKIN_TONES[1]
            if not (joined and columns == last == 2):  # then it is drawn into the one before
                total += columns
            last = columns
        before = character
    return total


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    # The vowels and final consonants of Hangul are drawn into the syllable that they are of.
    if combining(character) or category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
