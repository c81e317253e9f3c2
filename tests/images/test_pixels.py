"""Pixels of images: as transformers has them, and by turbo nearly so."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import example, given
from hypothesis import strategies as st
from image_files import FORMATS, encoded, exif, opened, reason_of, saved, scene
from PIL import ImageOps
from PIL.Image import Resampling

from packkit.base.errors import InputError, MissingExtraError, RejectReason
from packkit.images.headers import read_header
from packkit.images.pixels import DECODERS, PixelDecoder

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


# As transformers has them


@pytest.fixture(scope="module")
def siglip():
    """Pixels of SigLIP's image processor before it rescales them."""
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    def pixels(data, size):
        edges = {"height": size, "width": size}
        processor = SiglipImageProcessorPil(size=edges, do_rescale=False, do_normalize=False)
        with opened(data) as image:
            return np.asarray(processor(ImageOps.exif_transpose(image))["pixel_values"][0])

    return pixels


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "edges", [(37, 23), (640, 480), (480, 640), (900, 30), (384, 384), (1, 700), (1, 1)]
)
@pytest.mark.parametrize("size", [384, 225, 30])
def test_pillow_equals_transformers(siglip, kind, mode, edges, size):
    data = saved(scene(edges, mode), kind)
    expected = siglip(data, size)
    assert expected.dtype == np.uint8 and expected.shape == (3, size, size)
    assert np.array_equal(PixelDecoder("pillow", size).decode(data), expected)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_equals_transformers_turned(siglip, kind, orientation):
    data = encoded(kind, (70, 41), exif=exif(orientation))
    assert np.array_equal(PixelDecoder("pillow", 50).decode(data), siglip(data, 50))


@pytest.mark.parametrize("mode", ["CMYK", "1", "P"])
def test_pillow_equals_transformers_in_other_modes(siglip, mode):
    data = saved(scene((70, 41), mode), "JPEG" if mode == "CMYK" else "PNG")
    with opened(data) as image:
        assert image.mode == mode
    assert np.array_equal(PixelDecoder("pillow", 50).decode(data), siglip(data, 50))


# Turbo is close to Pillow


