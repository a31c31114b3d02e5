"""CycleGANs: networks, losses, training and translation."""

from melanet.gan._cyclegan import CycleGAN
from melanet.gan._edit_gan import EditGAN
from melanet.gan._recipe import TrainingRecipe
from melanet.gan._unpaired_dataset import UnpairedFiles, UnpairedImages

__all__ = ["CycleGAN", "EditGAN", "TrainingRecipe", "UnpairedFiles", "UnpairedImages"]
