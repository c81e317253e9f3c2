"""The choice of samples: all sources of a mixture are counted, then samples are taken of each."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.encoding import SampleEncoder
from packkit.mixture.filters import Filter, label, make_filters
from packkit.mixture.lock import Count, LockedSource, content_hash
from packkit.mixture.quantities import Quantity
from packkit.mixture.recipe import Mixture
from packkit.mixture.selection import ranks_of, take
from packkit.mixture.survey import MixtureFile, OpenMixture, SourcePart, find_files, open_mixture
from packkit.packing.intake import file_stamp
from packkit.packing.run import PackRun, Pass1Result
from packkit.packing.sample_table import SampleTable
from packkit.packing.span import Reject
from packkit.sources import Source


class Choice(NamedTuple):
    """What a mixture takes of one source.

    Attributes:
        rows: int64 [k], rows of the measured samples; a sample taken several times has as many
            entries.
        locked: Entry of the source in the lock.
    """

    rows: NDArray[np.int64]
    locked: LockedSource


class Survey(NamedTuple):
    """A mixture all of whose samples were examined.

    Attributes:
        sources: All files of the mixture.
        pass1: Result of pass 1 over the files.
        choices: Choice for each of the mixture's sources, in order.
    """

    sources: Sequence[Source]
    pass1: Pass1Result
    choices: Sequence[Choice]


class LocatedMixture(NamedTuple):
    """A mixture whose files and filters are known, before any sample is examined.

    Attributes:
        mixture: Mixture as its recipe states it.
        data: Folder that the mixture's paths are relative to.
        files: Files of all of the mixture's sources.
        filters: Filters of each of the mixture's sources.
    """

    mixture: Mixture
    data: Path
    files: Sequence[MixtureFile]
    filters: Sequence[Sequence[Filter]]

    def identity(self, encoder: SampleEncoder) -> dict[str, Any]:
        """Returns everything that decides which samples are taken, as JSON values."""
        return {
            "mixture": dataclasses.asdict(self.mixture),
            "encoder": encoder.describe(),
            "data": os.path.realpath(self.data),
            "files": [(owner, file_stamp(file)) for owner, file in self.files],
            "filters": [
                [(label(rule), rule.describe()) for rule in rules] for rules in self.filters
            ],
        }


def locate_mixture(mixture: Mixture, data: Path, out: Path | None = None) -> LocatedMixture:
    """Finds the files of a mixture and makes its filters.

    Args:
        mixture: Mixture as its recipe states it.
        data: Folder that the mixture's paths are relative to.
        out: Folder of the pack set, which no file may lie in.

    Raises:
        InputError: A path names nothing, or two sources share a file.
    """
    files = find_files(mixture, data, out)
    return LocatedMixture(
        mixture, data, files, [make_filters(source.filters, data) for source in mixture.sources]
    )


def survey_mixture(run: PackRun, located: LocatedMixture) -> Survey:
    """Examines every sample of a mixture, and chooses.

    Args:
        run: Packing run whose first pass examines the samples; its job has begun.
        located: Mixture with its files and filters.

    Raises:
        InputError: The mixture asks for what its data do not have; the source is named.
    """
    opened = open_mixture(
        located.mixture, located.filters, located.files, located.data, run.work.staging
    )
    pass1 = run.measure(opened.sources, opened)
    chooser = _Chooser(opened, pass1.measured, _rejects_of(opened, pass1.rejects))
    parts = zip(opened.parts(pass1), located.mixture.quantities, strict=True)
    choices = [chooser.choose(number, *part) for number, part in enumerate(parts)]
    return Survey(opened.sources, pass1, choices)


@dataclass(frozen=True, slots=True)
class _Chooser:
    """Chooses source by source.

    Attributes:
        opened: Mixture with its opened files.
        measured: All samples of all sources.
        rejects: Number of rejected records of each source, by reason.
    """

    opened: OpenMixture
    measured: SampleTable
    rejects: Sequence[Mapping[str, int]]

    def choose(self, number: int, part: SourcePart, quantity: Quantity) -> Choice:
        mixture = self.opened.mixture
        source = mixture.sources[number]
        keys = self.measured.column("key")
        ranks = ranks_of(keys[part.rows], mixture.seed, source.label)
        try:
            taken = take(
                ranks, self.measured.length[part.rows], quantity, mixture.shortage_of(source)
            )
        except InputError as error:
            raise InputError(f"source {source.label}: {error}") from None
        rows = part.rows[taken]
        image_tokens = int(self.measured.image_tokens[rows].sum())
        locked = LockedSource(
            name=source.label,
            use=source.use,
            files={file.name: file.size for file in part.files},
            layouts=[file.layout for file in part.files],
            read=part.read,
            rejected=self.rejects[number],
            available=part.available,
            filters={label(filter_): filter_.describe() for filter_ in self.opened.filters[number]},
            dropped=part.dropped,
            asked=str(quantity),
            taken=len(rows),
            distinct=len(np.unique(rows)),
            text_tokens=int(self.measured.length[rows].sum()) - image_tokens,
            image_tokens=image_tokens,
            images=int(self.measured.images[rows].sum()),
            modalities=self._modalities(rows),
            content=content_hash(keys[rows]),
        )
        return Choice(rows, locked)

    def _modalities(self, rows: NDArray[np.int64]) -> dict[str, Count]:
        names, codes = np.unique(
            self.measured.column("modality")[rows].astype(str), return_inverse=True
        )
        samples = np.bincount(codes, minlength=len(names)).tolist()
        tokens = np.bincount(codes, self.measured.length[rows], len(names)).astype(np.int64)
        counts = map(Count, samples, tokens.tolist())
        return dict(zip(names.tolist(), counts, strict=True))


def _rejects_of(opened: OpenMixture, rejects: Sequence[Reject]) -> list[Mapping[str, int]]:
    """Returns the number of rejected records of each of the mixture's sources, by reason."""
    owner = {
        source.name: number for source, number in zip(opened.sources, opened.owners, strict=True)
    }
    counts: list[Counter[str]] = [Counter() for _ in opened.mixture.sources]
    for reject in rejects:
        counts[owner[reject.source]][reject.reason] += 1
    return [dict(sorted(count.items())) for count in counts]
