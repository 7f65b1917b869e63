"""What was measured, kept as a file for each part, so that several runs make one table."""

import json

from common.kamailio import TOP
from common.picture import draw
from common.table import is_number

KEPT = TOP / "target/bench/results"
HEADS = ("module", "what", "unit", "original", "sipbus", "bare client", "times better", "wanted")


def keep(module, part, conditions, load, rows):
    KEPT.mkdir(parents=True, exist_ok=True)
    result = {"module": module, "part": part, "conditions": conditions, "load": load, "rows": rows}
    (KEPT / f"{module}.{part}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def kept(parts):
    """The newest result of each of these (module, part), where there is one."""
    files = (KEPT / f"{module}.{part}.json" for module, part in parts)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def cell(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


def times_better(row):
    if row["ratio"] is None:
        return ""
    against = "" if is_number(row["original"]) else " (bare client)"
    return f"{row['ratio']:.2f}{against}"


def markdown(results):
    """One table, and in front of it where and how its figures came to be."""
    lines = [f"{conditions}\n" for conditions in dict.fromkeys(result["conditions"] for result in results)]
    loads = [result["load"] for result in results]
    if loads:
        lines.append(f"Load average when a part began: {min(loads):.2f} to {max(loads):.2f}.\n")
    lines += ["| " + " | ".join(HEADS) + " |", "|---|---|---|--:|--:|--:|--:|--:|"]
    for result in results:
        for row in result["rows"]:
            figures = (cell(row[name]) for name in ("original", "ours", "bare"))
            cells = (f"`{result['module']}`", row["what"], row["unit"], *figures, times_better(row), row["wanted"] or "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write(results, folder):
    """The table and its picture, as figures.md and figures.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.md").write_text(markdown(results), encoding="utf-8")
    (folder / "figures.svg").write_text(draw(results), encoding="utf-8")