@pytest.fixture(scope="module")
def pictures():
    """The medical pictures of the demo, in RGB or L."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        from pictures import read_pictures

        pictures = read_pictures()
    images = {}
    for picture in pictures:
        with opened(picture.data) as image:
            images[picture.key] = image.convert("RGB" if picture.is_colour else "L")
    assert len(images) > 40
    return images


@pytest.mark.parametrize(
    ("size", "edges", "largest", "mean"),
    [
        # Largest and mean difference were measured, to the right: Pillow chooses which axis it
        # resizes first, and rounds in between; torch does not choose.
        (384, None, 24, 0.25),  # 21, 0.184
        (384, (384, 512), 4, 0.05),  # 2, 0.013
        (384, (450, 440), 4, 0.05),
        (384, (511, 389), 4, 0.05),
        # Scaled by libjpeg, to 3/8 and to odd sizes that do not come out even.
        (224, None, 12, 0.4),
        (64, (385, 391), 24, 1.0),
        (64, None, 24, 1.0),
    ],
)
def test_turbo_is_close_to_pillow(pictures, size, edges, largest, mean):
    pillow, turbo = (PixelDecoder(name, size) for name in ("pillow", "turbo"))
    for key, image in pictures.items():
        data = saved(image.resize(edges or image.size, Resampling.BICUBIC), quality=90)
        levels = difference(pillow.decode(data), turbo.decode(data))
        assert levels.max() <= largest, (key, levels.max())
        assert levels.mean() <= mean, (key, levels.mean())


def test_turbo_scales_while_twice_the_size_is_left(monkeypatch, pictures):
    shapes = []
    decode = simplejpeg.decode_jpeg

    def spy(*arguments, **options):
        pixels = decode(*arguments, **options)
        shapes.append(pixels.shape)
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", spy)
    data = saved(pictures["cr-chest"])
    for size in (384, 480, 489, 224, 1):
        PixelDecoder("turbo", size).decode(data)
    assert read_header(data)[1:3] == (1841, 1955)
    assert [shape[:2] for shape in shapes] == [
        (978, 921),
        (1955, 1841),
        (1955, 1841),
        (489, 461),
        (245, 231),
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turbo_turns_what_it_scales(orientation):
    # 1,003 pixels come to 125.375 at an eighth: the part of a pixel must stay on its own side.
    data = encoded("JPEG", (1003, 1101), quality=95, exif=exif(orientation))
    pillow, turbo = (PixelDecoder(name, 50).decode(data) for name in ("pillow", "turbo"))
    assert difference(pillow, turbo).mean() < 0.5


# The decoder itself


@given(
    name=st.sampled_from(DECODERS),
    kind=st.sampled_from(
        [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK")]
        + [("PNG", mode) for mode in ("1", "L", "P", "LA", "RGB", "RGBA", "I;16")]
        + [("WEBP", "RGB"), ("WEBP", "RGBA")]
    ),
    edges=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    size=st.integers(1, 80),
    orientation=st.integers(1, 8),
)
@example("turbo", ("JPEG", "RGB"), (1, 80), 1, 1)
@example("turbo", ("JPEG", "RGB"), (80, 79), 1, 5)
@example("turbo", ("JPEG", "L"), (1, 1), 80, 8)
def test_every_pixel_is_written(name, kind, edges, size, orientation):
    data = saved(scene(edges, kind[1]), kind[0], exif=exif(orientation))
    decoder = PixelDecoder(name, size)
    # Into a part of an array, with gaps between its rows.
    frames = [np.full((3, size, size + 5), poison, np.uint8) for poison in (173, 82)]
    for frame in frames:
        decoder.decode_into(data, frame[..., 2:-3])
    assert np.array_equal(frames[0][..., 2:-3], frames[1][..., 2:-3])
    assert np.array_equal(frames[0][..., 2:-3], decoder.decode(data))
    for frame, poison in zip(frames, (173, 82), strict=True):
        assert (frame[..., :2] == poison).all() and (frame[..., -3:] == poison).all()


def test_threads_decode_as_one_does(name):
    files = [encoded(kind, (90 + 7 * n, 60 + n)) for kind in FORMATS for n in range(6)]
    decoder = PixelDecoder(name, 64)
    alone = [decoder.decode(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decoder.decode, files * 10))
    assert all(map(np.array_equal, together, alone * 10))


def test_a_pickled_decoder_decodes_the_same(name):
    decoder = PixelDecoder(name, 20, max_pixels=2000)
    copy = pickle.loads(pickle.dumps(decoder))
    assert copy == decoder and copy.spec == decoder.spec
    assert np.array_equal(copy.decode(encoded()), decoder.decode(encoded()))
    assert reason_of(lambda: copy.decode(encoded(size=(50, 50)))) is RejectReason.IMAGE_TOO_LARGE


def test_spec(name):
    assert PixelDecoder(name, 384).spec == {
        "decoder": name,
        "image_size": 384,
        "resampling": "bicubic",
    }


def test_wrong_options_are_refused():
    with pytest.raises(InputError, match="decoder must be one of pillow, turbo, got 'opencv'"):
        PixelDecoder("opencv", 384)
    for size in (0, -1):
        with pytest.raises(InputError, match=f"size must be at least 1, got {size}"):
            PixelDecoder("pillow", size)


@pytest.mark.parametrize("module", ["simplejpeg", "torch"])
def test_turbo_needs_its_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{module} .* pip install 'packkit\[turbo\]'"):
        PixelDecoder("turbo", 384)
    assert PixelDecoder("pillow", 8).decode(encoded()).shape == (3, 8, 8)


def test_out_must_fit(name):
    decoder = PixelDecoder(name, 8)
    frozen = np.zeros((3, 8, 8), np.uint8)
    frozen.flags.writeable = False
    wrong = {
        r"uint8 \[8, 8, 3\]": np.zeros((8, 8, 3), np.uint8),
        r"uint8 \[2, 3, 8, 8\]": np.zeros((2, 3, 8, 8), np.uint8),
        r"float32 \[3, 8, 8\]": np.zeros((3, 8, 8), np.float32),
        r"read-only uint8 \[3, 8, 8\]": frozen,
    }
    for kind, out in wrong.items():
        with pytest.raises(InputError, match=rf"writeable uint8 \[3, 8, 8\], got {kind}"):
            decoder.decode_into(encoded(), out)


def test_importing_it_imports_no_decoder():
    code = (
        "import packkit.images.pixels, sys; print({'torch', 'simplejpeg', 'PIL'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
