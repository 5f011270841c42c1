"""Medians, spreads, ratios and exponents."""

import math
import statistics

median = statistics.median


def spread(values):
    """Largest less smallest, in parts of the median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def ratios(ours, theirs, better):
    """How many times better ours is, round by round."""
    pairs = [(a, b) if better == "higher" else (b, a) for a, b in zip(ours, theirs)]
    return [above / below for above, below in pairs if below > 0]


def geometric_mean(values):
    values = [value for value in values if value > 0]
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else 0.0


def exponent(sizes, costs):
    """The b of cost = a * size^b that fits best (least squares of the logarithms); None when it cannot be said."""
    points = [(math.log(size), math.log(cost)) for size, cost in zip(sizes, costs) if size > 0 and cost > 0]
    if len(points) < 2:
        return None
    x = sum(point[0] for point in points) / len(points)
    y = sum(point[1] for point in points) / len(points)
    width = sum((point[0] - x) ** 2 for point in points)
    return sum((point[0] - x) * (point[1] - y) for point in points) / width if width else None


def brief(value):
    """A figure with three digits that mean something."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def scaled(value, unit):
    """A figure with its unit, at a scale that reads well: bytes as MB, seconds as ms."""
    if unit == "B":
        for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
            if abs(value) >= size:
                return f"{brief(value / size)} {name}"
    if unit == "s" and abs(value) < 1:
        return f"{brief(value * 1e3)} ms"
    if unit.startswith("/s") and abs(value) >= 1e4:
        return f"{brief(value / 1e3)} k{unit}"
    return f"{brief(value)} {unit.strip()}"
