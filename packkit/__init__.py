"""packkit: sequence packing and dataloading for training vision-language models.

Names are loaded on first use (PEP 562), so that ``import packkit`` stays free of numba, pyarrow
and torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packkit.base.lazy import lazy_names

if TYPE_CHECKING:
    from packkit.base.errors import CheckpointError as CheckpointError
    from packkit.base.errors import ChecksumError as ChecksumError
    from packkit.base.errors import DivergedError as DivergedError
    from packkit.base.errors import FingerprintError as FingerprintError
    from packkit.base.errors import FormatError as FormatError
    from packkit.base.errors import InputError as InputError
    from packkit.base.errors import LengthError as LengthError
    from packkit.base.errors import LockedError as LockedError
    from packkit.base.errors import MissingExtraError as MissingExtraError
    from packkit.base.errors import OutputExistsError as OutputExistsError
    from packkit.base.errors import PackkitError as PackkitError
    from packkit.base.errors import RejectRateError as RejectRateError
    from packkit.base.errors import RejectReason as RejectReason
    from packkit.base.errors import SampleError as SampleError
    from packkit.base.errors import SourceChangedError as SourceChangedError
    from packkit.encoding import EncodedSample as EncodedSample
    from packkit.encoding import SampleEncoder as SampleEncoder
    from packkit.ledger import check_ledger as check_ledger
    from packkit.loading import BatchLedger as BatchLedger
    from packkit.loading import LoadedPack as LoadedPack
    from packkit.loading import PackBatch as PackBatch
    from packkit.loading import PackDataset as PackDataset
    from packkit.loading import PackLoader as PackLoader
    from packkit.loading import PackSampler as PackSampler
    from packkit.loading import PackStream as PackStream
    from packkit.loading import collate_for_transformers as collate_for_transformers
    from packkit.loading import collate_packs as collate_packs
    from packkit.packing import PackConfig as PackConfig
    from packkit.packing import PackReport as PackReport
    from packkit.packing import pack as pack
    from packkit.planning import HistogramPlan as HistogramPlan
    from packkit.planning import PackPlan as PackPlan
    from packkit.planning import plan_histogram as plan_histogram
    from packkit.planning import plan_packs as plan_packs
    from packkit.samples import Message as Message
    from packkit.samples import Origin as Origin
    from packkit.samples import Pack as Pack
    from packkit.samples import Sample as Sample
    from packkit.shards import PackReader as PackReader
    from packkit.shards import PackWriter as PackWriter
    from packkit.shards import rebuild_index as rebuild_index
    from packkit.shards import verify_packs as verify_packs

__version__ = "0.1.0"

_MODULES = {
    "encoding": ("EncodedSample", "SampleEncoder"),
    "base.errors": (
        "CheckpointError",
        "ChecksumError",
        "DivergedError",
        "FingerprintError",
        "FormatError",
        "InputError",
        "LengthError",
        "LockedError",
        "MissingExtraError",
        "OutputExistsError",
        "PackkitError",
        "RejectRateError",
        "RejectReason",
        "SampleError",
        "SourceChangedError",
    ),
    "ledger": ("check_ledger",),
    "loading": (
        "BatchLedger",
        "LoadedPack",
        "PackBatch",
        "PackDataset",
        "PackLoader",
        "PackSampler",
        "PackStream",
        "collate_for_transformers",
        "collate_packs",
    ),
    "packing": ("PackConfig", "PackReport", "pack"),
    "planning": ("HistogramPlan", "PackPlan", "plan_histogram", "plan_packs"),
    "samples": ("Message", "Origin", "Pack", "Sample"),
    "shards": ("PackReader", "PackWriter", "rebuild_index", "verify_packs"),
}

__all__, __getattr__, __dir__ = lazy_names(__name__, _MODULES)
