"""Rejects of every kind, for hypothesis."""

from hypothesis import strategies as st

from packkit.packing.span import Reject

REJECTS = st.builds(
    Reject,
    st.text(),
    st.integers(0, 2**62),
    st.none() | st.text(),
    st.text(),
    st.text(),
    st.integers(0, 2**62),
)
