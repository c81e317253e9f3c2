"""The pack sets whose ledgers are checked."""

from ledger_histories import folder, other_packs, packs

__all__ = ["folder", "other_packs", "packs"]
