"""CycleGANs: the networks, their losses, their training and what they translate."""

from melanet.gan._cyclegan import CycleGAN
from melanet.gan._unpaired_dataset import UnpairedFiles, UnpairedImages

__all__ = ["CycleGAN", "UnpairedFiles", "UnpairedImages"]
