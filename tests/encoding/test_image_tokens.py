import io
import subprocess
import sys

import pytest
from PIL import Image

from packkit.base.errors import InputError, SampleError
from packkit.encoding.image_tokens import FixedImageTokens, count_image_tokens, image_policy
from packkit.samples import Sample


class Patches:
    """One token for each started patch of 32 x 32 pixels."""

    spec = "patches:32"

    def __call__(self, width, height):
        return -(-width // 32) * -(-height // 32)


class Nothing(Patches):
    def __call__(self, width, height):
        return 0


def png(width, height):
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


class UnreadableImage:
    def read(self):
        raise AssertionError("nobody needs its size")


def sample_of(*images):
    return Sample(content=(*(None for _ in images), "a"), images=images)


@pytest.mark.parametrize("spec", [7, "fixed:7", "7", FixedImageTokens(7)])
def test_number_in_any_form_is_the_fixed_policy(spec):
    assert image_policy(spec) == FixedImageTokens(7)
    assert image_policy(spec).spec == "fixed:7"


def test_policy_of_the_user_is_taken_as_it_is():
    policy = Patches()
    assert image_policy(policy) is policy


@pytest.mark.parametrize("spec", [0, -1, "fixed:0", "0"])
def test_fewer_than_one_token_is_refused(spec):
    with pytest.raises(InputError, match=r"image_tokens must be at least 1, got (0|-1)"):
        image_policy(spec)


@pytest.mark.parametrize("spec", [2**24 + 1, "fixed:100000000000", "9" * 5000])
def test_more_tokens_than_a_pack_may_have_are_refused(spec):
    assert image_policy(2**24).spec == "fixed:16777216"
    with pytest.raises(InputError, match="image_tokens must be"):
        image_policy(spec)


@pytest.mark.parametrize(
    "spec", ["", "fixed", "fixed:", "fixed:-1", "fixed:1.5", "grid:28", True, None, 1.5, len]
)
def test_what_names_no_policy_is_refused(spec):
    with pytest.raises(InputError, match=r"image_tokens must be a number, .* got"):
        image_policy(spec)


def test_fixed_policy_reads_no_image():
    sample = sample_of(UnreadableImage(), UnreadableImage())
    assert count_image_tokens(FixedImageTokens(9), sample) == [9, 9]


def test_fixed_policy_loads_no_image_library():
    script = (
        "import sys; from packkit.encoding.image_tokens import *;"
        "from packkit.samples import Sample;"
        "count_image_tokens(FixedImageTokens(1), Sample(content=(None,), images=(b'',)));"
        "assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_sizes_come_from_the_headers():
    sample = sample_of(png(64, 32), png(33, 65))
    assert count_image_tokens(Patches(), sample) == [2, 6]


def test_sizes_known_already_spare_the_headers():
    sample = sample_of(UnreadableImage(), UnreadableImage())
    assert count_image_tokens(Patches(), sample, [(64, 32), (33, 65)]) == [2, 6]


def test_sizes_must_match_the_images():
    with pytest.raises(InputError, match="1 image sizes for 2 images"):
        count_image_tokens(Patches(), sample_of(b"", b""), [(1, 1)])


def test_broken_image_is_the_fault_of_the_sample():
    with pytest.raises(SampleError):
        count_image_tokens(Patches(), sample_of(b"no image"))


def test_spec_alone_is_no_policy():
    class SpecAlone:
        spec = "fixed:7"

    with pytest.raises(InputError, match="image_tokens must be a number"):
        image_policy(SpecAlone())


def test_policy_that_gives_no_token_is_named():
    with pytest.raises(InputError, match="patches:32 must give at least 1 token, got 0 for 5 x 6"):
        count_image_tokens(Nothing(), sample_of(b""), [(5, 6)])
