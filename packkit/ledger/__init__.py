"""What a training run consumed, and the proof that it consumed every pack exactly once per epoch.

Every rank appends lines to its own file, ``rank-00000.jsonl``. One line says where it starts, with
how many ranks and packs a step; one line a step says which packs it took, before they are handed
out. A start takes back all that the file says from there on: a run that goes on from a checkpoint
does again what came after it. The proof joins the files of all ranks:

1. The starts of rank 0 that were not taken back cut training into runs, each with its own number of
   ranks. Every other rank must have started each run in the same place.
2. In a run every rank must have noted every step. At the end of the last run, which may have been
   killed, steps that not all ranks have noted are left out and counted.
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
