"""Rejects are lines that any reader of JSON understands."""

import json

from hypothesis import given
from hypothesis import strategies as st
from rejects import REJECTS

from packkit.packing.span import reject_lines


@given(st.lists(REJECTS))
def test_every_reject_is_one_line_in_order(rejects):
    data = reject_lines(rejects)
    lines = data.split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == [
        {
            "source": reject.source,
            "position": reject.position,
            "id": reject.id,
            "reason": reject.reason,
            "detail": reject.detail,
            # Few rejects are of bytes that may hold any number of samples.
            **({"unread": reject.unread} if reject.unread else {}),
        }
        for reject in rejects
    ]
