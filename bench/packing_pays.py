"""Does packing pay? The same samples and weights, packed and padded: forward and backward.

    python bench/packing_pays.py [demo/small-tokenizer.json] [demo/data] [--packs 4] [--rounds 3]

Packs the data, and takes some packs of it in four ways: as they are, one a batch; their samples in
random order, as many a batch as a pack holds, each batch padded to its longest; the same sorted by
length, so that batches are of like lengths; and padded to the capacity, for some samples alone. The
losses of all must agree before anything is timed. The ways take turns, round by round; ratios are
medians over the rounds. Supervised tokens a second are samples a second times those of a sample on
average over all, so the way that runs a few samples is comparable.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("tokenizer", nargs="?", default="demo/small-tokenizer.json")
PARSER.add_argument("data", nargs="?", default="demo/data", help="samples, as `packkit pack`")
PARSER.add_argument("--recipe", default="recipes/tiny.toml", help="whose model is run")
PARSER.add_argument("--packs", type=int, default=4)
PARSER.add_argument("--rounds", type=int, default=3)
PARSER.add_argument("--threads", type=int, default=1, help="more disturb more what else runs")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear_cross_entropy

from packkit import PackConfig, pack
from packkit.encoding import IGNORED
from packkit.loading import PackBatch, PackDataset, collate_packs
from packkit.loading.collate import LoadedPack, PackTokens
from packkit.training import PackModel, read_recipe
from packkit.training.weights import starting_llava

CAPACITY = 4096
# Padded to the capacity: a batch of more than a few samples takes gigabytes.
FEW, FEW_BATCHES = 2, 1
# Rows of logits that exist at once, as `PackModel` has it.
LOGIT_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class PaddedBatch:
    """Samples as rows of one length.

    Attributes:
        input_ids: int64 [B, L], 0 in padding.
        labels: int64 [B, L], unshifted; -100 where a token is not trained.
        attention_mask: int64 [B, L], 0 in padding.
        pixel_values: uint8 [M, 3, S, S].
        image_slots: int32 [M, 2], first token among B x L and number of tokens of each image.
    """

    input_ids: Tensor
    labels: Tensor
    attention_mask: Tensor
    pixel_values: Tensor
    image_slots: Tensor


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run samples.

    Attributes:
        name: Name in the table.
        losses: Calls that run a batch each and give the sum of its losses.
        samples: Samples in all batches.
        tokens: Tokens in all batches, padding included.
    """

    name: str
    losses: Sequence[Callable[[], Tensor]]
    samples: int
    tokens: int


def samples_of(loaded: LoadedPack) -> list[LoadedPack]:
    """Returns every sample of a pack as a pack of its own."""
    tokens, samples = loaded.tokens, []
    ends = np.cumsum(tokens.lengths)
    for end, length in zip(ends.tolist(), tokens.lengths.tolist(), strict=True):
        start = end - length
        first = tokens.image_slots[:, 0]
        inside = (first >= start) & (first < end)
        alone = PackTokens(
            tokens.pack_id,
            tokens.input_ids[start:end],
            tokens.labels[start:end],
            np.array([length]),
            tokens.image_slots[inside] - np.array([start, 0], np.int32),
        )
        samples.append(LoadedPack(alone, loaded.pixel_values[inside]))
    return samples


def padded_batch(samples: Sequence[LoadedPack], width: int) -> PaddedBatch:
    """Puts samples in rows of `width` tokens."""
    ids = np.zeros((len(samples), width), np.int64)
    labels, mask = np.full_like(ids, IGNORED), np.zeros_like(ids)
    for row, sample in enumerate(samples):
        length = len(sample.tokens.input_ids)
        ids[row, :length] = sample.tokens.input_ids
        labels[row, :length] = sample.tokens.labels
        mask[row, :length] = 1
    slots = [
        sample.tokens.image_slots + np.array([row * width, 0], np.int32)
        for row, sample in enumerate(samples)
    ]
    return PaddedBatch(
        torch.from_numpy(ids),
        torch.from_numpy(labels),
        torch.from_numpy(mask),
        torch.from_numpy(np.concatenate([sample.pixel_values for sample in samples])),
        torch.from_numpy(np.concatenate(slots)),
    )


def padded_loss(model: PackModel, batch: PaddedBatch) -> Tensor:
    """Returns what `PackModel.forward` returns, of rows with padding."""
    embedded = model.embed(batch.input_ids.flatten(), batch.pixel_values, batch.image_slots)
    out = model.llava.model.language_model(
        inputs_embeds=embedded.unflatten(0, batch.input_ids.shape),
        attention_mask=batch.attention_mask,
        use_cache=False,
    )
    targets = batch.labels[:, 1:]
    kept = targets != IGNORED
    losses = linear_cross_entropy(
        out.last_hidden_state[:, :-1][kept],
        model.llava.lm_head.weight,
        targets[kept],
        reduction="none",
        options=nn.LinearCrossEntropyOptions(batch_chunk_size=LOGIT_ROWS, chunking_method=None),
    )
    return losses.float().sum()


