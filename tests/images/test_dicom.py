"""DICOM files, written by pydicom, and what they show by the formulas of the standard."""

import io
import sys

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import compress
from pydicom.uid import (
    ExplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from melanet.datasets import find_duplicates, load_image_folder, load_images

ROWS, COLUMNS = 12, 16
RAMP = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)


def dataset(pixels, kind="MONOCHROME2", bits=None, **attributes):
    """Return a DICOM data set of pixels (height, width) or (height, width, 3)."""
    pixels = np.asarray(pixels)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = kind
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in attributes.items():
        setattr(data, name, value)
    return data


@pytest.fixture
def shown(tmp_path):
    """Return a function that writes a data set and reads it as grey or RGB pixels."""

    def read(data, name="a.dcm"):
        data.save_as(tmp_path / name, enforce_file_format=True)
        (image,) = load_images([tmp_path / name], (data.Rows, data.Columns))
        if data.SamplesPerPixel == 1 and "PALETTE" not in data.PhotometricInterpretation:
            assert (image == image[..., :1]).all()
            return image[..., 0].astype(int)
        return image.astype(int)

    return read


def near(pixels, shares):
    """Return whether 8-bit pixels are shares of [0, 1], to rounding."""
    return np.abs(pixels - 255 * np.clip(shares, 0, 1)).max() <= 0.51


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("u2", 16), ("u2", 12), ("u2", 10)])
def test_without_a_window_the_stored_bits_are_the_range(shown, dtype, bits):
    stored = (RAMP * (2**bits - 1) // RAMP.max()).astype(dtype)
    assert near(shown(dataset(stored, bits=bits)), stored / (2**bits - 1))


def test_signed_values_are_shifted_and_rescaled(shown):
    stored = (RAMP * 20 - 2000).astype("i2")
    data = dataset(stored, bits=12, RescaleSlope=1, RescaleIntercept=-1024)
    assert near(shown(data), (stored + 2048) / 4095)  # the rescaling keeps the shares
    data = dataset(stored, bits=12, RescaleSlope=-2, RescaleIntercept=5)
    assert near(shown(data), (2047 - stored) / 4095)


def test_monochrome1_is_inverted(shown):
    stored = (RAMP * 20).astype("u2")
    bright = shown(dataset(stored, bits=12))
    dark = shown(dataset(stored, "MONOCHROME1", bits=12))
    assert (np.abs(bright + dark - 255) <= 1).all()
    assert dark[0, 0] == 255


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_the_window_is_applied_after_rescaling(shown, function, kind):
    stored = (RAMP * 16).astype("u2")
    centre, width, slope, intercept = 40.0, 400.0, 0.5, -300.0
    data = dataset(
        stored,
        kind,
        bits=12,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=centre,
        WindowWidth=width,
    )
    if function is not None:
        data.VOILUTFunction = function
    x = stored * slope + intercept
    expected = {  # PS3.3, C.11.2.1.2 and C.11.2.1.3
        "LINEAR": (x - (centre - 0.5)) / (width - 1) + 0.5,
        "LINEAR_EXACT": (x - centre) / width + 0.5,
        "SIGMOID": 1 / (1 + np.exp(-4 * (x - centre) / width)),
    }[function or "LINEAR"].clip(0, 1)
    assert near(shown(data), 1 - expected if kind == "MONOCHROME1" else expected)


def test_the_first_of_several_windows_is_taken(shown):
    stored = (RAMP * 16).astype("u2")
    one = dataset(stored, bits=12, WindowCenter=1000, WindowWidth=500)
    two = dataset(stored, bits=12, WindowCenter=[1000, 2000], WindowWidth=[500, 50])
    assert np.array_equal(shown(one), shown(two))


def lut(values, first, bits):
    table = Dataset()
    table.LUTDescriptor = [len(values), first, bits]
    table.add_new("LUTData", "OW", np.array(values, "<u2").tobytes())
    return table


def test_tables_of_the_modality_and_of_interest_are_applied(shown):
    stored = RAMP.astype("u1")
    squares = [i * i // 256 for i in range(256)]
    data = dataset(stored, ModalityLUTSequence=[lut(squares, 0, 16)])
    data.ModalityLUTSequence[0].ModalityLUTType = "US"
    assert near(shown(data), np.array(squares)[stored] / 65535)
    data = dataset(stored, VOILUTSequence=[lut([4 * s for s in squares], 0, 10)])
    assert near(shown(data), 4 * np.array(squares)[stored] / 1023)


def test_colours_are_kept(shown):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (ROWS, COLUMNS, 3)).astype("u1")
    assert np.array_equal(shown(dataset(rgb, "RGB")), rgb)
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    assert np.abs(shown(dataset(ybr, "YBR_FULL")) - rgb).max() <= 3


def test_palettes_are_applied(shown):
    data = dataset(RAMP.astype("u1"), "PALETTE COLOR")
    tables = {"Red": RAMP.ravel() * 257, "Green": 40000 - RAMP.ravel(), "Blue": RAMP.ravel() * 3}
    for name, values in tables.items():
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [values.size, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", values.astype("u2").tobytes())
    expected = np.stack([values.reshape(ROWS, COLUMNS) for values in tables.values()], axis=-1)
    assert near(shown(data), expected / 65535)


def test_compressed_pixels_are_decoded(shown):
    stored = (RAMP * 16).astype("u2")
    data = dataset(stored, bits=12)
    plain = shown(data)
    compress(data, RLELossless)
    assert np.array_equal(shown(data), plain)


def packed(data):
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def bad(name):
    """Return the bytes of a DICOM file that is refused."""
    grey = RAMP.astype("u1")
    if name == "frames":
        return packed(dataset(np.vstack([grey, grey])[:ROWS], NumberOfFrames=3))
    if name == "pixels":
        data = dataset(grey)
        del data.PixelData
        return packed(data)
    if name == "kind":
        return packed(dataset(grey, "HSV"))
    if name == "short":
        data = dataset(grey)
        data.PixelData = data.PixelData[:50]
        return packed(data)
    if name == "syntax":
        data = dataset(grey)
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
        data.PixelData = pydicom.encaps.encapsulate([bytes(20)])
        data["PixelData"].is_undefined_length = True
        return packed(data)
    return bytes(128) + b"DICM" + bytes(30)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frames", "a DICOM file of 3 frames; save one of them as an image"),
        ("pixels", "a DICOM file that is damaged, or has no pixels of 8 or 16 bits"),
        ("kind", "a DICOM file with photometric interpretation HSV"),
        ("short", "a DICOM file of Explicit VR Little Endian that cannot be decoded"),
        ("syntax", r"JPEG-LS Lossless .* cannot be decoded .*pip install pylibjpeg"),
        ("damaged", "a DICOM file that is damaged"),
    ],
)
def test_files_that_cannot_be_shown_are_refused_by_name(tmp_path, name, message):
    (tmp_path / "a.dcm").write_bytes(bad(name))
    with pytest.raises(ValueError, match=message):
        load_images([tmp_path / "a.dcm"], 8)


