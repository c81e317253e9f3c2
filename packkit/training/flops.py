"""Arithmetic that a batch takes, to tell how much of a device's peak is used.

The count is of what the model needs, forward and backward, as in "PaLM" (Chowdhery et al., 2022,
appendix B), with two differences: attention costs the sum of squared lengths of the samples, not
the square of the pack, and logits are counted for targets alone. The frozen vision encoder runs
forward only. What runs twice, for activation checkpointing or for logits that are not kept, counts
once.
"""

from __future__ import annotations

from transformers import LlavaConfig

from packkit.loading import PackBatch
from packkit.training.model import count_features

# Dense bf16 FLOP/s by the makers' data sheets.
_PEAKS = {
    "GB200": 2500e12,
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
}

_TRAINED = 6
"""Floating point operations a weight and token: 2 forward, 4 backward."""


def batch_flops(config: LlavaConfig, batch: PackBatch, image_tokens: int) -> float:
    """Returns the floating point operations of a step over a batch that is on the CPU."""
    lengths = batch.cu_seqlens.diff()[: batch.num_segments].double()
    tokens, squares = float(lengths.sum()), float((lengths**2).sum())
    text = config.text_config
    width, heads = text.hidden_size, text.num_attention_heads * text.head_dim
    key_heads = text.num_key_value_heads * text.head_dim
    layer = 2 * width * (heads + key_heads) + 3 * width * text.intermediate_size
    # Its first matrix passes no gradient on: the vision encoder is frozen.
    projector = width * (4 * config.vision_config.hidden_size + _TRAINED * width)
    images = len(batch.pixel_values)
    return float(
        _TRAINED * text.num_hidden_layers * layer * tokens
        # Scores and their use, 2 operations each, of which causal attention needs half.
        + _TRAINED * text.num_hidden_layers * heads * squares
        + _TRAINED * text.vocab_size * width * batch.num_targets
        + projector * images * image_tokens
        + images * _vision_flops(config)
    )


def _vision_flops(config: LlavaConfig) -> float:
    """Returns the operations forward for one image, the last layer left out."""
    vision = config.vision_config
    width, features = vision.hidden_size, count_features(vision)
    layer = 4 * width * width + 2 * width * vision.intermediate_size
    patches = vision.num_channels * vision.patch_size**2 * width
    layers = vision.num_hidden_layers - 1
    attention = 4 * layers * width * features**2
    return float(2 * features * (patches + layers * layer) + attention)


def peak_flops(device_name: str) -> float | None:
    """Returns the peak of a GPU in bf16, FLOP/s, or None where it is not known.

    >>> peak_flops("NVIDIA H100 80GB HBM3")
    989000000000000.0
    """
    return next((peak for name, peak in _PEAKS.items() if name in device_name), None)
