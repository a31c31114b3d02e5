"""Pictures: reading, writing, resizing, changing them at random."""

from melanet.images._augmentation import Augmentation
from melanet.images._io import load_images, save_picture
from melanet.images._transform import picture_grid

__all__ = ["Augmentation", "load_images", "picture_grid", "save_picture"]
