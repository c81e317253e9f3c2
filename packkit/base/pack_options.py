"""Choices and defaults of packing that the library and the command line share.

`PackConfig` says what each of them means. Nothing heavy is imported here: ``packkit --help`` needs
them, and answers at once.
"""

from typing import Literal

Algorithm = Literal["ffd", "fill", "best"]
Overlong = Literal["reject", "truncate", "error"]
Storage = Literal["shards", "files"]
TemplateName = Literal["qwen3", "chatml"]

MAX_LEN = 4096
TOKENIZER = "Qwen/Qwen3-1.7B"
IMAGE_TOKENS = 144
TEMPLATE: TemplateName = "qwen3"
STORAGE: Storage = "shards"
SHARD_SIZE = 256 << 20
ALGORITHM: Algorithm = "ffd"
OVERLONG: Overlong = "reject"
MAX_REJECT_RATE = 0.01

LARGEST_CAPACITY = 1 << 24
"""Tokens that a pack, and so a segment, an image or a reply, may have at most: 16,777,216.

No model has a context of more. The planner's tables grow with the capacity: here they take 770 MiB
and two seconds.
"""

LARGEST_SHARD = 1 << 40
"""Bytes at which a shard is closed at most: 1 TiB, which common file systems hold in one file."""
