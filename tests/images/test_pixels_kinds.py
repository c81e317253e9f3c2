"""Pixels of every kind of file: depths, transparency, animations, inks, orientations."""

import numpy as np
import pytest
import simplejpeg
from image_files import (
    FORMATS,
    exif,
    opened,
    png,
    png_chunk,
    saved,
    scene,
    squashed,
)
from PIL import Image, ImageOps

from packkit.images.pixels import PixelDecoder


def on_white(colours, alpha):
    """Rounds c * a / 255 + (255 - a) in whole numbers; [height, width, 3] and [height, width]."""
    colours, alpha = colours.astype(int), alpha.astype(int)[..., None]
    return ((2 * (colours * alpha + 255 * (255 - alpha)) + 255) // 510).astype(np.uint8)


LAYERS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PALETTE = np.random.default_rng(3).integers(0, 256, (256, 3), np.uint8)
KINDS_OF_PNG = [(depth, 0) for depth in (1, 2, 4, 8, 16)] + [(depth, 3) for depth in (1, 2, 4, 8)]
KINDS_OF_PNG += [(depth, color) for depth in (8, 16) for color in (2, 4, 6)]


def levels_of(samples, depth, color):
    """8-bit levels by the rules of PNG, but that 16 bits are cut where they are not grey alone."""
    if depth < 8:
        return samples * 255 // (2**depth - 1)
    if depth == 16:
        return samples >> 8 if color else (2 * samples * 255 + 65535) // (2 * 65535)
    return samples


@pytest.mark.parametrize(("depth", "color"), KINDS_OF_PNG)
def test_every_kind_of_png(name, depth, color):
    samples = np.random.default_rng(depth).integers(0, 2**depth, (24, 24, LAYERS[color]))
    chunks = [png_chunk(b"PLTE", PALETTE[: 2**depth].tobytes())] if color == 3 else []
    if color == 3:
        expected = PALETTE[samples[..., 0]]
    else:
        levels = levels_of(samples, depth, color)
        colours = levels[..., :3] if color in (2, 6) else levels[..., [0, 0, 0]]
        alpha = levels[..., -1] if color in (4, 6) else np.full((24, 24), 255)
        expected = on_white(colours, alpha)
    data = png(samples, depth, color, *chunks)
    assert np.array_equal(PixelDecoder(name, 24).decode(data), expected.transpose(2, 0, 1))
    assert np.array_equal(
        PixelDecoder(name, 17).decode(data), squashed(Image.fromarray(expected), 17)
    )


@pytest.mark.parametrize(("depth", "color"), [(1, 0), (8, 0), (16, 0), (8, 2), (4, 3), (8, 3)])
def test_transparent_colours_of_png_are_white(name, depth, color):
    generator = np.random.default_rng(depth)
    samples = generator.integers(0, 2**depth, (24, 24, LAYERS[color]))
    key = samples[0, 0]
    samples[::3, ::2] = key
    if color == 3:
        alphas = generator.integers(0, 256, 2**depth, np.uint8)
        expected = on_white(PALETTE[samples[..., 0]], alphas[samples[..., 0]])
        chunks = [b"PLTE", PALETTE[: 2**depth].tobytes()], [b"tRNS", alphas.tobytes()]
    else:
        expected = np.broadcast_to(levels_of(samples, depth, color), (24, 24, 3)).copy()
        expected[(samples == key).all(axis=-1)] = 255
        chunks = ([b"tRNS", key.astype(">u2").tobytes()],)
    data = png(samples, depth, color, *(png_chunk(*chunk) for chunk in chunks))
    assert np.array_equal(PixelDecoder(name, 24).decode(data), expected.transpose(2, 0, 1))


def test_one_transparent_palette_entry_is_white(name):
    samples = np.arange(256).reshape(16, 16, 1)
    chunks = png_chunk(b"PLTE", PALETTE.tobytes()), png_chunk(b"tRNS", b"\xff" * 7 + b"\0")
    colours = PALETTE.copy()
    colours[7] = 255
    decoded = PixelDecoder(name, 16).decode(png(samples, 8, 3, *chunks))
    assert np.array_equal(decoded, colours[samples[..., 0]].transpose(2, 0, 1))


def test_16_bit_grey_is_scaled_over_its_whole_range(name):
    values = np.arange(65536).reshape(256, 256, 1)
    expected = [(2 * value * 255 + 65535) // (2 * 65535) for value in range(65536)]
    decoded = PixelDecoder(name, 256).decode(png(values, 16, 0))
    assert decoded.reshape(3, -1).tolist() == [expected] * 3


def test_webp_alpha_is_laid_on_white(name):
    image = scene((24, 24), "RGBA")
    rgba = np.asarray(image)
    decoded = PixelDecoder(name, 24).decode(saved(image, "WEBP", lossless=True, exact=True))
    assert np.array_equal(decoded, on_white(rgba[..., :3], rgba[..., 3]).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_of_an_animation_the_first_frame_is_taken(name, kind, mode):
    first, second = scene((30, 20), mode), Image.new(mode, (30, 20), "red")
    data = saved(
        first, kind, save_all=True, append_images=[second, first], duration=9, lossless=True
    )
    with opened(data) as image:
        assert image.n_frames == 3
    alone = saved(first, kind, lossless=True)
    decoder = PixelDecoder(name, 25)
    assert np.array_equal(decoder.decode(data), decoder.decode(alone))


def test_a_default_image_outside_the_animation_is_taken(name):
    first, frames = scene((30, 20)), [Image.new("RGB", (30, 20), hue) for hue in ("red", "blue")]
    data = saved(first, "PNG", save_all=True, append_images=frames, default_image=True)
    assert np.array_equal(PixelDecoder(name, 25).decode(data), squashed(first, 25))


@pytest.mark.parametrize("transform", [0, 2])
def test_jpeg_of_four_inks(name, transform):
    data = bytearray(saved(scene((40, 30), "CMYK")))
    # Adobe's marker says whether the inks are as they are or YCCK.
    data[data.index(b"Adobe") + 11] = transform
    assert simplejpeg.decode_jpeg_header(bytes(data))[2] == ("YCCK" if transform else "CMYK")
    with opened(bytes(data)) as image:
        expected = squashed(image.convert("RGB"), 20)
    assert np.array_equal(PixelDecoder(name, 20).decode(bytes(data)), expected)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(10))
def test_images_are_turned_as_displayed(name, kind, orientation):
    for mode in ("RGB", "L"):
        data = saved(scene((32, 32), mode), kind, exif=exif(orientation))
        with opened(data) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        # At its own size an image is not resized, so that both decoders are exact.
        assert np.array_equal(PixelDecoder(name, 32).decode(data), squashed(upright, 32))
