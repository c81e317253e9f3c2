"""Pixels of images: as transformers has them, for every kind of file, or a clear error."""

import io
import pickle
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps
from PIL.Image import Resampling

from packkit.base.errors import InputError, MissingExtraError, RejectReason, SampleError
from packkit.images.headers import read_header
from packkit.images.pixels import DECODERS, PixelDecoder, check_pixels

DEMO = Path(__file__).parents[2] / "examples" / "demo"
FORMATS = ["JPEG", "PNG", "WEBP"]


def scene(size, mode="RGB"):
    """A picture with edges, ramps and noise, whose turns all differ."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    noise = np.random.default_rng(width * 1009 + height).integers(0, 40, (height, width))
    planes = [x, np.where(x > 2 * y, 230, y), (x + y) / 4 + noise, 255 - np.minimum(x, y)]
    pixels = np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)
    match mode:
        case "RGB" | "P" | "1" | "L":
            return Image.fromarray(pixels[..., :3]).convert(mode)
        case "LA":
            return Image.fromarray(pixels[..., [0, 3]].copy(), "LA")
        case "I;16":
            return Image.fromarray((x * 257).astype(np.uint16))
    return Image.fromarray(pixels, mode)


def saved(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded(kind="JPEG", size=(37, 23), **options):
    return saved(scene(size), kind, **options)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def opened(data):
    return Image.open(io.BytesIO(data))


def squashed(image, size):
    """What a decoder has to make of an image in RGB."""
    return np.asarray(image.resize((size, size), Resampling.BICUBIC)).transpose(2, 0, 1)


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int))


def reason_of(call):
    with pytest.raises(SampleError) as caught:
        call()
    return caught.value.reason


@pytest.fixture(params=DECODERS)
def name(request):
    return request.param


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


# Every kind of file


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples, depth, color, *chunks, after=b""):
    """Writes a PNG by hand: Pillow writes few of its kinds. Samples are [height, width, layers]."""
    height, width, _ = samples.shape
    bits = np.unpackbits(samples.astype(">u2")[..., None].view(np.uint8), axis=-1)
    rows = np.packbits(bits[..., 16 - depth :].reshape(height, -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(lines)), after]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + png_chunk(b"IEND", b"")


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turbo_turns_what_it_scales(orientation):
    # 1,003 pixels come to 125.375 at an eighth: the part of a pixel must stay on its own side.
    data = encoded("JPEG", (1003, 1101), quality=95, exif=exif(orientation))
    pillow, turbo = (PixelDecoder(name, 50).decode(data) for name in ("pillow", "turbo"))
    assert difference(pillow, turbo).mean() < 0.5


# Turbo is close to Pillow


@pytest.fixture(scope="module")
def pictures():
    """The medical pictures of the demo, in RGB or L."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        from pictures import read_pictures

        found = read_pictures()
    images = {}
    for picture in found:
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
        found = difference(pillow.decode(data), turbo.decode(data))
        assert found.max() <= largest, (key, found.max())
        assert found.mean() <= mean, (key, found.mean())


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


