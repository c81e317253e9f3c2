"""Pictures of the demo are those of the files, as DICOM says they are shown."""

import nibabel
import numpy as np
import pytest
from demo_reading import locate
from pydicom.pixels import apply_color_lut, apply_rescale, apply_windowing


@pytest.mark.parametrize(
    "key, file",
    [
        ("op-retina", "scikit-image/retina.jpg"),
        ("op-microaneurysms", "scikit-image/microaneurysms.png"),
        ("sm-colon", "scikit-image/ihc.png"),
        ("sm-tile", "wsidicom-data/test_tile.png"),
        ("gm-cell", "scikit-image/cell.png"),
    ],
)
def test_image_files_are_kept_as_they_are(data, key, file):
    (path,) = (data / "vqa" / "images").glob(f"{key}.*")
    assert path.read_bytes() == locate(file).read_bytes()


@pytest.mark.parametrize(
    "key, file",
    [
        ("ct-693-brain", "pydicom-data/693_UNCR.dcm"),
        ("ct-head-brain", "pydicom/J2K_pixelrep_mismatch.dcm"),
        ("mr-abdomen", "pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm"),
    ],
)
def test_stated_windows_are_applied_as_pydicom_applies_them(pixels, dicom, key, file):
    dataset = dicom(file)
    values = apply_rescale(dataset.pixel_array, dataset)
    windowed = apply_windowing(values, dataset).astype(float)
    # pydicom keeps the range of the values; in these files both ends of the window are reached.
    expected = (windowed - windowed.min()) / np.ptp(windowed) * 255
    assert (pixels[key].min(), pixels[key].max()) == (0, 255)
    np.testing.assert_allclose(pixels[key], expected, atol=1)


@pytest.mark.parametrize("name", ["chest", "extremity"])
def test_monochrome1_is_inverted(pixels, dicom, name):
    file = {"chest": "pydicom-data/RG1_UNCR.dcm", "extremity": "pydicom-data/RG3_UNCR.dcm"}[name]
    stored = dicom(file).pixel_array
    shown = pixels[f"cr-{name}"]
    assert np.corrcoef(stored[::8, ::8].ravel(), shown[::8, ::8].ravel())[0, 1] < -0.95


def test_palette_pixels_are_looked_up_and_cropped(pixels, dicom):
    dataset = dicom("pydicom-data/gdcm-US-ALOKA-16.dcm")
    expected = apply_color_lut(dataset.pixel_array, dataset)[24:416, 32:336] / 257
    # WebP is lossy.
    assert np.abs(pixels["us-left"].astype(float) - expected).mean() < 4


def test_colour_planes_are_interleaved(pixels, dicom):
    dataset = dicom("pydicom-data/color-pl.dcm")
    planes = np.frombuffer(dataset.PixelData, np.uint8).reshape(3, dataset.Rows, dataset.Columns)
    np.testing.assert_array_equal(pixels["us-tee"], planes.transpose(1, 2, 0))


def test_values_under_the_supplemental_palette_are_coloured(pixels, dicom):
    stored = dicom("pydicom-data/eCT_Supplemental.dcm").pixel_array[0]
    shown = pixels["ct-perfusion-0"].astype(int)
    is_grey = (shown[..., 0] == shown[..., 1]) & (shown[..., 1] == shown[..., 2])
    assert is_grey[stored < 1024].all()
    assert is_grey[stored >= 1024].mean() < 0.1


def test_slices_are_cut_and_turned_as_their_plane_says(pixels):
    volume = np.asarray(nibabel.load(locate("nibabel/tests/data/example4d.nii.gz")).dataobj)[..., 0]
    shown = pixels["mr-volume-axial-12"]
    # Row 0 is the most anterior, column 0 the first voxel of the axis that runs to the left.
    expected = np.clip(volume[:, ::-1, 12].T / 1161, 0, 1) * 255
    np.testing.assert_allclose(shown, expected, atol=1)
    assert pixels["mr-volume-coronal-49"].shape == (24, 128)
    assert pixels["mr-volume-sagittal-62"].shape == (24, 96)
