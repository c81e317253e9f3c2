"""Random ways to go through epochs, what each must give, and the doors that they are tried on."""

from itertools import islice
from typing import Any, NamedTuple

from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from packkit.loading import PackLoader, PackSampler, PackStream, collate_packs

SIZE = 16
HOW = ("for", "len", "zip")


class Take(NamedTuple):
    """Takes steps: all that are left of the epoch in one of several ways, or a few."""

    how: str
    count: int | None


class SetEpoch(NamedTuple):
    """Moves to an epoch."""

    epoch: int


class Reload(NamedTuple):
    """Saves a state and loads it into a loader made anew."""


class Way(NamedTuple):
    """A door, and how it makes batches."""

    door: str
    workers: int
    persistent: bool


DOORS = ("loader", "map", "stream", "stateful map", "stateful stream")

takes = st.one_of(
    st.builds(Take, st.sampled_from(HOW), st.none()),
    st.builds(Take, st.sampled_from(["break", "len", "zip"]), st.integers(1, 7)),
)
actions = st.one_of(takes, takes, st.builds(Reload))
schedules = st.lists(actions, min_size=2, max_size=7)
schedules_that_jump = st.lists(
    st.one_of(actions, st.builds(SetEpoch, st.integers(0, 3))), min_size=2, max_size=7
)


def ways(workers):
    """All doors with that many workers, or threads."""
    return [
        Way(door, workers, persistent)
        for door in DOORS
        for persistent in (False, True)
        if not persistent or (workers and door != "loader")
    ]


class Model:
    """Where training must stand: the rule of docs/loading.md, in a few lines."""

    def __init__(self, steps):
        self.steps, self.epoch, self.step = steps, 0, 0

    def take(self, count):
        """The steps that an iteration gives, as (epoch, step)."""
        left = self.steps - self.step
        taken = [(self.epoch, self.step + k) for k in range(left if count is None else count)]
        taken = taken[:left]
        self.step += len(taken)
        if self.step == self.steps:
            self.epoch, self.step = self.epoch + 1, 0
        return taken

    def set_epoch(self, epoch):
        if epoch != self.epoch:
            self.epoch, self.step = epoch, 0


class Trainer:
    """Goes through epochs by one door, doing what docs/loading.md says of it."""

    def __init__(self, packs, dataset, way, options):
        self._packs, self._dataset, self._way, self._options = packs, dataset, way, options
        self._state = None
        self._make()

    def _make(self):
        door, workers, persistent = self._way
        if door == "loader":
            options = {**self._options, "threads": workers, "image_size": SIZE}
            self._loader = self._owner = PackLoader(self._packs, **options)
            return
        self._owner = sampler = PackSampler(self._dataset, **self._options)
        kind = StatefulDataLoader if door.startswith("stateful") else DataLoader
        how: dict[str, Any] = {"num_workers": workers, "persistent_workers": persistent}
        if door.endswith("map"):
            self._loader = kind(
                self._dataset, batch_sampler=sampler, collate_fn=collate_packs, **how
            )
        else:
            self._owner = stream = PackStream(self._dataset, sampler)
            self._loader = kind(stream, batch_size=None, **how)

    def take(self, action):
        """Takes batches as an action says, and does what has to be done before the next."""
        how, count = action
        length = len(self._loader) if count is None else count
        if how == "len":
            batches = list(islice(self._loader, length))
        elif how == "zip":
            batches = [batch for _, batch in zip(range(length), self._loader, strict=False)]
        else:
            batches = []
            for batch in self._loader:
                batches.append(batch)
                if len(batches) == count:
                    break
        if batches:
            self._state = batches[-1].state
            self._settle()
        return batches

    def _settle(self):
        """Says where training stands, which a door cannot know whose workers are ahead."""
        if self._way.workers and self._way.door != "loader":
            self._owner.load_state_dict(self._state)

    def set_epoch(self, epoch):
        self._owner.set_epoch(epoch)
        self._state = self._owner.state_dict()

    def reload(self):
        self._make()
        if self._state is not None:
            self._owner.load_state_dict(self._state)
