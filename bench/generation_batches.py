"""How much faster are answers in batches? Answers a second, one by one and in batches.

    python bench/generation_batches.py [runs/tiny] [demo/data/vqa/images] [--rounds 3]

Has a trained model write of one to three images at a time, in batches of like length, as the
evaluation does. Every batch must write what is written one by one before anything is timed. The
sizes take turns, round by round; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean, median

import torch
from rich.console import Console
from rich.table import Table

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="runs/tiny", help="as `make tiny` trains it")
    parser.add_argument("images", nargs="?", default="demo/data/vqa/images", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=100, help="tokens of an answer at most")
    parser.add_argument("--threads", type=int, default=1, help="more of them slow down other work")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = Generator.load(arguments.model, device="cpu")
    prompts = read_prompts(generator, arguments.images)
    expected = answer(generator, prompts, 1, arguments.limit)
    for size in SIZES[1:]:
        assert answer(generator, prompts, size, arguments.limit) == expected, size
    rounds = [
        [timed(generator, prompts, size, arguments.limit) for size in SIZES]
        for _ in range(arguments.rounds)
    ]
    tokens = mean(one.tokens for one in expected)
    cut = sum(one.is_cut for one in expected)
    table = Table("batch", "answers/s", "tokens/s", "times one by one")
    for number, size in enumerate(SIZES):
        speed = median(speeds[number] for speeds in rounds)
        ratio = median(speeds[number] / speeds[0] for speeds in rounds)
        table.add_row(str(size), f"{speed:.2f}", f"{speed * tokens:,.0f}", f"{ratio:.2f}")
    heading = f"{len(prompts)} prompts, {tokens:.1f} tokens an answer, {cut} cut at the limit"
    Console(width=110).print(f"torch {torch.__version__}, {heading}", table)


if __name__ == "__main__":
    main()
