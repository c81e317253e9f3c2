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
