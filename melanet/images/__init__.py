"""Images as files and arrays: reading, writing, resizing, grids, augmentation."""

from melanet.images._augmentation import FLIPS, Augmentation, Jitter, flip_images
from melanet.images._depth import Depth, likely_range
from melanet.images._grey import count_channels
from melanet.images._io import (
    check_paths,
    check_size,
    data_url,
    describe_error,
    encode_png,
    for_each,
    load_images,
    open_picture,
    read_picture,
    read_pictures,
    save_picture,
    verify_picture,
)
from melanet.images._members import open_file, open_hdf5
from melanet.images._pixels import displayed_size
from melanet.images._transform import difference_map, fit_cells, picture_grid, resize, to_rgb

__all__ = [
    "FLIPS",
    "Augmentation",
    "Depth",
    "Jitter",
    "check_paths",
    "check_size",
    "count_channels",
    "data_url",
    "describe_error",
    "difference_map",
    "displayed_size",
    "encode_png",
    "fit_cells",
    "flip_images",
    "for_each",
    "likely_range",
    "load_images",
    "open_file",
    "open_hdf5",
    "open_picture",
    "picture_grid",
    "read_picture",
    "read_pictures",
    "resize",
    "save_picture",
    "to_rgb",
    "verify_picture",
]
