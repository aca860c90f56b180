"""Draws the tables: a row of bar charts for each, a chart for each column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .table import SHOWN, Table

OURS, OTHERS = "#1a7f5a", "#b9bec4"

#: Inches: of a bar, of what is around those of a table, of a chart, and of the names of the drivers.
BAR, AROUND, CHART, NAMES = 0.24, 1.1, 2.3, 2.6


def draw(answers: Mapping[str, list[Table]], path: Path) -> None:
    """Write a picture of all figures.

    Args:
        answers: the tables by question.
        path: of the file; its suffix says in which format.
    """
    tables = [(question, table) for question, found in answers.items() for table in found if table.samples]
    if not tables:
        return
    heights = [BAR * len(table.samples) + AROUND for _, table in tables]
    most = max(len(table.columns) for _, table in tables)
    figure = Figure(figsize=(NAMES + CHART * most, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(tables), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (question, table) in zip(parts, tables, strict=True):
        shown, factor, _ = SHOWN[table.unit]
        part.suptitle(f"{question}: {table.title}{f', {shown}' if shown else ''}", fontsize=11, x=0.01, ha="left")
        # As many charts everywhere, so that bars can be compared from one table to the next.
        axes = part.subplots(1, most, squeeze=False, sharey=True)[0]
        names = list(table.samples)
        for axis, column in zip(axes, table.columns, strict=False):
            values = [(table.value(name, column) or 0) * factor for name in names]
            bars = axis.barh(names, values, color=[OURS if name.startswith("neonps") else OTHERS for name in names])
            texts = [table.show(value / factor, unit=False) if value else "-" for value in values]
            axis.bar_label(bars, texts, fontsize=7, padding=2)
            axis.set_title(fill(column, 26), fontsize=9)
            axis.tick_params(labelsize=8)
            axis.set_xlim(0, max(values) * 1.25 or 1)
            axis.set_xticks([])
            axis.spines[["top", "right", "bottom"]].set_visible(False)
        for axis in axes[len(table.columns) :]:
            axis.set_visible(False)
        axes[0].invert_yaxis()
    figure.savefig(path, dpi=100)
