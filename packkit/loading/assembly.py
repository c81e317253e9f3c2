"""One batch in the making: its packs are opened, then its images decoded straight into it.

Each part can be made by another thread. What takes time there, reading, checksums, base64, tokens
and above all JPEG, runs without the interpreter's lock, so threads do what worker processes do
elsewhere, and no pixel is copied from one process to another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from packkit.loading.batch import PackBatch
from packkit.loading.collate import Masked, flatten
from packkit.loading.cursor import Step
from packkit.loading.dataset import OpenedPack, PackDataset
from packkit.loading.options import BatchOptions

# A task costs some 30 microseconds to hand over, an image about a millisecond to decode.
_IMAGES_PER_TASK = 2


class Assembly:
    """The parts of a batch.

    Args:
        dataset: Dataset that opens packs and decodes images.
        step: Step whose packs make the batch.
        state: State of the loader once the batch is consumed.
        options: How the packs are joined.
    """

    def __init__(
        self,
        dataset: PackDataset,
        step: Step,
        state: dict[str, Any],
        options: BatchOptions = BatchOptions(),  # noqa: B008
    ) -> None:
        self._dataset = dataset
        self._step = step
        self._state = state
        self._opened: dict[int, OpenedPack] = {}
        self._pixels = dataset.empty_pixels(0)
        self._images: list[tuple[int, int]] = []
        self._masked: dict[int, Masked] = {}
        self._options = options

    @property
    def packs(self) -> range:
        """Numbers of the packs to `open`."""
        return range(len(self._step.packs))

    def open(self, number: int) -> None:
        """Opens one pack."""
        self._opened[number] = self._dataset.open(self._step.packs[number])

    def allocate(self) -> range:
        """Makes room for the pixels, once all packs are open; returns the images to `decode`."""
        self._images = [
            (pack, image) for pack in self.packs for image in range(len(self._opened[pack].images))
        ]
        self._pixels = self._dataset.empty_pixels(len(self._images))
        return range(len(self._images))

    def decode(self, number: int) -> None:
        """Decodes one image into its place."""
        pack, image = self._images[number]
        masked = self._dataset.decode(self._opened[pack], image, self._pixels[number])
        if masked is not None:
            self._masked[number] = masked

    def finish(self) -> PackBatch:
        """Returns the batch, once all images are decoded."""
        masked: list[list[Masked]] = [[] for _ in self.packs]
        for number in sorted(self._masked):
            masked[self._images[number][0]].append(self._masked[number])
        tokens = [self._opened[pack].tokens for pack in self.packs]
        return replace(
            flatten(tokens, self._pixels, masked, self._options),
            **self._step.start._asdict(),
            state=self._state,
        )


def assemble(assembly: Assembly) -> PackBatch:
    """Returns the batch, made in this thread."""
    for pack in assembly.packs:
        assembly.open(pack)
    for image in assembly.allocate():
        assembly.decode(image)
    return assembly.finish()


def assemble_with(threads: Executor, assembly: Assembly) -> Future[PackBatch]:
    """Starts making a batch in threads; none of them ever waits for another.

    Of several errors the future raises the one that a single thread would have come to first.
    """
    batch: Future[PackBatch] = Future()

    def decode_images() -> None:
        _run_all(threads, assembly.decode, assembly.allocate(), _IMAGES_PER_TASK, finish, batch)

    def finish() -> None:
        batch.set_result(assembly.finish())

    _run_all(threads, assembly.open, assembly.packs, 1, decode_images, batch)
    return batch


def _run_all(
    threads: Executor,
    function: Callable[[int], None],
    numbers: range,
    size: int,
    then: Callable[[], None],
    result: Future[PackBatch],
) -> None:
    """Runs a function over numbers in tasks of several; the last to end goes on with `then`."""
    # At least one task, an empty one where there is no number: it goes on all the same.
    tasks = [numbers[first : first + size] for first in range(0, max(1, len(numbers)), size)]
    errors: dict[int, BaseException] = {}
    lock = threading.Lock()
    left = len(tasks)

    def run(task: range) -> None:
        nonlocal left
        for number in task:
            try:
                function(number)
            except BaseException as error:
                errors[number] = error
                break
        with lock:
            left -= 1
            is_last = left == 0
        if is_last:
            go_on()

    def go_on() -> None:
        try:
            if errors:
                raise errors[min(errors)]
            then()
        except BaseException as error:
            result.set_exception(error)

    for task in tasks:
        threads.submit(run, task)
