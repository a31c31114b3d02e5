"""DICOM files, read by pydicom: from stored values to 8-bit pixels as they are displayed."""

from typing import IO, Any

import numpy as np
from PIL import Image

_MAGIC_AT, _MAGIC = 128, b"DICM"
_INSTALL = 'a DICOM file, which pydicom reads: pip install "melanet[dicom]"'
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")  # pydicom makes them RGB
_FAR = 1e9  # beyond the stored values and their rescaled ones


def is_dicom(file: IO[bytes]) -> bool:
    """Return whether a file object holds a DICOM file; its position is then the start."""
    file.seek(0)
    head = file.read(_MAGIC_AT + len(_MAGIC))
    file.seek(0)
    return head[_MAGIC_AT:] == _MAGIC


def read_dicom(file: IO[bytes]) -> Image.Image:
    """Decode a DICOM file as it is displayed.

    Grey values are rescaled (slope and intercept, or the modality's table), seen through the
    first window or table of values of interest if the file has one, and otherwise through the
    full range of the stored bits; MONOCHROME1 is inverted, so that larger values are brighter.

    Parameters
    ----------
    file : file object
        DICOM file with its preamble.

    Returns
    -------
    PIL.Image.Image
        Mode "L" or "RGB".

    Raises
    ------
    ValueError
        If pydicom is not installed, or the file has no pixels, several frames, too many pixels,
        colours of another kind, or a compression that needs a further package.
    """
    try:
        import pydicom
        from pydicom.pixels import pixel_array
    except ImportError:
        raise ValueError(_INSTALL) from None
    file.seek(0)
    try:
        data = pydicom.dcmread(file)
        n_frames = int(data.get("NumberOfFrames") or 1)
        n_pixels = int(data.get("Rows") or 0) * int(data.get("Columns") or 0)
    except Exception as error:  # of many types
        raise ValueError(f"a DICOM file that is damaged ({_first_line(error)})") from error
    if "PixelData" not in data or not n_pixels:
        raise ValueError("a DICOM file that is damaged, or has no pixels of 8 or 16 bits")
    if n_frames > 1:
        raise ValueError(f"a DICOM file of {n_frames} frames; save one of them as an image")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and n_pixels > limit:
        raise Image.DecompressionBombError(f"{n_pixels} pixels, more than {limit}")
    kind = str(data.get("PhotometricInterpretation", "")).upper()
    if kind not in (*_GREY, *_COLOURS, "PALETTE COLOR"):
        raise ValueError(
            f"a DICOM file with photometric interpretation {kind or 'missing'}; save it as PNG"
        )
    try:
        values = pixel_array(data)
    except Exception as error:  # of many types, by the compression
        syntax = data.file_meta.TransferSyntaxUID.name
        raise ValueError(
            f"a DICOM file of {syntax} that cannot be decoded ({_first_line(error)}). If a "
            "package is missing: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        ) from error
    if kind in _GREY:
        shares = _displayed(values, data)
        shares = 1 - shares if kind == "MONOCHROME1" else shares
    elif kind == "PALETTE COLOR":
        shares = _palette_colours(values, data)
    else:
        shares = values / (2 ** int(data.BitsStored) - 1)
    return Image.fromarray(np.rint(255 * np.clip(shares, 0, 1)).astype("uint8"))


def _displayed(values: np.ndarray, data: Any) -> np.ndarray:
    """Return grey values in [0, 1], after the modality's and the display's transformation."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    bits, signed = int(data.BitsStored), bool(data.get("PixelRepresentation"))
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1])
    if data.get("ModalityLUTSequence"):
        ends = np.array([0, 2 ** int(data.ModalityLUTSequence[0].LUTDescriptor[2]) - 1])
    else:
        ends = np.sort(apply_modality_lut(ends, data))
    values = apply_modality_lut(values, data)
    if data.get("VOILUTSequence"):
        values = apply_voi_lut(values, data)
        ends = np.array([0, 2 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1])
    elif data.get("WindowWidth") is not None and data.get("WindowCenter") is not None:
        # The ends of the window's output are those of far values.
        with np.errstate(over="ignore"):  # of a sigmoid
            ends = apply_voi_lut(np.array([-_FAR, _FAR]), data)
            values = apply_voi_lut(values.astype(float), data)
    low, high = ends.astype(float)
    return (values - low) / (high - low)


def _palette_colours(values: np.ndarray, data: Any) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    bits = int(data.RedPaletteColorLookupTableDescriptor[2])
    return apply_color_lut(values, data)[..., :3] / (2**bits - 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
