"""What a soak has shown, as Markdown, and what is wrong with it."""

from slope import half, slope

# What may grow: so much an hour, and so much within the half that is looked at. A leak is what surely exceeds the first
# (its 95 % interval lies above) and makes more than the second, which pages that are touched for the first time do.
LIMITS = {
    "anonymous": (1024, 512),
    "pkg": (64, 32),
    "descriptors": (4, 1),
    "threads": (4, 1),
    "shm": (256, 64),
    "region": (1024, 512),
    "transactions": (20, 20),
    "lanes": (1, 0),
}


class Growth:
    """The second half of one series."""

    def __init__(self, name, series):
        self.name = name
        points = half(series)
        self.first, self.last = points[0][1], points[-1][1]
        values = [value for _, value in points]
        self.least, self.most = min(values), max(values)
        self.rise, self.margin = slope(points)
        self.grown = self.rise * (points[-1][0] - points[0][0]) / 3600

    def leaks(self):
        limits = LIMITS.get(self.name.split()[0].rstrip(","))
        return bool(limits) and self.rise - self.margin > limits[0] and self.grown > limits[1]

    def an_hour(self):
        if self.least == self.most:
            return "0"
        return f"{self.rise:+,.0f} ± {self.margin:,.0f}"

    def between(self):
        return f"{self.least:,.0f}" if self.least == self.most else f"{self.least:,.0f} to {self.most:,.0f}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def processes(names, growths):
    rows = []
    for name in names:
        row = [name]
        for what in ("anonymous", "Rss"):
            growth = growths[f"{what} of {name}"]
            row += [f"{growth.first:,.0f}", f"{growth.last:,.0f}", growth.an_hour()]
        pkg = growths.get(f"pkg of {name}")
        row.append(pkg.an_hour() if pkg else "")
        row += [growths[f"{what} of {name}"].between() for what in ("descriptors", "threads")]
        row.append(growths[f"descriptors of {name}"].an_hour())
        rows.append(row)
    return table(["process", "anonymous, KiB, half", "end", "an hour", "Rss, KiB, half", "end", "an hour", "pkg, KiB an hour",
                  "descriptors", "threads", "descriptors an hour"], rows)


def others(growths):
    names = [name for name in growths if " of " not in name]
    rows = [[name, f"{growths[name].first:,.0f}", f"{growths[name].last:,.0f}", growths[name].between(),
             growths[name].an_hour()] for name in names]
    return table(["Kamailio and the region (KiB, or a number)", "half", "end", "between", "an hour"], rows)


def flows(ledger):
    heads = ["accepted", "refused", "received", "twice", "lost", "refused but came"]
    rows = []
    for flow in ledger.flows.values():
        counts = flow.counts()
        rows.append([flow.name] + [f"{counts[head]:,}" for head in heads])
    return table(["flow", *heads], rows)


def statistics(found):
    """`found`: of each module, its statistics."""
    wanted = ("published", "relayed", "accepted", "refused", "delivered", "undelivered", "confirmed", "rejected",
              "received", "consumed", "acked", "redelivered", "reported", "reconnects", "queries", "answered",
              "timeouts", "queries_failed", "queries_unsent", "late_replies", "late_answers", "connections",
              "disconnections", "clients_closed_full", "garbage", "rebalances", "server_errors")
    rows = [[name] + [f"{each[name]:,}" if name in each else "" for each in found.values()] for name in wanted]
    return table(["statistic", *found], rows)
