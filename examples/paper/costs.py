"""How long the stages of a study are expected to take, from constants that were measured."""

import numpy as np

# Seconds of one core of a server's processor (Intel Xeon, TensorFlow 2.21) for images of 64x64;
# the work of a network grows with the number of pixels.
_SIDE = 64
_START = 30  # to build and compile networks
_CYCLEGAN_STEP = 0.12
_EDIT_STEP = 0.6  # of the arm default; larger images are reduced to this side
_EPOCH_OF_ONE = {"small": 0.0042, "vgg16": 0.10}  # an image, forwards and backwards
_FORWARD_OF_ONE = 0.018  # an image through VGG16

BASIS = "one core of a server's processor, from constants measured at 64x64"


def cyclegan(n_steps, size):
    """Return the seconds of training a CycleGAN by the paper's recipe."""
    return _START + n_steps * _CYCLEGAN_STEP * _pixels(size)


def default_sampler(n_steps):
    """Return the seconds of `GANOversampler()`, training and translation."""
    return 2 * _START + n_steps * _EDIT_STEP


def training(classifier, n_images, n_epochs, size):
    """Return the seconds of training a classifier, if it is not stopped early."""
    if classifier == "frozen-vgg16":
        return n_images * _FORWARD_OF_ONE * _pixels(size)
    return _START + n_images * n_epochs * _EPOCH_OF_ONE[classifier] * _pixels(size)


def _pixels(size):
    return (size / _SIDE) ** 2


def describe(log):
    """Return the lines that say what a study will cost.

    Parameters
    ----------
    log : list of (str, float, bool)
        Name of a stage, such as "sound/seed-0/small/gan", its expected seconds, and whether it is
        complete.

    Returns
    -------
    list of str
    """
    kinds = {}
    for name, seconds, complete in log:
        kind = "/".join(part for part in name.split("/") if not part.startswith("seed-"))
        kinds.setdefault(kind, []).append((seconds, complete))
    total = sum(seconds for _, seconds, complete in log if not complete)
    lines = [f"Expected at most, on {BASIS}:"]
    for kind, stages in kinds.items():
        waiting = [seconds for seconds, complete in stages if not complete]
        text = f"{len(waiting)} x {duration(np.mean(waiting))}" if waiting else "complete"
        lines.append(f"  {kind:36} {text}")
    lines.append(f"  {'in all, without tables and figures':36} {duration(total)}")
    return lines


def duration(seconds):
    """Return a length of time in words, such as "12 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