def packed_way(model: PackModel, batches: Sequence[PackBatch]) -> Way:
    tokens = sum(batch.tokens for batch in batches)
    samples = sum(batch.num_segments for batch in batches)
    losses = [partial(model, batch) for batch in batches]
    return Way("packed", losses, samples, tokens)


def padded_way(
    name: str,
    model: PackModel,
    samples: Sequence[LoadedPack],
    size: int,
    width: int | None = None,
) -> Way:
    """Returns a way with batches of `size` samples, padded to `width` or to their longest."""
    losses, tokens = [], 0
    for start in range(0, len(samples), size):
        lengths = [len(loaded.tokens.input_ids) for loaded in samples[start : start + size]]
        batch = padded_batch(samples[start : start + size], width or max(lengths))
        losses.append(partial(padded_loss, model, batch))
        tokens += batch.input_ids.numel()
    return Way(name, losses, len(samples), tokens)


def check_agreement(first: Sequence[Callable[[], Tensor]], *others: Way) -> None:
    """Fails where the sums of the losses of the same samples differ."""
    with torch.no_grad():
        expected = sum(float(loss()) for loss in first)
        for way in others:
            total = sum(float(loss()) for loss in way.losses)
            assert abs(total / expected - 1) < 1e-4, f"{way.name}: {total}, packed: {expected}"


def samples_per_second(way: Way, model: PackModel) -> float:
    started = time.perf_counter()
    for loss in way.losses:
        loss().backward()
        model.zero_grad()
    return way.samples / (time.perf_counter() - started)


def show(
    report: Report, ways: Sequence[Way], rounds: Sequence[Sequence[float]], targets: float
) -> None:
    """Prints the table, and adds its figures to the report.

    Args:
        report: Report of this run.
        ways: Ways to run the samples; the first is packed.
        rounds: Samples a second of each way, round by round.
        targets: Supervised tokens of a sample, on average over all.
    """
    # Packs have no padding here, so theirs are the bare tokens.
    bare = ways[0].tokens / ways[0].samples
    cells = []
    for number, way in enumerate(ways):
        name, tokens = ("forward and backward", way.name), way.tokens / way.samples
        speeds = [speeds[number] * targets for speeds in rounds]
        speed = report.add(*name, "throughput", "supervised tokens/s", speeds)
        paired = report.add(
            *name, "ratio to packed", "1", [each[number] / each[0] for each in rounds]
        )
        report.add(*name, "tokens computed", "tokens/sample", tokens)
        batch = f"{way.samples / len(way.losses):.1f}"
        figures = f"{tokens:,.0f}", f"{speed:,.0f}", f"{paired:.3f}", f"{tokens / bare:.2f}"
        cells.append((way.name, batch, *figures))
    print(f"torch {torch.__version__}")
    print_table(
        (
            "way",
            "samples a batch",
            "tokens computed a sample",
            "supervised tokens/s",
            "of packed",
            "padded / bare",
        ),
        cells,
    )


def measure(folder: Path, options: argparse.Namespace) -> None:
    recipe = read_recipe(options.recipe).model
    config = PackConfig(
        max_len=CAPACITY, image_tokens=recipe.image_tokens, tokenizer=options.tokenizer
    )
    packed_set = pack([options.data], folder, config)
    # The same seed, so the same weights; they differ in their attention alone.
    packed, padded = (
        PackModel(starting_llava(recipe, 0), image_tokens=recipe.image_tokens, attention=attention)
        for attention in (recipe.attention, "sdpa")
    )
    dataset = PackDataset(folder, image_size=packed.image_size)
    size = round(packed_set.samples_packed / packed_set.packs)
    loaded = [dataset[number] for number in range(min(options.packs, len(dataset)))]
    batches = [collate_packs([alone]) for alone in loaded]
    for batch in batches:
        packed.check(batch)
    samples = [sample for whole in loaded for sample in samples_of(whole)]
    shuffled = [samples[i] for i in np.random.default_rng(0).permutation(len(samples))]
    by_length = sorted(shuffled, key=lambda sample: len(sample.tokens.input_ids))
    few = shuffled[: FEW * FEW_BATCHES]
    ways = [
        packed_way(packed, batches),
        padded_way("padded to the longest of a batch", padded, shuffled, size),
        padded_way("the same, batches of like lengths", padded, by_length, size),
        padded_way(f"padded to {CAPACITY:,}", padded, few, FEW, CAPACITY),
    ]
    check_agreement(ways[0].losses, *ways[1:3])
    check_agreement([partial(packed, collate_packs(few))], ways[3])
    models = (packed, padded, padded, padded)
    rounds = [
        [samples_per_second(way, model) for way, model in zip(ways, models, strict=True)]
        for _ in range(options.rounds)
    ]
    targets = sum(batch.num_targets for batch in batches) / len(samples)
    report = Report(options, packs=len(loaded), capacity=CAPACITY, threads=options.threads)
    show(report, ways, rounds, targets)


def main(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary) / "packs", options)


if __name__ == "__main__":
    main(OPTIONS)
