"""Image paths under a data root: found there, and never outside it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from packkit.base.errors import InputError, RejectReason, SampleError
from packkit.images import DataRoot


def reason_of(call):
    with pytest.raises(SampleError) as caught:
        call()
    return caught.value.reason


@pytest.fixture
def root(tmp_path):
    """A data root with a picture, and beside it a folder that must never be read."""
    inside = tmp_path / "root"
    (inside / "deep" / "er").mkdir(parents=True)
    (inside / "deep" / "picture.jpg").write_bytes(b"inside")
    (inside / "top.jpg").write_bytes(b"top")
    outside = tmp_path / "root-beside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    return inside


@pytest.mark.parametrize(
    "name",
    [
        "top.jpg",
        "./top.jpg",
        "deep/../top.jpg",
        "deep//../deep/./er/../../top.jpg",
        "../root/top.jpg",
        "loop/loop/top.jpg",
        "alias.jpg",
        "chain.jpg",
    ],
)
def test_paths_inside(root, name):
    (root / "loop").symlink_to(".")
    (root / "alias.jpg").symlink_to(root / "top.jpg")
    (root / "chain.jpg").symlink_to("deep/../alias.jpg")
    images = DataRoot(root)
    for _ in range(2):
        # The second time the folder is known.
        assert images.image(name).read() == b"top"


def test_absolute_path_inside(root):
    assert DataRoot(root).image(str(root / "top.jpg")).read() == b"top"


@pytest.mark.parametrize(
    "name",
    [
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "deep/../../root-beside/secret.jpg",
        "../root-beside/secret.jpg",
        "..",
        "deep/../..",
        "/",
        "link-out/secret.jpg",
        "link-out/../root-beside/secret.jpg",
        "secret-link.jpg",
        "deep/chain.jpg",
        "",
        "top.jpg\0.png",
        "\0",
    ],
)
def test_paths_outside(root, name):
    outside = root.parent / "root-beside"
    (root / "link-out").symlink_to(outside)
    (root / "secret-link.jpg").symlink_to(outside / "secret.jpg")
    (root / "deep" / "chain.jpg").symlink_to("../secret-link.jpg")
    images = DataRoot(root)
    for _ in range(2):
        assert reason_of(lambda: images.image(name)) is RejectReason.UNSAFE_PATH


def test_absolute_path_outside(root):
    outside = root.parent / "root-beside" / "secret.jpg"
    assert reason_of(lambda: DataRoot(root).image(str(outside))) is RejectReason.UNSAFE_PATH


@pytest.mark.parametrize(
    "name",
    [
        "http://example.org/a.jpg",
        "https://example.org/a.jpg",
        "HTTP://example.org/a.jpg",
        "s3://bucket/a.jpg",
        "data:image/png;base64,AAAA",
    ],
)
def test_urls_are_refused(root, name):
    with pytest.raises(SampleError, match=r"is a (data )?URL") as caught:
        DataRoot(root).image(name)
    assert caught.value.reason is RejectReason.MISSING_IMAGE


def test_a_file_url_is_the_path_in_it(root):
    with pytest.raises(SampleError) as caught:
        DataRoot(root).image("file:///etc/passwd")
    assert caught.value.reason is RejectReason.UNSAFE_PATH
    path = os.path.join(DataRoot(root).folder, "a.jpg")
    assert DataRoot(root).image(f"file://{path}").path == path


def test_names_without_an_ending_get_the_suffix(root):
    images = DataRoot(root, ".jpg")
    assert images.image("deep/0001").path.endswith("deep/0001.jpg")
    assert images.image("0001.png").path.endswith("0001.png")
    assert images.within("none").suffix == images.suffix == ".jpg"


def test_a_long_url_is_shown_in_part(root):
    with pytest.raises(SampleError) as caught:
        DataRoot(root).image("data:" + "A" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "name", ["片/图.jpg", "ü.jpg", "a b.jpg", "..a.jpg", "a\\..\\..\\b.jpg", "~"]
)
def test_unusual_names(root, name):
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"unusual")
    assert DataRoot(root).image(name).read() == b"unusual"


@pytest.mark.parametrize(
    "name", ["nowhere.jpg", "no/where.jpg", "top.jpg/x", "x" * 300, "a/" * 3000]
)
def test_names_of_nothing(root, name):
    assert reason_of(lambda: DataRoot(root).image(name).read()) is RejectReason.MISSING_IMAGE


def test_a_link_that_leads_to_itself(root):
    (root / "self.jpg").symlink_to("self.jpg")
    assert reason_of(lambda: DataRoot(root).image("self.jpg").read()) is RejectReason.MISSING_IMAGE


COMPONENTS = st.sampled_from(
    ["..", ".", "", "deep", "er", "root", "root-beside", "out", "in", "secret.jpg", "top.jpg", "/"]
)


@given(st.one_of(st.text(max_size=20), st.lists(COMPONENTS, max_size=8).map("/".join)))
@example("out/secret.jpg")
@example("in/out/secret.jpg")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500)
def test_nothing_outside_is_ever_read(root, name):
    if not (root / "out").is_symlink():
        (root / "out").symlink_to("../root-beside")
        (root / "in").symlink_to(".")
    images = DataRoot(root)
    for _ in range(2):
        try:
            data = images.image(name).read()
        except SampleError:
            continue
        assert data in (b"top", b"inside")
        assert Path(os.path.realpath(root / name)).read_bytes() == data


def test_the_root_itself_may_be_a_link(root):
    alias = root.parent / "alias"
    alias.symlink_to(root)
    assert DataRoot(alias).image("top.jpg").read() == b"top"
    assert DataRoot(alias).image(str(alias / "top.jpg")).read() == b"top"


def test_the_root_of_the_disk(root):
    assert DataRoot("/").image(str(root / "top.jpg")[1:]).read() == b"top"


def test_within_is_the_first_sub_folder_that_there_is(root):
    (root / "deep" / "top.jpg").write_bytes(b"deeper")
    inside = DataRoot(root)
    assert inside.within("none", "deep", "deep/er").image("top.jpg").read() == b"deeper"
    assert inside.within("deep/er", "deep").folder == str(root / "deep" / "er")
    for names in ((), ("none",), ("top.jpg",)):
        assert inside.within(*names).image("top.jpg").read() == b"top"


def test_within_is_asked_once(root, monkeypatch):
    inside = DataRoot(root)
    first = inside.within("none", "deep"), inside.within("none")
    monkeypatch.setattr(os.path, "isdir", lambda _: pytest.fail("asked again"))
    assert (inside.within("none", "deep"), inside.within("none")) == first


def test_within_leads_as_far_as_its_root_and_no_further(root):
    (root / "linked").symlink_to("../root-beside")
    inside = DataRoot(root)
    assert inside.within("deep").image("../top.jpg").read() == b"top"
    for name in ("../../root-beside/secret.jpg", "/etc/passwd"):
        assert reason_of(lambda name=name: inside.within("deep").image(name)) is (
            RejectReason.UNSAFE_PATH
        )
    outside = inside.within("linked").within("none")
    assert reason_of(lambda: outside.image("secret.jpg")) is RejectReason.UNSAFE_PATH


def test_the_root_must_be_a_folder(root):
    for folder in (root / "top.jpg", root / "nowhere"):
        with pytest.raises(InputError, match=f"data_root {folder} is not a folder"):
            DataRoot(folder)


def test_no_descriptor_is_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    for name in ("top.jpg", "deep", "missing.jpg"):
        for _ in range(20):
            try:
                DataRoot(root).image(name).peek(5)
            except SampleError:
                continue
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_of_a_hub_cache_lead_to_its_blobs_and_nowhere_else(tmp_path):
    cache = tmp_path / "datasets--me--scans"
    snapshot = cache / "snapshots" / "abc123"
    (cache / "blobs").mkdir(parents=True)
    (cache / "refs").mkdir()
    (snapshot / "images").mkdir(parents=True)
    (cache / "blobs" / "0ff").write_bytes(b"image")
    (cache / "refs" / "main").write_bytes(b"abc123")
    os.symlink("../../../blobs/0ff", snapshot / "images" / "a.jpg")
    os.symlink("../../../refs/main", snapshot / "images" / "b.jpg")
    for root in (DataRoot(snapshot), DataRoot(snapshot).within("images")):
        name = "a.jpg" if root.folder.endswith("images") else "images/a.jpg"
        assert root.image(name).read() == b"image"
        with pytest.raises(SampleError) as caught:
            root.image(name.replace("a.jpg", "b.jpg"))
        assert caught.value.reason is RejectReason.UNSAFE_PATH
