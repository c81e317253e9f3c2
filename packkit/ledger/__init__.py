"""What a training run consumed, and the proof that it consumed every pack exactly once per epoch.

Every rank appends lines to its own file, ``rank-00000.jsonl``. One line says where it starts, with
how many ranks and packs per step; one line per step says which packs it took, before they are
handed out. A run starts at a checkpoint: it continues the latest run that reached that place, and
later steps of that run are undone. The proof joins the files of all ranks:

1. The runs of rank 0 that led to the last one make up training, each with its own number of ranks,
   each up to the checkpoint that the next one started from. Every other rank must have started each
   of them. A run that was killed before all ranks noted its first step counts for nothing and
   undoes nothing.
2. In a run every rank must have noted every step, each from where the one before it ended, with as
   many packs as a step must hold. At the end of the last run, which may have been killed, steps
   that not all ranks have noted are not part of the proof, only counted.
3. In a finished epoch every pack must have been taken once; in the last, none twice. Where an epoch
   takes shares of sets, no pack may have been taken twice more often than another of its set.
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
