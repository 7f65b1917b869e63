"""The figures of one module, as rows: the original's, ours, and those of a bare client."""

from statistics import median

from common.harness import ORIGINAL, OURS

STUCK = "stuck"


def middle(values):
    """The median, or the word for a module that has no values because it got stuck."""
    return median(values) if values else STUCK


def is_number(value):
    return isinstance(value, (int, float))


def ratio(better, theirs, ours):
    """How many times better ours is, so above 1 is better; nothing where there is nothing to divide."""
    if not better or not all(is_number(value) and value > 0 for value in (theirs, ours)):
        return None
    return theirs / ours if better == "less" else ours / theirs


class Table:
    """`better` is "less" or "more". A cell is a number, a text, or None where there is nothing to say."""

    def __init__(self):
        self.rows = []

    def add(self, what, unit, better, measured, wanted=None, words=None, bare=None):
        """`measured`: module to one value per round, of which the median counts; `bare` the same of a bare client.
        What is wanted is a ratio, or said in words."""
        theirs = middle(measured[ORIGINAL]) if ORIGINAL in measured else None
        words = words or (wanted and f">= {wanted:.3g}")
        self.row(what, unit, theirs, middle(measured[OURS]), better, words, bare and median(bare))

    def row(self, what, unit, original, ours, better=None, wanted=None, bare=None):
        # Where there is no figure of an original, ours is compared with the bare client.
        against = original if is_number(original) else bare
        self.rows.append({
            "what": what, "unit": unit, "original": original, "ours": ours, "bare": bare,
            "better": better, "ratio": ratio(better, against, ours), "wanted": wanted or None,
        })  # fmt: skip
