"""Two modules side by side, as Markdown."""

from statistics import median


def number(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


class Table:
    """`better` is "less" or "more"; the ratio tells how many times better ours is, so above 1 is better."""

    def __init__(self, original, ours):
        self.names = (original, ours)
        self.lines = [
            f"| what | unit | {original} | {ours} | times better | wanted |",
            "|---|---|--:|--:|--:|--:|",
        ]

    def add(self, what, unit, better, measured, wanted=None):
        """`measured`: name to one value per round, of which the median counts."""
        theirs, ours = (median(measured[name]) for name in self.names)
        ratio = theirs / ours if better == "less" and ours else ours / theirs if better == "more" and theirs else None
        self.row(what, unit, theirs, ours, ratio and f"{ratio:.2f}", wanted and f">= {wanted:.3g}")

    def row(self, what, unit, theirs, ours, ratio=None, wanted=None):
        cells = (what, unit, number(theirs), number(ours), ratio or "", wanted or "")
        self.lines.append("| " + " | ".join(cells) + " |")

    def __str__(self):
        return "\n".join(self.lines)
