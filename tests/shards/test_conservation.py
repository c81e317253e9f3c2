"""Conservation: problems are told exactly where records are lost, repeated or made up."""

from collections import Counter

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.samples import Origin, Sample
from packkit.shards import MeasuredSample
from packkit.shards.conservation import Conservation
from packkit.shards.index import ShardIndex
from packkit.shards.index_columns import make_row

_RECORDS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), max_size=12)


def conserved(build_index, shards, rejects):
    conservation = Conservation()
    for records in shards:
        samples = [Sample(content=("text",), origin=Origin(*record)) for record in records]
        items = [MeasuredSample(sample, 1, [], []) for sample in samples]
        row = make_row(b"", items, [], offset=0, file=None)
        conservation.add_packed(ShardIndex.from_buffer(build_index([row]), "here"))
    lines = [orjson.dumps({"source": name, "position": position}) for name, position in rejects]
    assert conservation.add_rejects(b"\n".join(lines)) == len(rejects)
    return conservation


@settings(max_examples=200, deadline=None)
@given(
    shards=st.lists(_RECORDS, max_size=3),
    rejects=_RECORDS,
    reads=st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)),
)
def test_problems_are_those_of_a_count(build_index, shards, rejects, reads):
    sources = [{"name": name, "read": read} for name, read in reads.items()]
    problems = list(conserved(build_index, shards, rejects).problems(sources))
    counts = Counter([*rejects, *(record for records in shards for record in records)])
    expected = []
    for name, read in reads.items():
        times = {position: count for (source, position), count in counts.items() if source == name}
        for positions, problem in (
            ([p for p in range(read) if p not in times], "neither packed nor rejected"),
            ([p for p, count in times.items() if count > 1], "packed or rejected more than once"),
            ([p for p in times if p >= read], "packed or rejected but never read"),
        ):
            if positions:
                count, first = len(positions), min(positions)
                expected.append(f"{name}: {count} of {read} records {problem}, first {first}")
    for name in {source for source, _ in counts} - reads.keys():
        expected.append(f"{name}: has samples in the packs but is no source in the manifest")
    assert sorted(problems) == sorted(expected)


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b"7", b'{"source":"a"}', b'{"source":"a","position":"x"}']
)
def test_lines_that_are_no_rejects_are_refused(line):
    with pytest.raises(ValueError):
        Conservation().add_rejects(line)
