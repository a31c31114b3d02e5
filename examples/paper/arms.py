"""The arms of the comparison: what each does to the training pictures."""

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from PIL import Image, ImageEnhance, ImageFilter

from melanet.over_sampling import PRESETS
from melanet.over_sampling._translator import translate
from melanet.preprocessing._forms import read_form

BENIGN, MALIGNANT = 0, 1
ARMS = {
    "vgg-gap": "VGG-GAP: nothing is done",
    "class-weights": "class weights",
    "random-over-sampling": "random over-sampling",
    "augment-5x": "Augment-5x: 5 changed copies of every picture",
    "augment-10x": "Augment-10x: 10 changed copies of every picture",
    "gan": "MelaNet: benign pictures translated by the CycleGAN",
    "codec-control": "control: over-sampled copies in the GAN's codec and stretch, untranslated",
}
# The notebooks': nothing that balances the classes but the GAN.
RELEASED = ("vgg-gap", "augment-5x", "augment-10x", "gan")
AGAINST = "random-over-sampling"


def training_set(arm, X, y, made, seed):
    """Return what an arm trains on.

    Parameters
    ----------
    arm : str
        A key of `ARMS`.
    X, y : ndarray of shape (n, H, W, 3), uint8, and (n,), int
        Real training pictures; 0 is benign, 1 malignant.
    made : ndarray of shape (n_synthetic, H, W, 3), uint8
        The GAN's malignant pictures. The arms that over-sample add as many.
    seed : int
        Seed of copies and changes.

    Returns
    -------
    X, y : ndarray
        The real pictures first.
    """
    if arm == "gan":
        return np.concatenate([X, made]), np.append(y, np.full(len(made), MALIGNANT))
    if arm in ("random-over-sampling", "codec-control"):
        rows = over_sampled_rows(y, len(made), seed)
        copies = X[rows]
        if arm == "codec-control":
            copies = through_codec(copies)
        return np.concatenate([X, copies]), np.append(y, y[rows])
    if arm.startswith("augment-"):
        times = int(arm.removeprefix("augment-").removesuffix("x"))
        rng = np.random.default_rng(seed)
        copies = [np.stack([changed(picture, rng) for picture in X]) for _ in range(times)]
        return np.concatenate([X, *copies]), np.tile(y, times + 1)
    return X, y


def over_sampled_rows(y, n, seed):
    """Draw n rows of malignant pictures, by imbalanced-learn."""
    wanted = {MALIGNANT: int((y == MALIGNANT).sum()) + n}
    sampler = RandomOverSampler(sampling_strategy=wanted, random_state=seed)
    sampler.fit_resample(np.arange(len(y))[:, None], y)
    return sampler.sample_indices_[len(y) :]


def through_codec(X):
    """Encode, stretch and decode pictures as the paper's upsampler does, without translating.

    If this arm differs from random over-sampling, a part of the GAN's effect may be the range of
    intensities, by which a synthetic picture can be told.
    """

    class Untranslated:
        def translate(self, samples, to):
            return samples

    form = read_form(X)
    return form.decode(translate(Untranslated(), form.encode(X), PRESETS["paper"]))


def changed(picture, rng):
    """Change a picture by the paper's list for Augment-5x and -10x, in ranges of its code.

    Contrast .5 to 1.5; crop of 0 to 20 %; blur or noise for half of the pictures; rotation and
    shear by up to 25 degrees and translation by up to 20 % for all; coarse dropout for a quarter;
    hue. Order and shares are this study's.
    """
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.5, 1.5))
    cut = rng.uniform(0, 0.2, 4) / 2 * (width, height, width, height)
    image = image.resize(
        (width, height), Image.BILINEAR, box=(*cut[:2], *(-cut[2:] + (width, height)))
    )
    image = _moved(image, rng)
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


def _moved(image, rng):
    """Rotate, shear and shift about the centre; what comes in repeats the border's mean."""
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
