"""Operations over packs on a training step's way from a batch to a loss: Triton, or plain torch.

All take where segments begin (`PackBatch.cu_seqlens`), not a mask; all are torch custom operators,
so that they stand in compiled and differentiated code. None makes the host wait for the device.
Attention itself is torch's: FlexAttention takes `block_mask`, scaled dot product attention takes
`dense_mask`, and `torch.nn.attention.varlen.varlen_attn` takes `cu_seqlens` as they are.
"""

from importlib.util import find_spec

from packkit.base.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("torch", "torch")

from packkit.varlen.backend import Backend
from packkit.varlen.images import normalize_pixels, pool_image_tokens, splice_image_tokens
from packkit.varlen.masks import PackedTokens, block_mask, dense_mask, pack_tokens

__all__ = [
    "Backend",
    "PackedTokens",
    "block_mask",
    "dense_mask",
    "normalize_pixels",
    "pack_tokens",
    "pool_image_tokens",
    "splice_image_tokens",
]
