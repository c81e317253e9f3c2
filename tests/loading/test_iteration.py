"""An iteration belongs to one epoch: what is left of it, saved, is of that epoch alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.loading.iteration import Iteration


class Counter:
    """A cursor over epochs of three steps."""

    def __init__(self, done=0):
        self.done = done

    def epoch(self):
        return self.done // 3

    def steps(self):
        epoch = self.epoch()
        while self.epoch() == epoch:
            self.done += 1
            yield self.done - 1

    def iterate(self):
        return Iteration(self.epoch, self.steps)


@given(st.integers(0, 20), st.integers(0, 3))
def test_what_is_left_of_an_iteration_is_of_its_epoch(start, count):
    whole = list(Counter(start).iterate())
    cursor = Counter(start)
    iteration = cursor.iterate()
    taken = [step for _, step in zip(range(count), iteration, strict=False)]
    resumed = Counter(cursor.done).iterate()
    resumed.load_state_dict(iteration.state_dict())
    assert taken + list(resumed) == whole


def test_an_iteration_begins_when_its_first_step_is_asked_for():
    cursor = Counter()
    iteration = cursor.iterate()
    assert iteration.state_dict() == {"epoch": None}
    cursor.done = 4
    assert list(iteration) == [4, 5]
    assert iteration.state_dict() == {"epoch": 1}
    assert next(iteration, None) is None


@pytest.mark.parametrize("state", [None, {}, [], {"epoch": -1}, {"epoch": True}, {"epoch": "1"}])
def test_what_is_no_state_of_an_iteration_is_refused(state):
    with pytest.raises(InputError, match="epoch"):
        Counter().iterate().load_state_dict(state)
