"""PNG, TIFF and JPEG files written byte by byte, of every depth, order of bytes and layout.

Pillow writes only a part of what it reads, so these files come from their specifications.
"""

import struct
import zlib

import numpy as np

ORIENTATION = 0x0112
# Orientation -> function from the displayed array to the stored one.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[::-1],
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[:, ::-1],
}


def pack_rows(samples, bits, order="big"):
    """Return rows of samples as bytes; those of less than 8 bits, and 12 bits, are packed."""
    rows = samples.reshape(len(samples), -1)
    if bits % 8 == 0:
        kind = rows.dtype.kind if rows.dtype.kind in "if" else "u"
        mark = {"big": ">", "little": "<"}[order]
        return rows.astype(f"{mark}{kind}{bits // 8}").tobytes()
    planes = (rows[..., None].astype(int) >> np.arange(bits)[::-1]) & 1
    return np.packbits(planes.reshape(len(rows), -1), axis=1).tobytes()


def png_chunk(kind, data):
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, bits, colour, *, palette=None, transparency=None, exif=None):
    """Return a PNG of samples of shape (height, width) or (height, width, channels)."""
    height, width = samples.shape[:2]
    packed = pack_rows(samples, bits)
    stride = len(packed) // height
    rows = b"".join(b"\0" + packed[i * stride : (i + 1) * stride] for i in range(height))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"eXIf", exif), (b"PLTE", palette), (b"tRNS", transparency)]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(k, d) for k, d in chunks if d is not None)


def reverse_bits(data):
    """Return bytes with the bits of each in reverse order, as FillOrder 2 stores them."""
    return np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)), bitorder="little").tobytes()


def tiff(samples, bits, photometric, *, order="little", tags=(), planar=1, compress=False, fill=1):
    """Return a TIFF of samples of shape (height, width) or (height, width, channels).

    `photometric` is 0 (white is zero), 1 (black is zero), 2 (RGB), 3 (palette), ...; None leaves
    the tag out. `tags` are further entries: (tag, type, values) with type 1 (byte), 2 (text),
    3 (short) or 4 (long).
    """
    height, width = samples.shape[:2]
    n = samples.shape[2] if samples.ndim == 3 else 1
    planes = [samples[..., i] for i in range(n)] if planar == 2 and n > 1 else [samples]
    strips = [pack_rows(plane, bits, order) for plane in planes]
    if compress:
        strips = [zlib.compress(strip) for strip in strips]
    if fill == 2:
        strips = [reverse_bits(strip) for strip in strips]
    mark = {"big": ">", "little": "<"}[order]
    starts = np.cumsum([8, *map(len, strips)]).tolist()
    entries = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * n),
        (259, 3, [8 if compress else 1]),
        (273, 4, starts[:-1]),
        (277, 3, [n]),
        (278, 4, [height]),
        (279, 4, list(map(len, strips))),
        (266, 3, [fill]),
        (284, 3, [planar]),
        *tags,
    ]
    if photometric is not None:
        entries.append((262, 3, [photometric]))
    letters = {1: "B", 2: "B", 3: "H", 4: "I"}
    directory_at = starts[-1] + starts[-1] % 2
    extra_at = directory_at + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack(mark + "H", len(entries)), b""
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        data = struct.pack(f"{mark}{len(values)}{letters[kind]}", *values)
        directory += struct.pack(mark + "HHI", tag, kind, len(values))
        if len(data) > 4:
            directory += struct.pack(mark + "I", extra_at + len(extra))
            extra += data + bytes(len(data) % 2)
        else:
            directory += data.ljust(4, b"\0")
    head = {"big": b"MM\0*", "little": b"II*\0"}[order] + struct.pack(mark + "I", directory_at)
    body = b"".join(strips)
    return head + body + bytes(len(body) % 2) + directory + bytes(4) + extra


def exif(*entries, order="little"):
    """Return an EXIF block of entries (tag, type, count, four bytes)."""
    mark = {"big": ">", "little": "<"}[order]
    head = {"big": b"MM\0*", "little": b"II*\0"}[order] + struct.pack(mark + "I", 8)
    body = b"".join(struct.pack(mark + "HHI4s", *entry) for entry in entries)
    return head + struct.pack(mark + "H", len(entries)) + body + bytes(4)


def turned(orientation, order="little"):
    """Return an EXIF block with an orientation and an unrelated tag of a wrong type."""
    mark = {"big": ">", "little": "<"}[order]
    return exif(
        (ORIENTATION, 3, 1, struct.pack(mark + "HH", orientation, 0)),
        (0x0128, 2, 4, b"ab\0\0"),  # the unit of the resolution: text instead of a number
        order=order,
    )


def with_exif(jpeg, block):
    """Return a JPEG with an EXIF block before its other segments."""
    data = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]
