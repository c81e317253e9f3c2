"""Packs to try kernels on."""

from hypothesis import strategies as st
from torch import int32, tensor

ODD_TOTALS = (1, 63, 111, 127, 128, 129)


def cu_seqlens_of(lengths):
    """int32 [N+1]."""
    return tensor([0, *(sum(lengths[: end + 1]) for end in range(len(lengths)))], dtype=int32)


def segment_lengths(longest=60, most=200):
    """Lengths of segments: one full segment, many of one token, empty ones, uneven ones."""
    return st.one_of(
        st.sampled_from(ODD_TOTALS).map(lambda total: [total]),
        st.lists(st.integers(0, longest), min_size=1, max_size=8).filter(any),
        st.lists(st.integers(1, 2), min_size=1, max_size=most),
    )


@st.composite
def slots_in(draw, total):
    """Image slots among so many tokens: some adjacent, some empty, perhaps none."""
    edges = sorted(draw(st.lists(st.integers(0, total), max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return [(first, end - first) for first, end in pairs]
