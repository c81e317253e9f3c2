"""What rounds of readings come to."""

from __future__ import annotations

from statistics import median
from typing import Any

__all__ = ["print_costs", "print_rates", "summary"]


def summary(answers: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Returns medians, ranges, and how each loader stands to the best of the others.

    Args:
        answers: of every loader, what `read_epochs` gave in each round.

    Returns:
        Of every loader, images a second in the ``first`` epoch and in the ``steady`` ones after it,
        each as median, lowest and highest; the median over rounds of its ``ratio`` to ``best``, the
        fastest that is not ours; and the processor time of an image, ``cpu_ms``.
    """
    steady = {name: [_steady(one) for one in own] for name, own in answers.items()}
    peers = [name for name in steady if not name.startswith("packkit")]
    best = max(peers or steady, key=lambda name: median(steady[name]))
    ratios = {
        name: [mine / its for mine, its in zip(own, steady[best], strict=True)]
        for name, own in steady.items()
    }
    return {
        name: {
            "first": _range([one["images"] / one["seconds"][0] for one in own]),
            "steady": _range(steady[name]),
            "best": best,
            "ratio": median(ratios[name]),
            "cpu_ms": median(map(_cpu_ms, own)),
        }
        for name, own in answers.items()
    }


def print_rates(rows: dict[str, dict[str, Any]], bytes_on_disk: dict[str, int]) -> None:
    """Prints a line a loader, the fastest first."""
    print(f"\nimages/s, median (lowest-highest); ratio to {_best(rows)}, median of rounds\n")
    print("| loader | MB on disk | first epoch | steady | ratio | CPU ms an image |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, row in _fastest_first(rows):
        speeds = ["{:,.0f} ({:,.0f}-{:,.0f})".format(*row[kind]) for kind in ("first", "steady")]
        cells = [name, f"{bytes_on_disk[name] / 1e6:.1f}", *speeds, f"{row['ratio']:.2f}"]
        print(f"| {' | '.join(cells)} | {row['cpu_ms']:.2f} |")


def print_costs(rows: dict[str, dict[str, Any]]) -> None:
    """Prints what each raw reader takes of a sample, the fastest first."""
    print(f"\nus a sample, median (lowest-highest); speed as a ratio to {_best(rows)}\n")
    print("| reader | us | ratio |")
    print("| --- | --- | --- |")
    for name, row in _fastest_first(rows):
        middle, high, low = (1e6 / rate for rate in row["steady"])
        print(f"| {name} | {middle:.1f} ({low:.1f}-{high:.1f}) | {row['ratio']:.2f} |")


def _steady(answer: dict[str, Any]) -> float:
    later = answer["seconds"][1:]
    return answer["images"] * len(later) / sum(later)


def _cpu_ms(answer: dict[str, Any]) -> float:
    later = answer["cpu_seconds"][1:]
    return 1000 * sum(later) / len(later) / answer["images"]


def _range(values: list[float]) -> list[float]:
    return [median(values), min(values), max(values)]


def _best(rows: dict[str, dict[str, Any]]) -> str:
    return next(iter(rows.values()))["best"]


def _fastest_first(rows: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(rows.items(), key=lambda item: -item[1]["steady"][0])
