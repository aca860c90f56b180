"""The tables that questions are answered by, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: By what a unit of a figure is multiplied to be shown, and with how many digits.
SHOWN = {"s": ("ms", 1e3, 1), "B": ("MB", 1e-6, 1), "trips": ("", 1, 0)}


@dataclass
class Table:
    """The figures of one kind for some drivers.

    Attributes:
        title: what was measured.
        unit: of all figures: "s", "B" or "trips".
        base: the driver to which the others are compared. When it is left out, it is the first.
        rows: for each driver, its figures by the name of the column.
        goals: the same for what is aimed at.
    """

    title: str
    unit: str
    base: str
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    goals: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, row: str, column: str, value: float, goal: float | None = None) -> None:
        """Take in a figure; of two in the same place the smaller counts."""
        cells = self.rows.setdefault(row, {})
        cells[column] = min(value, cells.get(column, value))
        if goal is not None:
            self.goals.setdefault(row, {})[column] = goal

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they came."""
        return list(dict.fromkeys(column for cells in self.rows.values() for column in cells))

    @property
    def compared_with(self) -> str:
        """The driver to which the others are compared."""
        return self.base if self.base in self.rows else next(iter(self.rows), self.base)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "title": self.title,
            "unit": self.unit,
            "base": self.compared_with,
            "rows": self.rows,
            "goals": self.goals,
        }

    def __str__(self) -> str:
        shown, *_ = SHOWN[self.unit]
        title = f"{self.title}{f', {shown}' if shown else ''}; x is the ratio to {self.compared_with}"
        if self.goals:
            title += ", (goal)"
        lines = [["", *self.columns]]
        lines += [[row, *(self._cell(row, column) for column in self.columns)] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
            for line in lines
        ]
        return "\n".join([title, *(text.rstrip() for text in texts)])

    def _cell(self, row: str, column: str) -> str:
        value = self.rows[row].get(column)
        if value is None:
            return "-"
        _, factor, digits = SHOWN[self.unit]
        text = f"{value * factor:,.{digits}f}"
        goal = self.goals.get(row, {}).get(column)
        if goal is not None:
            text += f" ({goal * factor:,.{digits}f})"
        base = self.rows[self.compared_with].get(column)
        # Of next to nothing there is no ratio that means anything.
        return f"{text} {value / base:6.2f} x" if base and round(base * factor, digits) else f"{text} {'':8}"
