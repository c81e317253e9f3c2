"""What a benchmark gives: a table for people, and rows of one schema for comparison over time.

Nothing heavy is imported here: a script makes its options before it imports what it measures, so
that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

BENCH = Path(__file__).parents[1]
RESULTS = BENCH / "results"

# Name of a module, and of the library that it belongs to.
_LIBRARIES = {
    "PIL": "pillow",
    "numba": "numba",
    "numpy": "numpy",
    "orjson": "orjson",
    "pyarrow": "pyarrow",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "transformers": "transformers",
    "triton": "triton",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure.

    Attributes:
        bench: Name of the script.
        name: Operation or job that was measured.
        variant: Implementation, backend or way that it was measured of.
        metric: Quantity that the value is of, such as time or throughput.
        unit: Unit of the value.
        value: Median over the rounds.
        p20: 20th percentile over the rounds; None where there was one.
        p80: 80th percentile over the rounds; None where there was one.
        rounds: Number of measurements behind the value.
        parameters: Sizes and options that the value depends on.
        machine: CPU, cores, and GPU and driver, None where there is none.
        versions: Versions of Python and of the libraries that were loaded.
        commit: Commit that was measured; None where it is not known.
        date: Day of the measurement, ISO 8601, UTC.
    """

    bench: str
    name: str
    variant: str
    metric: str
    unit: str
    value: float
    p20: float | None
    p80: float | None
    rounds: int
    parameters: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    date: str


class Report:
    """Appends rows to a file as they are measured: a run that is stopped keeps what it has.

    Args:
        options: Options of the script, as `bench_parser` made them.
        versions: Versions of libraries that this process does not load itself.
        parameters: Sizes and options that every value of the run depends on.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        versions: dict[str, str] | None = None,
        **parameters: Any,
    ) -> None:
        self._path: Path = options.json
        self._commit = options.commit or current_commit()
        self._versions = versions or {}
        self._parameters = parameters

    def add(
        self,
        name: str,
        variant: str,
        metric: str,
        unit: str,
        values: float | Sequence[float],
        **parameters: Any,
    ) -> float:
        """Appends a row.

        Args:
            name: Operation or job that was measured.
            variant: Implementation, backend or way that it was measured of.
            metric: Quantity that the values are of.
            unit: Unit of the values.
            values: Measurements, one for each round.
            parameters: Sizes and options that these values depend on, beside those of the run.

        Returns:
            The median of the values.
        """
        rounds = [*map(float, values)] if isinstance(values, Sequence) else [float(values)]
        fifths = quantiles(rounds, n=5, method="inclusive") if len(rounds) > 1 else None
        row = Row(
            bench=Path(sys.argv[0]).stem,
            name=name,
            variant=variant,
            metric=metric,
            unit=unit,
            value=median(rounds),
            p20=fifths and fifths[0],
            p80=fifths and fifths[3],
            rounds=len(rounds),
            parameters={**self._parameters, **parameters},
            machine=machine(),
            versions={**loaded_versions(), **self._versions},
            commit=self._commit,
            date=datetime.now(UTC).date().isoformat(),
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        return row.value


def bench_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns the options that every script has.

    Args:
        description: Docstring of the script; ``--help`` shows its first line.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument(
        "--json",
        type=Path,
        metavar="PATH",
        default=RESULTS / f"{Path(sys.argv[0]).stem}.jsonl",
        help="JSON lines that rows are appended to (default: bench/results/SCRIPT.jsonl)",
    )
    parser.add_argument("--commit", help="commit that is measured (default: as git has it)")
    return parser


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table in Markdown, with columns as wide as what they hold."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        print("|", " | ".join(map(str.ljust, row, widths)), "|", flush=True)


@cache
def machine() -> dict[str, Any]:
    """Returns what the benchmark runs on."""
    gpu, driver = _gpu()
    cores = len(os.sched_getaffinity(0))
    return {"cpu": _cpu(), "cores": cores, "gpu": gpu, "driver": driver}


def loaded_versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that this process has imported."""
    libraries = {
        name: str(sys.modules[module].__version__)
        for module, name in _LIBRARIES.items()
        if module in sys.modules
    }
    return {"python": platform.python_version(), **libraries}


def current_commit() -> str | None:
    """Returns the commit of the working tree, and whether files differ from it."""
    commit = _output("git", "-C", str(BENCH), "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    # Rows that were just appended change nothing that is measured.
    status = (
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ":/",
        ":(top,exclude)bench/results",
    )
    return f"{commit}-dirty" if _output("git", "-C", str(BENCH), *status) else commit


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _gpu() -> tuple[str | None, str | None]:
    """Returns the name of the first GPU and its driver's version, None where there is none."""
    lines = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    if not lines:
        return None, None
    name, _, driver = lines.splitlines()[0].rpartition(", ")
    return name, driver


def _output(*command: str) -> str | None:
    """Returns what a command prints, None where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
