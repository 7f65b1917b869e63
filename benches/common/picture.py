"""The figures as bars, in SVG: for each row the original's, ours and the bare client's, the longest as long as there is
room. Rows have units of their own, so bars are compared within a row only."""

from xml.sax.saxutils import escape

from common.table import is_number

WIDTH = 1_000
# Where the bars begin, the room for the longest, behind which its figure is written, and where the ratios end.
BARS, ROOM, RATIOS = 420, 410, 980
BAR, GAP, HEAD = 13, 12, 34
TOP = 62
SERIES = (("original", "the original", "#9aa5b1"), ("ours", "sipbus", "#d9480f"), ("bare", "a bare client", "#dfe3e8"))
FONT = "font-family=\"system-ui, 'DejaVu Sans', sans-serif\""


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def text(x, y, words, size=12, more=""):
    return f'<text x="{x}" y="{y:.1f}" font-size="{size}" fill="#1f2933" {more}>{escape(words)}</text>'


def shown(row):
    """Rows where ours has something to be compared with, and it is known what is better."""
    return row["better"] and is_number(row["ours"]) and (row["original"] is not None or row["bare"] is not None)


def draw_row(row, y):
    """The lines of one row that begins at y, and where the next one may begin."""
    values = [(name, colour, row[name]) for name, _, colour in SERIES if row[name] is not None]
    longest = max(value for _, _, value in values if is_number(value)) or 1
    unit = f"{row['unit']}, {'less' if row['better'] == 'less' else 'more'} is better"
    lines = [
        text(BARS - 12, y + 10, row["what"], 12, 'text-anchor="end"'),
        text(BARS - 12, y + 24, unit, 10, 'text-anchor="end" opacity="0.65"'),
    ]
    for number, (name, colour, value) in enumerate(values):
        top = y + number * BAR
        words = figure(value) if is_number(value) else value
        length = max(1, ROOM * value / longest) if is_number(value) else 0
        weight = 'font-weight="600"' if name == "ours" else ""
        lines.append(f'<rect x="{BARS}" y="{top}" width="{length:.1f}" height="{BAR - 2}" fill="{colour}"/>')
        lines.append(text(BARS + length + 6, top + BAR - 3.5, words, 11, weight))
    if row["ratio"]:
        lines.append(text(RATIOS, y + 16, f"{row['ratio']:.3g}", 13, 'text-anchor="end" font-weight="600"'))
    return lines, y + max(2, len(values)) * BAR + GAP


def draw(results):
    lines, y, module = [], TOP, None
    for result in results:
        rows = [row for row in result["rows"] if shown(row)]
        if rows and result["module"] != module:
            module = result["module"]
            y += HEAD
            lines.append(text(20, y - 10, f"{module}.so", 15, 'font-weight="700"'))
            lines.append(f'<path d="M20 {y - 3}H{WIDTH - 20}" stroke="#cbd2d9"/>')
            y += 8
        for row in rows:
            more, y = draw_row(row, y)
            lines += more
    legend = [text(20, 30, "sipbus beside the modules it takes the place of", 17, 'font-weight="700"')]
    x = BARS
    for _, words, colour in SERIES:
        legend.append(f'<rect x="{x}" y="42" width="12" height="12" fill="{colour}"/>')
        legend.append(text(x + 18, 52.5, words))
        x += 130
    legend.append(text(RATIOS, 52.5, "times better", 12, 'text-anchor="end" font-weight="600"'))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" width="{WIDTH}" height="{y + 10}" {FONT}>',
        f'<rect width="{WIDTH}" height="{y + 10}" fill="#ffffff"/>',
        *legend, *lines, "</svg>\n",
    ])  # fmt: skip
