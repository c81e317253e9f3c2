"""Triton kernels over packs, one operation a file: the kernels, then their launcher.

Every launcher has a twin of the same name and signature in `packkit_kernels.reference`. They take
what they are given: `packkit.varlen` checks it. Importing this package needs triton.
"""

from packkit_kernels.varlen.block_mask import block_ranges
from packkit_kernels.varlen.dense_mask import dense_mask
from packkit_kernels.varlen.normalize_pixels import normalize_pixels
from packkit_kernels.varlen.pack_tokens import pack_tokens
from packkit_kernels.varlen.pool_image_tokens import pool_image_tokens
from packkit_kernels.varlen.splice_image_tokens import (
    feature_rows,
    gather_rows,
    scatter_rows,
)

__all__ = [
    "block_ranges",
    "dense_mask",
    "feature_rows",
    "gather_rows",
    "normalize_pixels",
    "pack_tokens",
    "pool_image_tokens",
    "scatter_rows",
]
