"""Packs into any PyTorch trainer: every pack once an epoch, from any place on, on any world size.

`PackLoader` makes batches with threads and needs nothing else. PyTorch's own doors lead to the same
batches: `PackDataset` with `PackSampler` and `collate_packs` for a map-style ``DataLoader``, and
`PackStream` for an iterable one.
"""

from importlib.util import find_spec

from packkit.base.errors import MissingExtraError
from packkit.encoding import IGNORED

if find_spec("torch") is None:
    raise MissingExtraError("torch", "torch")

from packkit.loading.batch import FILLER, PackBatch
from packkit.loading.batch_ledger import BatchLedger
from packkit.loading.collate import LoadedPack, collate_for_transformers, collate_packs
from packkit.loading.dataset import PackDataset
from packkit.loading.loader import PackLoader
from packkit.loading.options import BatchOptions, DatasetOptions, LoaderOptions, SamplerOptions
from packkit.loading.sampler import PackSampler
from packkit.loading.stream import PackStream

__all__ = [
    "FILLER",
    "IGNORED",
    "BatchLedger",
    "BatchOptions",
    "DatasetOptions",
    "LoadedPack",
    "LoaderOptions",
    "PackBatch",
    "PackDataset",
    "PackLoader",
    "PackSampler",
    "PackStream",
    "SamplerOptions",
    "collate_for_transformers",
    "collate_packs",
]
