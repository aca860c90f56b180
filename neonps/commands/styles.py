"""Colours for tables on a terminal; rich knows which the terminal has."""

from __future__ import annotations

from .progress import plain_terminal
from .table import Paint, unpainted

_STYLES = {"header": "bold", "null": "dim", "note": "dim"}


def paint_for_stdout() -> Paint:
    """How to style text on standard output, which is a terminal; not at all without rich, or with NO_COLOR."""
    if plain_terminal():
        return unpainted
    try:
        from rich.console import Console
        from rich.style import Style
    except ImportError:
        return unpainted
    system = Console().color_system
    if system is None:
        return unpainted
    from rich.color import ColorSystem

    styles = {name: Style.parse(style) for name, style in _STYLES.items()}
    colors = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}

    def paint(text: str, style: str) -> str:
        return styles[style].render(text, color_system=colors.get(system, ColorSystem.STANDARD))

    return paint
