"""The rows of a run: one line each as it comes, a table at the end, and JSON.

A row is held against its first bar with the median of its ratios to the floor, else to the peer,
else with its value. Most bars are upper bounds; `at_least` makes one a lower bound.
"""

import json
import math
import statistics


def middle(ratios):
    return f"{statistics.median(ratios):.2f}" if ratios else "-"


def spread(ratios):
    return f"{middle(ratios)} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "-"


def percentile(values, share):
    """Nearest rank: of 200 values the 99th percentile is the third largest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def slope(points):
    """Exponent of a log-log fit through [(size, cost)]: 0 is flat, 1 is linear."""
    xs = [math.log(size) for size, _ in points]
    ys = [math.log(max(cost, 1e-9)) for _, cost in points]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    return (sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
            / sum((x - mean_x) ** 2 for x in xs))


class Report:
    def __init__(self):
        self.rows = []
        self.failed = []  # names of rows that could not be measured

    def row(self, name, value, unit, bar=None, peer=(), floor=(), goal=None, at_least=False,
            **more):
        """Ratios are lists, one a pair. bar None: nothing to reach. `more` goes into the JSON."""
        reached = statistics.median(floor or peer or [value])
        self.rows.append({"name": name, "value": value, "unit": unit, "ratio_peer": list(peer),
                          "ratio_floor": list(floor), "bar": bar, "at_least": at_least,
                          "goal": goal, "met": self._word(reached, bar, at_least),
                          "goal_met": self._word(reached, goal, at_least), **more})
        print(f"{name} {value:.3f} {unit} {middle(peer)} {middle(floor)}", flush=True)

    @staticmethod
    def _word(reached, bar, at_least):
        if bar is None:
            return ""
        return "met" if (reached >= bar if at_least else reached <= bar) else "missed"

    def growth(self, name, unit, points, limit):
        """How often a unit costs more at the largest of the sizes than at the smallest, by a log-log
        fit through all points [(size, cost of a unit)]."""
        exponent = slope(points)
        factor = (points[-1][0] / points[0][0]) ** exponent
        shown = ", ".join(f"{size}: {cost:.1f}" for size, cost in points)
        print(f"  {name}: {shown} {unit}; slope {exponent:.3f}", flush=True)
        self.row(name, factor, f"x_{points[0][0]}_to_{points[-1][0]}", limit, goal=limit,
                 points=points, slope=exponent, unit_of_points=unit)

    def note(self, text):
        """What was counted beside a row."""
        print(f"  {text}", flush=True)

    def table(self):
        print("\n| row | value | unit | against peer | against floor | first bar | |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for row in self.rows:
            bar = "-" if row["bar"] is None else \
                f">= {row['bar']}" if row["at_least"] else row["bar"]
            print(f"| {row['name']} | {row['value']:.3f} | {row['unit']} | "
                  f"{spread(row['ratio_peer'])} | {spread(row['ratio_floor'])} | {bar} | "
                  f"{row['met']} |")
        for name in self.failed:
            print(f"| {name} | - | no speed is reported | - | - | - | missed |")

    def write(self, path, **about):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**about, "rows": self.rows} if about else self.rows, indent=1))