# What cannot be decoded


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_off_files_are_refused(name, kind):
    data = encoded(kind, (200, 200))
    for size in (len(data) // 3, len(data) * 2 // 3, len(data) - 50):
        decode = PixelDecoder(name, 50).decode
        assert reason_of(lambda: decode(data[:size])) is RejectReason.INVALID_IMAGE  # noqa: B023


def test_out_is_left_as_it_was_where_decoding_fails(name):
    for data in (b"", encoded(size=(99, 99))[:-500], encoded("PNG", (99, 99))[:-500]):
        out = np.full((3, 8, 8), 173, np.uint8)
        assert reason_of(lambda: PixelDecoder(name, 8).decode_into(data, out))  # noqa: B023
        assert (out == 173).all()


@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xda", b"\xff\xd1"])
def test_what_libjpeg_only_warns_of_is_decoded(name, marker):
    data = encoded(size=(64, 48), restart_marker_rows=1)
    start = data.index(marker)
    stray = data[:start] + b"\x12\x34\x56" * 40 + data[start:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(stray)
    with opened(data) as image:
        assert np.array_equal(PixelDecoder(name, 20).decode(stray), squashed(image, 20))


@pytest.fixture
def no_pixel_may_be_decoded(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(Image.core, "new", refuse)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)


def test_a_bomb_is_refused_before_it_is_decoded(name, no_pixel_may_be_decoded):
    bomb = png(np.zeros((1, 1, 1), int), 1, 0)
    lines = zlib.compress(bytes(1 + 9000 // 8) * 9000, 9)
    header = struct.pack(">IIBBBBB", 9000, 9000, 1, 0, 0, 0, 0)
    bomb = bomb[:8] + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", lines) + bomb[-12:]
    assert len(bomb) < 12_000
    decode = PixelDecoder(name, 8).decode
    assert reason_of(lambda: decode(bomb)) is RejectReason.IMAGE_TOO_LARGE
    with pytest.raises(AssertionError, match="decoded"):
        PixelDecoder(name, 8, max_pixels=9000 * 9000).decode(bomb)


def test_the_limit_is_exact(name):
    data = encoded("JPEG", (40, 30))
    assert PixelDecoder(name, 8, max_pixels=1200).decode(data).shape == (3, 8, 8)
    decode = PixelDecoder(name, 8, max_pixels=1199).decode
    assert reason_of(lambda: decode(data)) is RejectReason.IMAGE_TOO_LARGE


def test_a_second_png_header_does_not_lift_the_limit(name, no_pixel_may_be_decoded):
    larger = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    data = png(np.zeros((4, 4, 1), int), 8, 0, larger)
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023


@pytest.mark.parametrize(
    "data",
    [
        # Where Pillow would fail an assertion, and where an error of no image's escapes it.
        png(np.zeros((4, 4, 1), int), 8, 3),
        png(np.zeros((4, 4, 1), int), 8, 0, after=png_chunk(b"iCCP", b"")),
    ],
    ids=["palette missing", "profile empty"],
)
def test_broken_png_that_pillow_trips_over(name, data):
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023


def test_decoding_warns_neither_of_size_nor_of_broken_exif(monkeypatch, name):
    block = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\xff" * 40
    broken = encoded(exif=block)
    with pytest.warns(UserWarning), opened(broken) as image:
        image.getexif()
    start = broken.index(b"\xff\xdb")
    twice = broken[:start] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block
    twice += broken[start:]
    calls = (PixelDecoder(name, 8).decode, check_pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    for call in calls:
        for data in (broken, twice, encoded("PNG")):
            call(data)
        assert reason_of(lambda: call(encoded("WEBP"))) is RejectReason.IMAGE_TOO_LARGE  # noqa: B023


@given(
    st.sampled_from(DECODERS),
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_only_sample_errors_escape(name, kind, flips):
    data = bytearray(encoded(kind, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"))
    for position, value in flips:
        data[position % len(data)] = value
    decoder = PixelDecoder(name, 8, max_pixels=1_000_000)
    outcomes = []
    for call in (check_pixels, decoder.decode):
        try:
            read_header(bytes(data), max_pixels=decoder.max_pixels)
            call(bytes(data))
        except SampleError as error:
            assert error.reason in (RejectReason.INVALID_IMAGE, RejectReason.IMAGE_TOO_LARGE)
            outcomes.append(error.reason)
        else:
            outcomes.append(None)
    # What a run of packkit lets in with its images checked, the loader can decode.
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_check_pixels_finds_what_the_header_hides(kind):
    data = encoded(kind, size=(200, 200))
    check_pixels(data)
    cut = data[: len(data) * 2 // 3]
    assert read_header(cut) == read_header(data)
    assert reason_of(lambda: check_pixels(cut)) is RejectReason.INVALID_IMAGE


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(name, data):
    for call in (PixelDecoder(name, 8).decode, check_pixels):
        assert reason_of(lambda: call(data)) is RejectReason.INVALID_IMAGE  # noqa: B023


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
        with pytest.raises(InputError, match=f"size must be at least 1 pixel, got {size}"):
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
    for found, out in wrong.items():
        with pytest.raises(InputError, match=rf"writeable uint8 \[3, 8, 8\], got {found}"):
            decoder.decode_into(encoded(), out)


def test_importing_it_imports_no_decoder():
    code = (
        "import packkit.images.pixels, sys; print({'torch', 'simplejpeg', 'PIL'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
