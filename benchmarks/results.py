"""Writes what a run has found as a page in Markdown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from .table import Outcome, Table

#: What somebody has to say of the figures; it goes into the page as it is.
REMARKS = Path(__file__).parent / "remarks.md"

INTRODUCTION = """\
# Results

Written by `python -m benchmarks --results`; the README says [how to read it](README.md#how-to-read-it). Compare only
what is in the same table, whose rows were measured in turns.
"""


def write(
    path: Path,
    facts: Mapping[str, str],
    answers: Mapping[str, Sequence[Table]],
    questions: Mapping[str, str],
    goals: Mapping[str, int],
    missing: Sequence[str],
) -> None:
    """Write the whole page.

    Args:
        path: where.
        facts: what the figures depend on.
        answers: the tables by question.
        questions: the questions in words.
        goals: the number of the goal that each question belongs to.
        missing: what was left out, or has failed.
    """
    parts = [INTRODUCTION, "## The machine\n", table(["", ""], [list(fact) for fact in facts.items()])]
    parts += [f"- {line}" for line in missing] + [""] * bool(missing)
    found = outcomes(answers, goals)
    if found:
        rows = [[str(goal), title, figure, outcome.verdict] for goal, title, figure, outcome in found]
        parts += ["## The goals\n", table(["goal", "what", "figure", ""], rows)]
    if REMARKS.exists():
        parts += ["## Remarks\n", REMARKS.read_text(encoding="utf-8").strip() + "\n"]
    for question, tables in answers.items():
        parts.append(f"## {question}\n\n{questions[question]}\n")
        for answer in tables:
            head, *lines = answer.lines()
            parts += [f"**{answer.heading}**\n", table(head, lines, numbers=True)]
    path.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def outcomes(answers: Mapping[str, Sequence[Table]], goals: Mapping[str, int]) -> list[tuple[int, str, str, Outcome]]:
    """What has become of each goal: its number, what was measured, the figure in words, and the outcome."""
    return [
        (goals[question], f"{answer.title}: {outcome.aim.row}, {outcome.aim.column}", outcome.text, outcome)
        for question, tables in answers.items()
        for answer in tables
        for outcome in answer.outcomes()
    ]


def in_words(answers: Mapping[str, Sequence[Table]], goals: Mapping[str, int]) -> str:
    """The same, a line for each."""
    return "\n".join(
        f"goal {goal} - {title} - {figure} - {outcome.verdict}"
        for goal, title, figure, outcome in outcomes(answers, goals)
    )


def today() -> str:
    """The date."""
    return dt.datetime.now(dt.timezone.utc).date().isoformat()


def table(head: Sequence[str], lines: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """A table in Markdown.

    Args:
        head: what is above the columns.
        lines: what is in them.
        numbers: whether all columns but the first have numbers.
    """
    rule = ["---"] + ["---:" if numbers else "---"] * (len(head) - 1)
    cells = [head, rule, *lines]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in cells) + "\n"
