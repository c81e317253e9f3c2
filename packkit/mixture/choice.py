"""From what there is to what is taken: the sources of a mixture, counted and chosen."""

from __future__ import annotations

import dataclasses
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


class LocatedMixture(NamedTuple):
    """A mixture whose files and filters are known, before any sample is looked at.

    Attributes:
        mixture: The mixture as it was asked for.
        data: Folder that its paths are relative to.
        files: Files of all its sources.
        filters: Filters of each of its sources.
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
            "files": [(owner, file_stamp(file)) for owner, file in self.files],
            "filters": [
                [(label(rule), rule.describe()) for rule in rules] for rules in self.filters
            ],
        }


def locate_mixture(mixture: Mixture, data: Path) -> LocatedMixture:
    """Finds the files of a mixture and makes its filters.

    Args:
        mixture: The mixture as it was asked for.
        data: Folder that its paths are relative to.

    Raises:
        InputError: A path names nothing, or two sources share a file.
    """
    files = find_files(mixture, data)
    return LocatedMixture(
        mixture, data, files, [make_filters(source.filters, data) for source in mixture.sources]
    )


def survey_mixture(run: PackRun, located: LocatedMixture) -> Survey:
    """Looks at every sample of a mixture, and chooses.

    Args:
        run: The packing run whose first pass looks at them; its job has begun.
        located: The mixture and its files.

    Raises:
        InputError: The mixture does not fit its data; the source is named.
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
