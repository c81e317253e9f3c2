"""One real pack through a model of full size, forward and backward, on a CPU.

    python bench/full_size.py [demo/packs] [--pack 0] [--threads 2]

Qwen3-1.7B and SigLIP-so400m with random weights, bfloat16 weights and gradients, activation
checkpointing, and the loss as training takes it. Says the parameters, the seconds, the peak of
memory and the loss, and fails where a gradient of the projector or of the embedding is missing.

Where the processor has no AVX-512, torch multiplies bfloat16 matrices some hundred times slower
than float32 ones. There products are taken in float32 and rounded to bfloat16, as a GPU does.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
PARSER.add_argument("packs", nargs="?", default="demo/packs", help="pack set")
PARSER.add_argument("--pack", type=int, default=0, help="number of the pack")
PARSER.add_argument("--image-tokens", type=int, default=144, help="tokens an image takes")
PARSER.add_argument("--threads", type=int, help="threads of torch (default: as torch has it)")
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import math
import resource
import sys
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.modules.linear_cross_entropy
from model_sizes import QWEN3_17B, SIGLIP
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import LlavaForConditionalGeneration
from transformers.initialization import no_init_weights

from packkit.loading import PackBatch, PackDataset, collate_packs
from packkit.training import ModelConfig, PackModel
from packkit.training.weights import llava_config

STD = 0.02
NEEDED_GIB = 14

_ATEN = torch.ops.aten
_FLASH = _ATEN._scaled_dot_product_flash_attention_for_cpu.default
_PRODUCTS = {
    _ATEN.mm.default,
    _ATEN.bmm.default,
    _ATEN.addmm.default,
    _ATEN.convolution.default,
    _FLASH,
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward.default,
    # Forward only; backward it takes float32 by itself.
    torch.ops.torch_nn._linear_cross_entropy_batch_chunked_no_reduction.default,
}


class Float32Products(TorchDispatchMode):
    """Takes products of bfloat16 matrices in float32, and rounds what comes out."""

    def __torch_dispatch__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs one operator."""
        kwargs = kwargs or {}
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        is_bf16 = any(tensor.dtype == torch.bfloat16 for tensor in tensors)
        if function not in _PRODUCTS or not is_bf16:
            return function(*args, **kwargs)
        args, kwargs = tree_map_only(torch.Tensor, _widened, (args, kwargs))
        out = function(*args, **kwargs)
        if function is _FLASH:
            # Beside what was attended: the logarithms of the sums, float32 for bfloat16 too.
            return out[0].bfloat16(), *out[1:]
        return tree_map_only(torch.Tensor, torch.Tensor.bfloat16, out)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def available_gib() -> float:
    """Returns the memory that can be had without swapping, as Linux says it."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 2**20
    raise OSError("/proc/meminfo has no line MemAvailable")


def full_model(image_tokens: int) -> PackModel:
    """Returns the model in bfloat16; buffers, such as those of positions, stay as they are made."""
    config = llava_config(ModelConfig(language=QWEN3_17B, vision=SIGLIP, weights="random"))
    with no_init_weights():
        # In float32, but nothing writes it, so no memory is taken.
        llava = LlavaForConditionalGeneration(config)
    llava.tie_weights()
    generator = torch.Generator().manual_seed(0)
    for name, weight in llava.named_parameters():
        values = torch.empty_like(weight, dtype=torch.bfloat16)
        if name.endswith("bias"):
            values.zero_()
        elif "norm" in name:
            values.fill_(1)
        else:
            values.normal_(0, STD, generator=generator)
        weight.data = values
    model = PackModel(llava, image_tokens=image_tokens, dtype=torch.bfloat16)
    language = llava.model.language_model.train()
    language.activation_checkpointing_enable({"use_reentrant": False})
    return model


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def measured(model: PackModel, batch: PackBatch) -> tuple[float, list[float]]:
    """Returns the mean loss, and the seconds of vision encoder, rest of forward, and backward."""
    marks = [time.perf_counter()]
    # Once a batch, when the vision encoder has done its part.
    projector = model.llava.model.multi_modal_projector
    hook = projector.register_forward_pre_hook(lambda *_: marks.append(time.perf_counter()))
    loss = model(batch) / batch.num_targets
    marks.append(time.perf_counter())
    hook.remove()
    # Backward takes long, and may be ended before it is done.
    print(f"loss {loss.item():.3f} after {marks[-1] - marks[0]:.0f} s forward", flush=True)
    loss.backward()
    marks.append(time.perf_counter())
    return loss.item(), [end - start for start, end in pairwise(marks)]


def check_gradients(model: PackModel) -> None:
    """Fails where a gradient of the projector or the embedding is not finite, or is zero."""
    weights = dict(model.llava.model.multi_modal_projector.named_parameters(prefix="projector"))
    weights["embedding"] = model.llava.get_input_embeddings().weight
    for name, weight in weights.items():
        assert weight.grad is not None, f"{name} has no gradient"
        assert weight.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert weight.grad.any(), f"the gradient of {name} is zero"


def show(
    report: Report, model: PackModel, batch: PackBatch, loss: float, seconds: list[float]
) -> None:
    """Prints the table, and adds its figures to the report."""
    parts = model.llava.model
    counts = {
        "language model": parameters(parts.language_model),
        "vision encoder": parameters(parts.vision_tower),
        "projector": parameters(parts.multi_modal_projector),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    vision, forward, backward = seconds
    report.add("vision encoder", "forward", "time", "s", vision)
    report.add("whole model", "forward", "time", "s", vision + forward)
    report.add("whole model", "backward", "time", "s", backward)
    report.add("whole model", "", "peak memory", "GiB", peak)
    report.add("whole model", "", "loss", "nats", loss)
    # Logits of a normalised state and independent weights are normal.
    bare = math.log(QWEN3_17B["vocab_size"])
    guess = bare + STD**2 * QWEN3_17B["hidden_size"] / 2
    print(f"torch {torch.__version__}")
    print_table(
        ("what", "figure"),
        [
            *((f"parameters of the {name}", f"{count:,}") for name, count in counts.items()),
            (
                "tokens / samples / images",
                f"{batch.tokens:,} / {batch.num_segments} / {len(batch.pixel_values)}",
            ),
            ("supervised tokens", f"{batch.num_targets:,}"),
            ("forward, s", f"{vision + forward:.0f}, vision encoder {vision:.0f} of them"),
            ("backward, s", f"{backward:.0f}"),
            ("peak resident memory, GiB", f"{peak:.1f}"),
            ("loss, nats", f"{loss:.3f}, a guess at random: {bare:.2f} to {guess:.2f}"),
        ],
    )


def main(options: argparse.Namespace) -> None:
    if (available := available_gib()) < NEEDED_GIB:
        sys.exit(f"full_size.py needs {NEEDED_GIB} GiB of memory, {available:.1f} are available")
    threads = options.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    dataset = PackDataset(options.packs, image_size=SIGLIP["image_size"])
    batch = collate_packs([dataset[options.pack]])
    model = full_model(options.image_tokens)
    model.check(batch)
    is_widened = not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    products = "float32" if is_widened else "bfloat16"
    report = Report(options, tokens=batch.tokens, threads=threads, products=products)
    print(f"products of matrices in {products}", flush=True)
    with Float32Products() if is_widened else nullcontext():
        loss, seconds = measured(model, batch)
    check_gradients(model)
    show(report, model, batch, loss, seconds)


if __name__ == "__main__":
    main(OPTIONS)
