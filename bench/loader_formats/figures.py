"""What rounds of readings come to."""

from __future__ import annotations

from statistics import median
from typing import Any

from measuring.report import Report, print_table


def summary(answers: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Returns medians, ranges, and how each loader stands to the best of the others.

    Args:
        answers: What `read_epochs` gave in each round, by loader.

    Returns:
        Of every loader, images a second in the ``first`` epoch and in the ``steady`` ones after it,
        each as median, lowest and highest; the median over rounds of its ``ratio`` to ``best``, the
        fastest that is not ours; and the processor time of an image, ``cpu_ms``.
    """
    best = _best_peer(answers)
    return {
        name: {
            "first": _range(list(map(_first, rounds))),
            "steady": _range(list(map(_steady, rounds))),
            "best": best,
            "ratio": median(_ratios(rounds, answers[best])),
            "cpu_ms": median(map(_cpu_ms, rounds)),
        }
        for name, rounds in answers.items()
    }


def add_rows(report: Report, answers: dict[str, list[Any]]) -> None:
    """Adds to a report what each loader did, over all rounds."""
    best = _best_peer(answers)
    for name, rounds in answers.items():
        report.add("first epoch", name, "throughput", "images/s", list(map(_first, rounds)))
        report.add("later epochs", name, "throughput", "images/s", list(map(_steady, rounds)))
        ratios = _ratios(rounds, answers[best])
        report.add("later epochs", name, "ratio to the best peer", "1", ratios, best=best)
        report.add("later epochs", name, "CPU time", "ms/image", list(map(_cpu_ms, rounds)))


def print_rates(rows: dict[str, dict[str, Any]], bytes_on_disk: dict[str, int]) -> None:
    """Prints a line a loader, the fastest first."""
    print(f"\nimages/s, median (lowest-highest); ratio to {_best(rows)}, median of rounds\n")
    cells = []
    for name, row in _fastest_first(rows):
        speeds = ["{:,.0f} ({:,.0f}-{:,.0f})".format(*row[kind]) for kind in ("first", "steady")]
        megabytes = f"{bytes_on_disk[name] / 1e6:.1f}"
        cells.append((name, megabytes, *speeds, f"{row['ratio']:.2f}", f"{row['cpu_ms']:.2f}"))
    headings = ("loader", "MB on disk", "first epoch", "steady", "ratio", "CPU ms an image")
    print_table(headings, cells)


def print_costs(rows: dict[str, dict[str, Any]]) -> None:
    """Prints what each raw reader takes of a sample, the fastest first."""
    print(f"\nus a sample, median (lowest-highest); speed as a ratio to {_best(rows)}\n")
    cells = []
    for name, row in _fastest_first(rows):
        middle, high, low = (1e6 / rate for rate in row["steady"])
        cells.append((name, f"{middle:.1f} ({low:.1f}-{high:.1f})", f"{row['ratio']:.2f}"))
    print_table(("reader", "us", "ratio"), cells)


def _best_peer(answers: dict[str, list[Any]]) -> str:
    """Returns the loader of the highest median that is not ours."""
    peers = [name for name in answers if not name.startswith("packkit")]
    return max(peers or answers, key=lambda name: median(map(_steady, answers[name])))


def _ratios(rounds: list[Any], best: list[Any]) -> list[float]:
    """Returns how many times as fast as the best peer a loader was, round by round."""
    return [_steady(mine) / _steady(its) for mine, its in zip(rounds, best, strict=True)]


def _first(answer: dict[str, Any]) -> float:
    return answer["images"] / answer["seconds"][0]


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
