"""How much faster are answers in batches? Answers a second, one by one and in batches.

    python bench/generation_batches.py [runs/tiny] [demo/data/vqa/images] [--rounds 3]

Has a trained model write of one to three images at a time, in batches of like length, as the
evaluation does. Every batch must write what is written one by one before anything is timed. The
sizes take turns, round by round; ratios are medians over the rounds.
"""

from __future__ import annotations

from pathlib import Path

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("model", nargs="?", default="runs/tiny", help="as `make tiny` trains it")
PARSER.add_argument("images", nargs="?", default="demo/data/vqa/images", type=Path)
PARSER.add_argument("--rounds", type=int, default=3)
PARSER.add_argument("--limit", type=int, default=100, help="tokens of an answer at most")
PARSER.add_argument("--threads", type=int, default=1, help="more of them slow down other work")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import time
from statistics import mean

import torch

from packkit.training.generation import Generator, Prompt, Written

SIZES = (1, 8, 16)


def read_prompts(generator: Generator, folder: Path) -> list[Prompt]:
    """Returns prompts of one to three images, those with most images first."""
    images = [path.read_bytes() for path in sorted(folder.iterdir())]
    chosen = [images[start : start + 1 + start % 3] for start in range(len(images))]
    prompts = [generator.encode(images=group) for group in chosen]
    return sorted(prompts, key=lambda prompt: -len(prompt.input_ids))


def answer(generator: Generator, prompts: list[Prompt], size: int, limit: int) -> list[Written]:
    """Returns what is written in batches of some size."""
    return [
        written
        for start in range(0, len(prompts), size)
        for written in generator.generate_batch(prompts[start : start + size], max_new_tokens=limit)
    ]


def timed(generator: Generator, prompts: list[Prompt], size: int, limit: int) -> float:
    """Returns answers a second."""
    started = time.perf_counter()
    answer(generator, prompts, size, limit)
    return len(prompts) / (time.perf_counter() - started)


def main(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    generator = Generator.load(options.model, device="cpu")
    prompts = read_prompts(generator, options.images)
    expected = answer(generator, prompts, 1, options.limit)
    for size in SIZES[1:]:
        assert answer(generator, prompts, size, options.limit) == expected, size
    rounds = [
        [timed(generator, prompts, size, options.limit) for size in SIZES]
        for _ in range(options.rounds)
    ]
    tokens = mean(written.tokens for written in expected)
    cut = sum(written.is_cut for written in expected)
    report = Report(options, prompts=len(prompts), limit=options.limit, threads=options.threads)
    cells = []
    for number, size in enumerate(SIZES):
        name = "answers", f"{size} at once"
        speed = report.add(*name, "throughput", "answers/s", [speeds[number] for speeds in rounds])
        ratios = [speeds[number] / speeds[0] for speeds in rounds]
        ratio = report.add(*name, "ratio to one by one", "1", ratios)
        cells.append((size, f"{speed:.2f}", f"{speed * tokens:,.0f}", f"{ratio:.2f}"))
    print(
        f"torch {torch.__version__}, {len(prompts)} prompts, {tokens:.1f} tokens an answer, "
        f"{cut} cut at the limit"
    )
    print_table(("batch", "answers/s", "tokens/s", "times one by one"), cells)


if __name__ == "__main__":
    main(OPTIONS)
