"""Training steps of a model of full size on a CUDA device: packed, and padded as without packing.

    python bench/gpu_training.py [--steps 5] [--compile] [--no-cudnn] [--small] [--json PATH]

Qwen3-1.7B and SigLIP-so400m of full size, random weights in bfloat16: forward, backward and a fused
AdamW step over the same kind of samples, in packs of 4,096 and in padded rows. Samples are made up:
an image of 144 tokens and a text whose length is lognormal, a third of it a question. Says seconds
a step, tokens of samples a second (padding does not count), the share of the card's peak that the
needed arithmetic is (MFU), and the peak of memory. ``--compile`` gives every layer of both models
to torch.compile. ``--no-cudnn`` keeps cuDNN's attention, which plans anew for each number of
images, out of the vision encoder. ``--small`` runs a tiny model anywhere, to see that the script
works: its figures mean nothing.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("--steps", type=int, default=10, help="timed steps of each way")
PARSER.add_argument("--small", action="store_true", help="a tiny model, to see that it works")
PARSER.add_argument("--compile", action="store_true", help="layers through torch.compile")
PARSER.add_argument("--no-cudnn", action="store_true", help="vision attention without cuDNN's")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from model_sizes import QWEN3_17B, SIGLIP
from transformers import LlavaForConditionalGeneration
from transformers.initialization import no_init_weights

from packkit.encoding import IGNORED
from packkit.loading import LoadedPack, collate_packs
from packkit.loading.collate import PackTokens
from packkit.planning import plan_packs
from packkit.training import ModelConfig, PackModel
from packkit.training.flops import batch_flops, peak_flops
from packkit.training.loss import row_losses
from packkit.training.weights import llava_config

CAPACITY, IMAGE_TOKENS, WARM_UP = 4096, 144, 2
STD = 0.02
SMALL_LANGUAGE = {
    **QWEN3_17B,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 2000,
}
SMALL_VISION = {
    **SIGLIP,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def make_samples(count: int, vocabulary: int, image_size: int) -> list[LoadedPack]:
    """Returns samples of one image and a text each, as packs of one."""
    drawn = np.random.default_rng(0)
    lengths = IMAGE_TOKENS + drawn.lognormal(5.0, 1.0, count).clip(16, 3900).astype(int)
    samples = []
    for number, length in enumerate(lengths.tolist()):
        ids = drawn.integers(0, vocabulary, length).astype(np.int32)
        labels = ids.copy()
        # The image and a question before it are not trained.
        labels[: IMAGE_TOKENS + (length - IMAGE_TOKENS) // 3] = IGNORED
        tokens = PackTokens(
            number,
            ids,
            labels,
            np.array([length], np.int64),
            np.array([[0, IMAGE_TOKENS]], np.int32),
        )
        pixels = drawn.integers(0, 256, (1, 3, image_size, image_size), dtype=np.uint8)
        samples.append(LoadedPack(tokens, pixels, ()))
    return samples


def join(samples: Sequence[LoadedPack], number: int) -> LoadedPack:
    """Returns one pack of several samples."""
    parts = [sample.tokens for sample in samples]
    starts = np.cumsum([0, *(len(part.input_ids) for part in parts)])
    tokens = PackTokens(
        number,
        np.concatenate([part.input_ids for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate(
            [
                part.image_slots + np.array([start, 0], np.int32)
                for part, start in zip(parts, starts, strict=False)
            ]
        ).astype(np.int32),
    )
    return LoadedPack(tokens, np.concatenate([sample.pixel_values for sample in samples]), ())


def make_model(is_small: bool, device: torch.device) -> PackModel:
    language, vision = (SMALL_LANGUAGE, SMALL_VISION) if is_small else (QWEN3_17B, SIGLIP)
    config = llava_config(ModelConfig(language=language, vision=vision, weights="random"))
    with no_init_weights(), device:
        llava = LlavaForConditionalGeneration(config)
    llava.tie_weights()
    llava.to(device)
    for name, weight in llava.named_parameters():
        with torch.no_grad():
            if name.endswith("bias"):
                weight.zero_()
            elif "norm" in name:
                weight.fill_(1)
            else:
                weight.normal_(0, STD)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    llava.to(dtype)
    model = PackModel(llava, image_tokens=IMAGE_TOKENS, device=device, dtype=dtype)
    llava.model.language_model.train()
    return model


def compile_layers(model: PackModel) -> None:
    """Compiles every layer, once for all that are alike."""
    # Both models' layers come through one wrapper of transformers, in several shapes each.
    torch._dynamo.config.recompile_limit = 32
    vision, language = model.llava.model.vision_tower, model.llava.model.language_model
    for layer in [*vision.encoder.layers, *language.layers]:
        layer.compile()


@dataclass(frozen=True, slots=True)
class Work:
    """One step: how to get its loss, and what it holds.

    Attributes:
        loss: Runs the model forward, and returns the sum of its losses.
        tokens: Tokens of samples, padding left out.
        targets: Tokens that are trained.
        flops: Floating point operations that the samples need.
    """

    loss: Callable[[], torch.Tensor]
    tokens: int
    targets: int
    flops: float


def work_of(
    model: PackModel, samples: Sequence[LoadedPack], loss: Callable[[], torch.Tensor]
) -> Work:
    """Returns a step over samples; what they need does not depend on how they are laid out."""
    batch = collate_packs([join(samples, 0)])
    flops = batch_flops(model.llava.config, batch, IMAGE_TOKENS)
    return Work(loss, batch.tokens, batch.num_targets, flops)


def packed(model: PackModel, samples: Sequence[LoadedPack], packs: int, steps: int) -> list[Work]:
    """Returns steps of some packs each, laid end to end."""
    lengths = np.array([len(sample.tokens.input_ids) for sample in samples])
    plan = plan_packs(lengths, capacity=CAPACITY)
    members = np.split(plan.sample_order, plan.bin_offsets[1:-1])
    # First-Fit-Decreasing gives the packs of the longest samples first.
    np.random.default_rng(0).shuffle(members)
    device = model.llava.lm_head.weight.device
    works = []
    for step in range(steps):
        bins = [[samples[i] for i in rows] for rows in members[step * packs : (step + 1) * packs]]
        batch = collate_packs(
            [join(each, number) for number, each in enumerate(bins)],
            pad_to_multiple_of=CAPACITY,
            max_seqlen=CAPACITY,
        ).to(device)
        works.append(work_of(model, [s for each in bins for s in each], partial(model, batch)))
    return works


def padded(
    model: PackModel, samples: Sequence[LoadedPack], rows: int, width: int | None, steps: int
) -> list[Work]:
    """Returns steps of some samples each, in rows of `width` tokens or of the longest of them."""
    groups = [samples[step * rows : (step + 1) * rows] for step in range(steps)]
    return [
        work_of(
            model,
            group,
            padded_loss(
                model, group, width or max(len(sample.tokens.input_ids) for sample in group)
            ),
        )
        for group in groups
    ]


def padded_loss(
    model: PackModel, samples: Sequence[LoadedPack], width: int
) -> Callable[[], torch.Tensor]:
    """Returns the loss of samples in rows of `width` tokens, as trainers without packing run it."""
    ids = torch.zeros((len(samples), width), dtype=torch.int64)
    labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
    slots = []
    for row, sample in enumerate(samples):
        length = len(sample.tokens.input_ids)
        ids[row, :length] = torch.from_numpy(sample.tokens.input_ids)
        labels[row, :length] = torch.from_numpy(sample.tokens.labels)
        mask[row, :length] = 1
        slots.append(sample.tokens.image_slots + np.array([row * width, 0], np.int32))
    pixels = torch.from_numpy(np.concatenate([sample.pixel_values for sample in samples]))
    places = torch.from_numpy(np.concatenate(slots).astype(np.int32))
    device = model.llava.lm_head.weight.device
    ids, labels, mask, pixels, places = (
        tensor.to(device) for tensor in (ids, labels, mask, pixels, places)
    )
    kept = labels[:, 1:] != IGNORED
    targets = labels[:, 1:][kept]
    language = model.llava.model.language_model

    def loss() -> torch.Tensor:
        embedded = model.embed(ids.flatten(), pixels, places).unflatten(0, ids.shape)
        language.set_attn_implementation("sdpa")
        out = language(inputs_embeds=embedded, attention_mask=mask, use_cache=False)
        language.set_attn_implementation(model.attention)
        hidden = out.last_hidden_state[:, :-1][kept]
        return row_losses(hidden, model.llava.lm_head.weight, targets).sum()

    return loss


def measure(report: Report, model: PackModel, way: str, works: Sequence[Work]) -> tuple[str, ...]:
    """Returns the figures of one way as the table shows them; its first two steps warm up."""
    is_cuda = torch.cuda.is_available()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=is_cuda)
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for work in works:
        began = time.perf_counter()
        (work.loss() / work.targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        if is_cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    timed, total = works[WARM_UP:], sum(seconds[WARM_UP:])
    step = report.add("training step", way, "time", "s", seconds[WARM_UP:])
    tokens, targets = (
        report.add("training step", way, "throughput", unit, sum(counts) / total)
        for unit, counts in (
            ("tokens/s", [work.tokens for work in timed]),
            ("supervised tokens/s", [work.targets for work in timed]),
        )
    )
    shown = f"{step:.3f}", f"{tokens:,.0f}", f"{targets:,.0f}"
    if not is_cuda:
        return *shown, "-", "-"
    memory = torch.cuda.max_memory_allocated() / 2**30
    report.add("training step", way, "peak memory", "GiB", memory)
    peak = peak_flops(torch.cuda.get_device_name())
    if peak is None:
        return *shown, "-", f"{memory:.1f}"
    share = sum(work.flops for work in timed) / total / peak
    report.add("training step", way, "MFU", "1", share)
    return *shown, f"{share:.1%}", f"{memory:.1f}"


def main(options: argparse.Namespace) -> int:
    if not (torch.cuda.is_available() or options.small):
        print("skipped: there is no CUDA device, and --small was not given")
        return 0
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    torch.backends.cuda.enable_cudnn_sdp(not options.no_cudnn)
    model = make_model(options.small, device)
    if options.compile:
        compile_layers(model)
    steps = options.steps + WARM_UP
    vocabulary = model.llava.config.text_config.vocab_size
    samples = make_samples(steps * 32, vocabulary, model.image_size)
    ways = {
        "packed, 1 pack a step": partial(packed, model, samples, 1, steps),
        "packed, 2 packs a step": partial(packed, model, samples, 2, steps),
        "8 samples padded to their longest": partial(padded, model, samples, 8, None, steps),
        f"2 samples padded to {CAPACITY:,}": partial(padded, model, samples, 2, CAPACITY, steps),
    }
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    parameters = {
        "capacity": CAPACITY,
        "small": options.small,
        "compile": options.compile,
        "cudnn": not options.no_cudnn,
    }
    report, cells = Report(options, **parameters), []
    for way, make in ways.items():
        try:
            cells.append((way, *measure(report, model, way, make())))
        except torch.cuda.OutOfMemoryError:
            cells.append((way, "out of memory", "", "", "", ""))
            model.zero_grad()
            torch.cuda.empty_cache()
    print(f"{name}, torch {torch.__version__}")
    print_table(("way", "s a step", "tokens/s", "supervised tokens/s", "MFU", "peak GiB"), cells)
    return 0


if __name__ == "__main__":
    sys.exit(main(OPTIONS))
