"""The one table: cold start, warm start, step and peak memory of every peer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tests.benchmarks.start import start_seconds
from tests.benchmarks.workers import time_side_by_side

COLUMNS = ("cold start s", "warm start s", "step ms", "+-", "ratio", "peak MB")


@dataclass
class Row:
    """The figures of one peer; None where nothing was measured."""

    peer: str
    cold: float | None = None
    warm: float | None = None
    step: float | None = None
    spread: float | None = None
    ratio: float | None = None
    megabytes: float | None = None
    problem: str = ""

    def cells(self):
        """Return the figures as text, in the order of the columns."""
        if self.problem:
            return [self.problem.splitlines()[-1][:60]]
        figures = (self.cold, self.warm, self.step, self.spread, self.ratio)
        cells = ["" if each is None else f"{each:.2f}" for each in figures]
        return [*cells, f"{self.megabytes:.0f}"]


def measure(workload, rounds=15, warm_runs=3, starts=True):
    """Measure all peers of a workload; the first that is there is the reference."""
    rows, reference = [], None
    for timing in time_side_by_side(workload.peers, rounds=rounds, rtol=workload.rtol):
        if timing.problem:
            rows.append(Row(timing.name, problem=timing.problem))
            continue
        reference = reference or timing.median
        row = Row(
            timing.name,
            step=1e3 * timing.median,
            spread=1e3 * timing.spread,
            ratio=timing.median / reference,
            megabytes=timing.megabytes,
        )
        if starts:
            row.cold, row.warm = start_seconds(workload.peers[timing.name], warm_runs)
        rows.append(row)
    return rows


def text(tables):
    """Write a table of the rows of each workload."""
    lines = [f"{'':44}" + "".join(f"{column:>14}" for column in COLUMNS)]
    for title, rows in tables.items():
        lines += ["", title]
        for row in rows:
            lines.append(f"  {row.peer:42}" + "".join(f"{c:>14}" for c in row.cells()))
    return "\n".join(lines)


def save(about, tables, path):
    """Keep the figures, and what they were measured on, as JSON."""
    kept = {title: [asdict(row) for row in rows] for title, rows in tables.items()}
    written = json.dumps({"about": about, "tables": kept}, indent=1)
    path.write_text(f"{written}\n", encoding="utf-8")


def load(path):
    """Return what was given to :func:`save`: (about, tables)."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    tables = {
        title: [Row(**row) for row in rows] for title, rows in kept["tables"].items()
    }
    return kept["about"], tables


def picture(tables, path):
    """Draw steps and cold starts, one row of panels for each workload."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.6 + 1.9 * len(tables)), layout="constrained")
    panels = figure.subplots(len(tables), 2, squeeze=False)
    for (title, rows), (left, right) in zip(tables.items(), panels, strict=True):
        rows = [row for row in reversed(rows) if not row.problem]
        names = [row.peer for row in rows]
        colours = ["C1" if "lasagne_next" in name else "C0" for name in names]
        left.barh(names, [row.step for row in rows], color=colours)
        left.errorbar(
            [row.step for row in rows],
            range(len(rows)),
            xerr=[row.spread for row in rows],
            fmt="none",
            color="black",
        )
        left.set_title(title, fontsize="small", loc="left")
        left.set_xlabel("a step, ms")
        right.barh(names, [row.cold or 0 for row in rows], color=colours)
        right.barh(names, [row.warm or 0 for row in rows], color="black", height=0.2)
        right.set_xlabel("to the first step, cold (black: warm), s")
        right.set_yticks([])
    figure.savefig(path)
