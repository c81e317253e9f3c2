"""Where training stands: steps left, places taken, epochs rolled over, states read back."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.loading.cursor import STATE_VERSION, Cursor, Steps, plain_fingerprint, read_cursor

DEEP = functools.reduce(lambda inner, _: [inner], range(100_000), [])

epochs = st.builds(
    Steps, st.integers(1, 60), st.integers(1, 20), st.sampled_from(["fill", "drop"])
).filter(lambda steps: steps.left(0))


def walk(steps):
    """The cursors at which the steps of epoch 0 begin, by going on one step at a time."""
    cursor, starts = Cursor(0, 0, 0), []
    while (cursor := steps.rolled(cursor)).epoch == 0:
        starts.append(cursor)
        cursor = Cursor(0, cursor.step + 1, cursor.position + len(steps.places(cursor)))
    return starts, cursor


@given(epochs)
def test_as_many_steps_are_made_as_are_left(steps):
    starts, after = walk(steps)
    assert [steps.left(start.position) for start in starts] == [*range(len(starts), 0, -1)]
    assert after == Cursor(1, 0, 0)


@given(epochs)
def test_steps_take_the_places_of_an_epoch_once_and_in_order(steps):
    taken = [place for start in walk(steps)[0] for place in steps.places(start)]
    rest = steps.packs % steps.packs_per_step if steps.tail == "drop" else 0
    assert taken == [*range(steps.packs - rest)]


@given(epochs, st.integers(0, 9), st.integers(0, 60))
def test_only_a_cursor_without_a_step_left_rolls_over(steps, epoch, position):
    cursor = Cursor(epoch, 3, min(position, steps.packs))
    expected = cursor if steps.left(cursor.position) else Cursor(epoch + 1, 0, 0)
    assert steps.rolled(cursor) == expected
    assert steps.rolled(expected) == expected


def state_of(cursor):
    return {"version": STATE_VERSION, "fingerprint": {}, **cursor._asdict()}


@given(st.builds(Cursor, st.integers(0, 2**31 - 1), *[st.integers(0, 2**53 - 1)] * 2))
def test_a_state_gives_its_cursor_back(cursor):
    assert read_cursor(state_of(cursor)) == cursor


@pytest.mark.parametrize("name", ["fingerprint", *Cursor._fields])
def test_what_a_state_lacks_is_named(name):
    state = state_of(Cursor(1, 2, 3))
    del state[name]
    with pytest.raises(InputError, match=f"state must hold {name}"):
        read_cursor(state)


def test_a_state_of_another_version_is_refused():
    with pytest.raises(InputError, match="version 1, got 2"):
        read_cursor({**state_of(Cursor(1, 2, 3)), "version": 2})
    with pytest.raises(InputError, match="version 1, got None"):
        read_cursor({})


@pytest.mark.parametrize("name", Cursor._fields)
@pytest.mark.parametrize(
    "value", [None, True, False, 1.5, 2.0, "3", -1, 10**20, float("nan"), [1], {}, DEEP, np.True_]
)
def test_what_is_no_whole_number_is_refused_by_name(name, value):
    rule = rf"^{name} must stand in 0\.\..* whole number, got "
    with pytest.raises(InputError, match=rule) as caught:
        read_cursor({**state_of(Cursor(1, 2, 3)), name: value})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("state", [None, [], 5, "x", DEEP])
def test_what_is_no_mapping_is_refused(state):
    with pytest.raises(InputError, match="state must be a mapping, got "):
        read_cursor(state)


@pytest.mark.parametrize("version", [True, 1.0, "1", [1], DEEP, None])
def test_a_version_is_a_whole_number(version):
    with pytest.raises(InputError, match="state must have version 1, got "):
        read_cursor({**state_of(Cursor(1, 2, 3)), "version": version})


def test_keys_of_any_type_are_shown():
    with pytest.raises(InputError, match="state must hold epoch, has "):
        read_cursor({"version": 1, 5: 6, None: 7})


@pytest.mark.parametrize(
    "fingerprint", [None, 5, [], {"seed": DEEP}, {"seed": object()}, {5: 6}, {"seed": {1: 2}}]
)
def test_a_fingerprint_is_json(fingerprint):
    with pytest.raises(InputError, match="fingerprint must "):
        plain_fingerprint(fingerprint)


def test_a_fingerprint_comes_back_as_plain_values():
    assert plain_fingerprint({"a": np.int64(3), "b": (1, 2.5), "c": None}) == {
        "a": 3,
        "b": [1, 2.5],
        "c": None,
    }


def test_the_state_format_is_fixed():
    # States lie in the checkpoints of others: whoever changes this raises STATE_VERSION.
    assert STATE_VERSION == 1
    assert Cursor._fields == ("epoch", "step", "position")
