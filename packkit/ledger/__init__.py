"""What a training run consumed, and the proof that it consumed every pack exactly once per epoch.

Every rank appends lines to its own file, ``rank-00000.jsonl``. One line says where it starts, with
how many ranks and packs a step; one line a step says which packs it took, before they are handed
out. A run starts at a checkpoint: it goes on from the latest run that came to that place, and what
that run did after it is taken back. The proof joins the files of all ranks:

1. The runs of rank 0 that led to the last one make up training, each with its own number of ranks,
   each as far as to the checkpoint that the next one started from. Every other rank must have
   started each of them. A run that was killed before all ranks noted its first step came to nothing
   and takes nothing back.
2. In a run every rank must have noted every step, each from where the one before it ended, with as
   many packs as a step must hold. At the end of the last run, which may have been killed, steps
   that not all ranks have noted are left out and counted.
3. Of a finished epoch every pack must have been taken once; of the last, none twice. Where an epoch
   takes shares of sets, no pack may have come up twice more than another of its set.
"""

from packkit.ledger.check import EpochReport, LedgerReport, check_ledger
from packkit.ledger.lines import LedgerStart, LedgerStep, LedgerWriter

__all__ = [
    "EpochReport",
    "LedgerReport",
    "LedgerStart",
    "LedgerStep",
    "LedgerWriter",
    "check_ledger",
]
