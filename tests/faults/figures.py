"""Prints the table of docs/reliability.md from the lines that the long run wrote."""

import json
import sys
from pathlib import Path


def table(lines):
    """Returns rows by check and target, as Markdown."""
    rows = sorted(
        (json.loads(line) for line in lines), key=lambda row: (row["check"], row["target"])
    )
    yield "| check | target | trials | guilty or silent | seconds |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows:
        figures = f"{row['trials']:,} | {row['silent']} | {row['seconds']:.0f}"
        yield f"| {row['check']} | {row['target']} | {figures} |"


if __name__ == "__main__":
    print(*table(Path(sys.argv[1]).read_text().splitlines()), sep="\n")
