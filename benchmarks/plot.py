"""Draws the tables: a row of bar charts for each, a chart for each column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .table import SHOWN, Table

OURS, OTHERS = "#1a7f5a", "#b9bec4"


def draw(answers: Mapping[str, list[Table]], path: Path) -> None:
    """Write a picture of all figures.

    Args:
        answers: the tables by question.
        path: of the file; its suffix says in which format.
    """
    tables = [(question, table) for question, found in answers.items() for table in found if table.rows]
    if not tables:
        return
    heights = [0.26 * len(table.rows) + 1.0 for _, table in tables]
    figure = Figure(figsize=(18, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(tables), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (question, table) in zip(parts, tables, strict=True):
        shown, factor, _ = SHOWN[table.unit]
        part.suptitle(f"{question}: {table.title}{f', {shown}' if shown else ''}", fontsize=10, x=0.01, ha="left")
        axes = part.subplots(1, len(table.columns), squeeze=False, sharey=True)[0]
        for axis, column in zip(axes, table.columns, strict=True):
            values = [cells.get(column, 0) * factor for cells in table.rows.values()]
            colours = [OURS if name.startswith("neonps") else OTHERS for name in table.rows]
            axis.barh(list(table.rows), values, color=colours)
            axis.set_title(column, fontsize=8)
            axis.tick_params(labelsize=7)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].invert_yaxis()
    figure.savefig(path, dpi=110)
