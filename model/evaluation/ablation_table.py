"""What an ablation found: rows over seeds, as Markdown, as data and as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from model.evaluation.ablation import POINT_SCORES, SCORES, Outcome
from model.evaluation.charts import dot_chart, line_chart
from model.evaluation.studies import PLAIN, Study
from model.types import UInt8Array


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a study: its trials, one for every seed."""

    name: str
    marks: Mapping[str, object]
    outcomes: tuple[Outcome, ...]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        return [outcome.record for outcome in self.outcomes if outcome.record is not None]

    def scores(self, name: str) -> list[float]:
        """One score, 0..1, of all seeds that have it."""
        return [record["scores"][name] for record in self.records if name in record["scores"]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. Of every score the mean, the sample standard deviation (null for one seed) and the values."""
        names = [name for name in (*SCORES, *POINT_SCORES) if self.scores(name)]
        return {
            "name": self.name,
            "marks": dict(self.marks),
            "seeds": [outcome.trial.seed for outcome in self.outcomes if outcome.record is not None],
            "scores": {name: summary(self.scores(name)) for name in names},
            "sequences": {
                sequence: {name: summary([r["sequences"][sequence][name] for r in self.records]) for name in SCORES}
                for sequence in (self.records[0]["sequences"] if self.records else ())
            },
            "steps": [record["training"].get("steps") for record in self.records],
            "training seconds": [record["training"].get("seconds") for record in self.records],
            "seconds per frame": [record["seconds per frame"] for record in self.records],
            "failed": {str(o.trial.seed): o.error for o in self.outcomes if o.error is not None},
        }


def summary(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": mean(values), "std": stdev(values) if len(values) > 1 else None, "values": list(values)}


def table_rows(study: Study, outcomes: Sequence[Outcome]) -> list[Row]:
    """The rows of a study in its order, with the outcomes that there are so far."""
    by_row: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_row.setdefault(outcome.trial.row, []).append(outcome)
    return [Row(t.row, t.marks, tuple(by_row[t.row])) for t in study.trials if t.row in by_row]


def effects(study: Study, rows: Sequence[Row], score: str = "J&F") -> dict[str, float]:
    """What each factor of a factorial is worth: the mean score of all rows with it less that of all without.

    Empty for other studies, and until all rows have a score.
    """
    if study.name != "factorial" or len(rows) < len(study.trials) or not all(row.scores(score) for row in rows):
        return {}
    return {
        factor: mean(mean(row.scores(score)) for row in rows if row.marks[factor])
        - mean(mean(row.scores(score)) for row in rows if not row.marks[factor])
        for factor in study.factors
    }


def as_dict(study: Study, rows: Sequence[Row], about: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-ready. about: what all rows share, such as the budget."""
    return {
        "study": study.name,
        "note": study.note,
        **about,
        "rows": [row.as_dict() for row in rows],
        "effects": effects(study, rows),
    }


def cells(study: Study, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table as text: its head, and a line for every row. Scores are in %."""
    names = [name for name in (*SCORES, *POINT_SCORES) if any(row.scores(name) for row in rows)]
    head = [study.name, *study.factors, *names, "seeds", "training s", "s per frame"]
    return head, [_line(study, row, names) for row in rows]


def _line(study: Study, row: Row, names: Sequence[str]) -> list[str]:
    spent = [record["training"]["seconds"] for record in row.records if record["training"]]
    pace = [record["seconds per frame"] for record in row.records]
    return [
        row.name,
        *(_mark(row.marks[factor]) for factor in study.factors),
        *(percent(row.scores(name)) for name in names),
        str(len(row.records)) + (" (failed)" if len(row.records) < len(row.outcomes) else ""),
        f"{mean(spent):.0f}" if spent else "",
        f"{mean(pace):.2f}" if pace else "",
    ]


def _mark(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(values: Sequence[float]) -> str:
    """Mean, and sample standard deviation if there are several, in %."""
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def markdown(study: Study, rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """The table, J&F by sequence, and what readers must know."""
    head, lines = cells(study, rows)
    parts = [f"# Ablation: {study.name}", _about(about), _table(head, lines)]
    if found := effects(study, rows):
        gains = ", ".join(f"{factor} {100 * gain:+.1f}" for factor, gain in found.items())
        parts.append(f"Effect on J&F, mean of the four rows with it less mean of the four without: {gains}.")
    if study.note:
        parts.append(study.note)
    sequences = list(dict.fromkeys(name for row in rows for record in row.records for name in record["sequences"]))
    if sequences:
        by_sequence = [
            [row.name, *(percent([r["sequences"][name]["J&F"] for r in row.records if name in r["sequences"]])
                         for name in sequences)]
            for row in rows
        ]  # fmt: skip
        parts += ["## J&F by sequence", _table([study.name, *sequences], by_sequence)]
    failed = [o for row in rows for o in row.outcomes if o.error is not None]
    if failed:
        parts += ["## Failed", *(f"- {o.trial.row}, seed {o.trial.seed}: {o.error}" for o in failed)]
    return "\n\n".join(parts) + "\n"


def plots(study: Study, rows: Sequence[Row]) -> dict[str, UInt8Array]:
    """Pictures of J&F by file name without ending: [H, W, 3] RGB. None while there is no score."""
    scored = [row for row in rows if row.scores("J&F")]
    if not scored:
        return {}
    if study.name == "hyper":
        usual = study.trials[0].marks
        pictures = {}
        for factor, name in PLAIN.items():
            points = [
                (float(str(row.marks[factor])), row.scores("J&F"))
                for row in scored
                if all(row.marks[other] == usual[other] for other in study.factors if other != factor)
            ]
            if points:
                label = f"{name} (the others: {', '.join(f'{PLAIN[f]} {v}' for f, v in usual.items() if f != factor)})"
                pictures[name] = line_chart(f"J&F by {name}", label, {name: sorted(points)})
        return pictures
    if study.name == "convergence":
        series: dict[str, list[tuple[float, list[float]]]] = {}
        for row in scored:
            share = float(str(row.marks["budget"]))
            series.setdefault(str(row.marks["recipe"]), []).append((100 * share, row.scores("J&F")))
        return {study.name: line_chart("J&F in the course of training", "budget used up, %", series)}
    title = {"factorial": "What each part adds: J&F at equal budget"}.get(study.name, "J&F at equal budget")
    return {study.name: dot_chart(title, [(row.name, row.scores("J&F")) for row in rows])}


def _about(about: Mapping[str, Any]) -> str:
    said = "; ".join(f"{name}: {_mark(value)}" for name, value in about.items() if value is not None)
    return f"Scores in %; ± is the sample standard deviation over seeds. {said}.".replace(" .", ".")


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))
