"""The arms of the comparison: ways to build a training set."""

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from PIL import Image, ImageEnhance, ImageFilter

from melanet.over_sampling import PRESETS
from melanet.over_sampling._translator import translate
from melanet.preprocessing._forms import read_form

BENIGN, MALIGNANT = 0, 1
ARMS = {
    "vgg-gap": "VGG-GAP: imbalanced training set",
    "class-weights": "class weights",
    "random-over-sampling": "random over-sampling",
    "augment-5x": "Augment-5x: 5 augmented copies of every image",
    "augment-10x": "Augment-10x: 10 augmented copies of every image",
    "gan": "MelaNet: benign images translated by the CycleGAN, GANOversampler(preset='paper')",
    "default": "GANOversampler(): benign images edited, a quarter copies; no part of the paper",
    "codec-control": "control: over-sampled copies in the GAN's codec and stretch, untranslated",
}
# The arms of the notebooks, where only the GAN balances the classes, and our default.
RELEASED = ("vgg-gap", "augment-5x", "augment-10x", "gan", "default")
# The arms where a training takes hours.
FEW = ("vgg-gap", "random-over-sampling", "gan", "default")
MADE = ("gan", "default")  # arms with images that a GAN made
AGAINST = "random-over-sampling"


def n_added(arm, y):
    """Return how many images an arm adds to those labelled y."""
    if arm.startswith("augment-"):
        return _times(arm) * len(y)
    return 0 if arm in ("vgg-gap", "class-weights") else int((y == BENIGN).sum())


def _times(arm):
    return int(arm.removeprefix("augment-").removesuffix("x"))


def training_set(arm, X, y, synthetic, seed):
    """Return the training set of an arm.

    Parameters
    ----------
    arm : str
        A key of `ARMS`.
    X, y : ndarray of shape (n, H, W, 3), uint8, and (n,), int
        Real training images; 0 is benign, 1 malignant.
    synthetic : ndarray of shape (n_synthetic, H, W, 3), uint8, or None
        The malignant images of the arms "gan" and "default".
    seed : int
        Seed of copies and augmentation.

    Returns
    -------
    X, y : ndarray
        Training set, the real images first.
    """
    if arm in MADE:
        return np.concatenate([X, synthetic]), np.append(y, np.full(len(synthetic), MALIGNANT))
    if arm in ("random-over-sampling", "codec-control"):
        rows = over_sampled_rows(y, n_added(arm, y), seed)
        copies = X[rows]
        if arm == "codec-control":
            copies = encode_and_decode(copies)
        return np.concatenate([X, copies]), np.append(y, y[rows])
    if arm.startswith("augment-"):
        times = _times(arm)
        rng = np.random.default_rng(seed)
        copies = [np.stack([augment(image, rng) for image in X]) for _ in range(times)]
        return np.concatenate([X, *copies]), np.tile(y, times + 1)
    return X, y


def over_sampled_rows(y, n, seed):
    """Draw n rows of malignant images by imbalanced-learn's RandomOverSampler."""
    strategy = {MALIGNANT: int((y == MALIGNANT).sum()) + n}
    sampler = RandomOverSampler(sampling_strategy=strategy, random_state=seed)
    sampler.fit_resample(np.arange(len(y))[:, None], y)
    return sampler.sample_indices_[len(y) :]


def encode_and_decode(X):
    """Encode, stretch and decode images as the paper's upsampler does, without translating.

    If this arm differs from random over-sampling, part of the GAN's effect may come from the
    range of intensities, which identifies synthetic images.
    """

    class Untranslated:
        def translate(self, samples, to):
            return samples

    form = read_form(X)
    return form.decode(translate(Untranslated(), form.encode(X), PRESETS["paper"]))


def augment(pixels, rng):
    """Augment an image by the paper's list for Augment-5x and -10x, in the ranges of its code.

    Contrast .5 to 1.5; crop of 0 to 20 %; blur or noise for half of the images; rotation and
    shear by up to 25 degrees and translation by up to 20 % for all; coarse dropout for a quarter;
    hue. The order and the shares are this study's own.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.5, 1.5))
    cut = rng.uniform(0, 0.2, 4) / 2 * (width, height, width, height)
    image = image.resize(
        (width, height), Image.BILINEAR, box=(*cut[:2], *(-cut[2:] + (width, height)))
    )
    image = _transform(image, rng)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.01) * width))
    hue, *rest = image.convert("HSV").split()
    turn = int(rng.integers(-12, 13))
    image = Image.merge("HSV", [hue.point(lambda v: (v + turn) % 256), *rest]).convert("RGB")
    pixels = np.asarray(image).astype(float)
    if rng.random() < 0.5:
        pixels += rng.normal(0, rng.uniform(0, 0.05) * 255, pixels.shape)
    if rng.random() < 0.25:
        coarse = rng.random((8, 8)) < rng.uniform(0.02, 0.15)
        rows, columns = (np.arange(n) * 8 // n for n in (height, width))
        pixels[coarse[rows][:, columns]] = 0
    return np.clip(np.rint(pixels), 0, 255).astype("uint8")


def _transform(image, rng):
    """Rotate, shear and shift about the centre; new pixels get the mean colour of the border."""
    angle, shear = np.deg2rad(rng.uniform(-25, 25, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, np.tan(shear)], [0, 1]])
    size = np.array(image.size)
    offset = size / 2 - matrix @ (size / 2 + rng.uniform(-0.2, 0.2, 2) * size)
    rows = (*matrix[0], offset[0], *matrix[1], offset[1])
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean(axis=0)
    fill = tuple(int(v) for v in border)
    return image.transform(image.size, Image.AFFINE, rows, Image.BILINEAR, fillcolor=fill)
