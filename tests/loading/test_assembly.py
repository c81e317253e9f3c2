"""A batch made by threads is the one that a single thread makes, and so is its error."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from packkit.base.errors import FormatError
from packkit.loading import FILLER, PackDataset
from packkit.loading.assembly import Assembly, assemble, assemble_with
from packkit.loading.cursor import Cursor, Step

SIZE = 16


def step_of(*packs):
    return Step(Cursor(0, 0, 0), Cursor(0, 1, len(packs)), list(packs))


@pytest.mark.parametrize("numbers", [(0,), (3, 8, 21), (FILLER,), (5, FILLER), tuple(range(23))])
def test_threads_make_the_same_batch(dataset, digest, numbers):
    expected = assemble(Assembly(dataset, step_of(*numbers), {"position": 1}))
    with ThreadPoolExecutor(5) as threads:
        batches = [
            assemble_with(threads, Assembly(dataset, step_of(*numbers), {"position": 1}))
            for _ in range(5)
        ]
        assert {digest(batch.result()) for batch in batches} == {digest(expected)}
    assert expected.state == {"position": 1}
    assert expected.pack_ids.tolist() == list(numbers)


def test_of_several_errors_the_first_in_order_is_raised(tmp_path, write_bad, monkeypatch):
    dataset = PackDataset(write_bad(tmp_path / "bad"), image_size=SIZE)
    decode = dataset.decode

    def fail_later_images_sooner(pack, number, out):
        if number < 2:
            time.sleep(0.05 * (2 - number))
            raise FormatError(f"image {number}", "broken")
        return decode(pack, number, out)

    monkeypatch.setattr(dataset, "decode", fail_later_images_sooner)
    with ThreadPoolExecutor(5) as threads:
        for _ in range(3):
            batch = assemble_with(threads, Assembly(dataset, step_of(0, 1, 2), {}))
            with pytest.raises(FormatError, match="image 0: broken"):
                batch.result()


def test_an_error_while_opening_is_raised(dataset):
    with ThreadPoolExecutor(2) as threads:
        batch = assemble_with(threads, Assembly(dataset, step_of(1, 99, 98), {}))
        with pytest.raises(IndexError, match="no pack 99"):
            batch.result()
