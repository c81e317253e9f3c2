"""From what there is to what is taken: the sources of a mixture, counted and chosen."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import InputError
from packkit.mixture.filters import label, make_filters
from packkit.mixture.lock import Count, LockedSource, content_hash
from packkit.mixture.quantities import Quantity
from packkit.mixture.recipe import Mixture
from packkit.mixture.selection import ranks_of, take
from packkit.mixture.survey import OpenMixture, SourcePart, find_files, open_mixture
from packkit.packing.intake import file_stamp
from packkit.packing.run import PackRun, Pass1Result
from packkit.packing.sample_table import SampleTable
from packkit.packing.span import Reject
from packkit.sources import Source


class Choice(NamedTuple):
    """What a mixture takes of one source.

    Attributes:
        rows: int64 [k], rows of the measured samples; one taken several times stands there as
            often.
        locked: What a lock says of it.
    """

    rows: NDArray[np.int64]
    locked: LockedSource


class Survey(NamedTuple):
    """A mixture once all of its samples were looked at.

    Attributes:
        sources: Every file.
        pass1: What pass 1 found in them.
        choices: What is taken of each of the mixture's sources.
    """

    sources: Sequence[Source]
    pass1: Pass1Result
    choices: Sequence[Choice]


def survey_mixture(run: PackRun, mixture: Mixture, data: Path, *, overwrite: bool) -> Survey:
    """Looks at every sample of a mixture, and chooses.

    Args:
        run: The packing run whose first pass looks at them.
        mixture: What is asked for.
        data: Folder that its paths are relative to.
        overwrite: Whether another run's output may be removed.

    Raises:
        InputError: The mixture does not fit its data; the source is named.
        OutputExistsError: The run's folder holds something else.
    """
    files = find_files(mixture, data)
    filters = [make_filters(source.filters, data) for source in mixture.sources]
    identity = {
        "mixture": dataclasses.asdict(mixture),
        "encoder": run.encoder.describe(),
        "files": [(owner, file_stamp(file)) for owner, file in files],
        "filters": [[(label(filter_), filter_.describe()) for filter_ in some] for some in filters],
    }
    run.work.begin(identity, overwrite=overwrite)
    opened = open_mixture(mixture, filters, files, data, run.work.staging)
    pass1 = run.measure(opened.sources, opened)
    chooser = _Chooser(opened, pass1.measured, _rejects_of(opened, pass1.rejects))
    parts = zip(opened.parts(pass1), mixture.quantities, strict=True)
    choices = [chooser.choose(number, *part) for number, part in enumerate(parts)]
    return Survey(opened.sources, pass1, choices)


@dataclass(frozen=True, slots=True)
class _Chooser:
    """Chooses source by source.

    Attributes:
        opened: The mixture and its files.
        measured: All samples of all sources.
        rejects: Reasons of each source, counted.
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
    """Returns the reasons of each of the mixture's sources, counted."""
    owner = {
        source.name: number for source, number in zip(opened.sources, opened.owners, strict=True)
    }
    counts: list[Counter[str]] = [Counter() for _ in opened.mixture.sources]
    for reject in rejects:
        counts[owner[reject.source]][reject.reason] += 1
    return [dict(sorted(count.items())) for count in counts]