def test_more_pixels_than_pillows_limit_are_refused(tmp_path, monkeypatch):
    dataset(RAMP.astype("u1")).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", RAMP.size - 1)
    with pytest.raises(ValueError, match=r"192 pixels, more than 191.*raise PIL\.Image"):
        load_images([tmp_path / "a.dcm"], 8)


def test_without_pydicom_the_remedy_is_named(tmp_path, monkeypatch):
    dataset(RAMP.astype("u1")).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ValueError, match=r'which pydicom reads: pip install "melanet\[dicom\]"'):
        load_images([tmp_path / "a.dcm"], 8)


def test_folders_of_dicom_files_are_read_beside_other_images(tmp_path):
    for i, label in enumerate(("normal", "pneumonia")):
        (tmp_path / label).mkdir()
        data = dataset(((RAMP + 60 * i) % 256).astype("u1"))
        data.save_as(tmp_path / label / "1.dcm", enforce_file_format=True)
        Image.fromarray(RAMP.astype("u1")).save(tmp_path / label / "2.png")
    found = load_image_folder(tmp_path)
    assert found.target.tolist() == [0, 0, 1, 1]
    X = load_images(found.paths, 8)
    assert np.array_equal(X[0], X[1])
    assert not np.array_equal(X[2], X[3])
    pairs = find_duplicates(found.paths)
    assert (found.paths[0], found.paths[1]) in {(pair.path_a, pair.path_b) for pair in pairs}
