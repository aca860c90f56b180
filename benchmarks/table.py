"""The tables that questions are answered by, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

#: By what a unit of a figure is multiplied to be shown, and with how many digits.
SHOWN = {"s": ("ms", 1e3, 1), "B": ("MB", 1e-6, 1), "trips": ("", 1, 0)}


class Aim(NamedTuple):
    """What a figure shall be at most.

    Attributes:
        row, column: of the figure.
        limit: what it is compared with, or by what the other figure is multiplied.
        to: the row of the other figure; None if it is compared with `limit` itself.
        of: the column of the other figure; None if it is the same.
    """

    row: str
    column: str
    limit: float
    to: str | None = None
    of: str | None = None


class Outcome(NamedTuple):
    """What has become of an aim.

    Attributes:
        aim: what is aimed at.
        figure: the figure, or its ratio to the other.
        text: both in words.
        met: whether it is as it shall be.
        typical: the same for the medians instead of the best.
    """

    aim: Aim
    figure: float
    text: str
    met: bool
    typical: bool

    @property
    def verdict(self) -> str:
        """In a few words."""
        said = {True: "met", False: "missed"}
        return said[self.met] + (f", by the medians {said[self.typical]}" if self.met != self.typical else "")


@dataclass
class Table:
    """The figures of one kind for some drivers.

    Attributes:
        title: what was measured.
        unit: of all figures: "s", "B" or "trips".
        base: the driver to which the others are compared. When it is left out, it is the first.
        samples: for each driver, all that was measured by the name of the column.
        aims: what figures shall be.
    """

    title: str
    unit: str
    base: str
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)

    def add(self, row: str, column: str, value: float, goal: float | None = None) -> None:
        """Take in what was measured, once more or for the first time; `goal` is what it shall be at most."""
        self.samples.setdefault(row, {}).setdefault(column, []).append(value)
        if goal is not None:
            self.aim(row, column, goal)

    def aim(self, row: str, column: str, limit: float, to: str | None = None, of: str | None = None) -> None:
        """Aim at something; see `Aim`."""
        aim = Aim(row, column, limit, to, of)
        if aim not in self.aims:
            self.aims.append(aim)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they came."""
        return list(dict.fromkeys(column for cells in self.samples.values() for column in cells))

    @property
    def compared_with(self) -> str:
        """The driver to which the others are compared."""
        return self.base if self.base in self.samples else next(iter(self.samples), self.base)

    def value(self, row: str, column: str) -> float | None:
        """The figure: the best of what was measured, of memory the worst; None if there is none."""
        found = self.samples.get(row, {}).get(column)
        if not found:
            return None
        # What disturbs a measurement makes it take longer. Of memory nothing but the driver itself decides.
        return max(found) if self.unit == "B" else min(found)

    def typical(self, row: str, column: str) -> float | None:
        """The median of what was measured."""
        found = self.samples.get(row, {}).get(column)
        return median(found) if found else None

    def repeated(self, row: str) -> int:
        """How often a driver was measured."""
        return max(map(len, self.samples[row].values()))

    def outcomes(self) -> Iterator[Outcome]:
        """What has become of each aim of which there are figures."""
        for aim in self.aims:
            figures = [self.value(aim.row, aim.column), self.typical(aim.row, aim.column)]
            others = [1.0, 1.0]
            if aim.to is not None:
                other = aim.of or aim.column
                others = [self.value(aim.to, other) or 0.0, self.typical(aim.to, other) or 0.0]
            if None in figures or not all(others):
                continue
            best, typical = ((figure or 0.0) / other for figure, other in zip(figures, others, strict=True))
            if aim.to is None:
                text = f"{self.show(best)}, to be at most {self.show(aim.limit)}"
            else:
                other = aim.to + (f", {aim.of}" if aim.of else "")
                text = f"{best:.2f} x {other}, to be at most {aim.limit:.2f} x"
            yield Outcome(aim, best, text, best <= aim.limit, typical <= aim.limit)

    def show(self, value: float, unit: bool = True) -> str:
        """A figure as it is read."""
        shown, factor, digits = SHOWN[self.unit]
        return f"{value * factor:,.{digits}f}" + (f" {shown}" if unit and shown else "")

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "title": self.title,
            "unit": self.unit,
            "base": self.compared_with,
            "rows": {row: {column: self.value(row, column) for column in cells} for row, cells in self.samples.items()},
            "samples": self.samples,
            "goals": [
                {**outcome.aim._asdict(), "figure": outcome.figure, "met": outcome.met} for outcome in self.outcomes()
            ],
        }

    @property
    def heading(self) -> str:
        """The title, and how to read the table."""
        shown, *_ = SHOWN[self.unit]
        noise = "; + is how far the median is above it" if self.unit == "s" else ""
        return f"{self.title}{f', {shown}' if shown else ''}; x is the ratio to {self.compared_with}{noise}"

    def lines(self) -> list[list[str]]:
        """What is in the table, with what is above the columns."""
        found = [["", *self.columns, "runs"]]
        for row in self.samples:
            found.append([row, *(self._cell(row, column) for column in self.columns), str(self.repeated(row))])
        return found

    def __str__(self) -> str:
        lines = self.lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
            for line in lines
        ]
        return "\n".join([self.heading, *(text.rstrip() for text in texts)])

    def _cell(self, row: str, column: str) -> str:
        value = self.value(row, column)
        if value is None:
            return "-"
        text = self.show(value, unit=False)
        if self.unit == "s":
            text += f" +{(self.typical(row, column) or value) / value - 1 if value else 0:.0%}".rjust(5)
        base = self.value(self.compared_with, column)
        # Of next to nothing there is no ratio that means anything.
        _, factor, digits = SHOWN[self.unit]
        return f"{text} {value / base:6.2f} x" if base and round(base * factor, digits) else f"{text} {'':8}"
