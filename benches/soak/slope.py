"""Whether something grows: least squares over the second half of a series."""

import math
from statistics import mean


def half(series):
    """What was measured in the second half of the time."""
    middle = (series[0][0] + series[-1][0]) / 2
    return [(at, value) for at, value in series if at >= middle]


def slope(points):
    """Growth an hour, and how far the true one may be off either way with a probability of 95 %. Neighbours resemble
    each other, so they count as fewer measurements than they are (by the autocorrelation of the residuals)."""
    count = len(points)
    if count < 4:
        return 0.0, math.inf
    x_mean, y_mean = mean(at for at, _ in points), mean(value for _, value in points)
    spread = sum((at - x_mean) ** 2 for at, _ in points)
    rise = sum((at - x_mean) * (value - y_mean) for at, value in points) / spread
    residuals = [value - y_mean - rise * (at - x_mean) for at, value in points]
    squares = sum(each * each for each in residuals)
    if squares == 0:
        return rise * 3600, 0.0
    alike = sum(one * other for one, other in zip(residuals, residuals[1:])) / squares
    alike = min(max(alike, 0.0), 0.99)
    independent = max(count * (1 - alike) / (1 + alike), 3)
    error = math.sqrt(squares / (independent - 2) / spread)
    return rise * 3600, 1.96 * error * 3600
