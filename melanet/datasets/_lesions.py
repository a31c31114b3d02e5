"""Procedurally generated toy images that imitate dermoscopy.

Lengths are in units of half the shorter side, so that a seed gives the same scene at every size.
Colours come from one optical model for skin and lesions: melanin and blood absorb light.
"""

from collections.abc import Sequence
from math import cos, exp, pi, sin
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.special import ndtr
from sklearn.utils import check_random_state, check_scalar

from melanet.images import check_size

_SMALLEST_SIDE = 8
_SMALLEST_CANVAS = 128  # pixels; thin structures are drawn at this size or more, then reduced
_SEPARATION = 2.7  # between the classes' mean severities at difficulty 0, in standard deviations
_ANGLES = np.linspace(-np.pi, np.pi, 512, endpoint=False)
# Reflected red, green and blue of skin without pigment, and absorption per unit of each pigment.
_PALE = np.array([0.93, 0.80, 0.73], dtype=np.float32)
_MELANIN = np.array([0.52, 0.88, 1.16], dtype=np.float32)
_BLOOD = np.array([0.10, 0.80, 0.65], dtype=np.float32)
_BLUE_GREY = np.array([0.36, 0.41, 0.48], dtype=np.float32)
_SCAR_WHITE = np.array([0.93, 0.86, 0.84], dtype=np.float32)
_HAIR = np.array([[0.10, 0.07, 0.05], [0.30, 0.19, 0.11]], dtype=np.float32)


def make_lesions(
    n_samples: int = 100,
    *,
    weights: ArrayLike = (0.8, 0.2),
    image_size: int | Sequence[int] = 64,
    difficulty: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Generate toy images of benign and malignant skin lesions.

    The images imitate dermoscopy by the criteria of the ABCD rule [1]_ [2]_: asymmetry, border,
    colour and differential structures. For each lesion, a severity in (0, 1) is drawn for each
    criterion, from distributions that overlap between the classes. Skin tone, lesion size and
    darkness, hair, lighting, blur and sensor noise do not depend on the class.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images, at least 1.
    weights : sequence of two floats, default=(0.8, 0.2)
        Proportions of the benign and the malignant class, in [0, 1], with a sum of 1. Counts are
        rounded to the nearest integer; a class of positive weight has at least one image if
        `n_samples` is at least 2.
    image_size : int or (int, int), default=64
        Side of a square, or ``(height, width)``, in pixels, each at least 8.
    difficulty : float, default=0.5
        Overlap of the classes, in [0, 1]. At 0 they are easy to distinguish; at 1 they have the
        same distribution, so that no classifier beats chance.
    random_state : int, RandomState instance or None, default=None
        Seed of labels and images. Pass an int for reproducible output across calls.

    Returns
    -------
    X : ndarray of shape (n_samples, height, width, 3), dtype uint8
        RGB images, values in [0, 255].
    y : ndarray of shape (n_samples,), dtype int64
        Labels in random order: 0 is benign, 1 is malignant.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer or `difficulty` is not a number.
    ValueError
        If a parameter is out of range, `weights` is not two proportions that sum to 1, or
        `image_size` is not one or two integers.

    Notes
    -----
    **Toy data**, for tests, examples and teaching. Results on these images do not carry over to
    real lesions; never use them for diagnosis.

    The latent severity of each criterion is normally distributed. The means of the classes are
    ``2.7 * (1 - difficulty)`` standard deviations apart, and the normal distribution function maps
    severities to (0, 1). A small convolutional network trained on 800 balanced images has a test
    AUC of about 0.98, 0.86 and 0.52 at difficulty 0.1, 0.5 and 0.9
    (``examples/benchmarks/make_lesions_auc.py``).

    With an int as `random_state`, image ``i`` depends only on its label and its seed: it is the
    same in a larger data set if its label is.

    References
    ----------
    .. [1] W. Stolz, A. Riemann, A. B. Cognetta, et al., "ABCD rule of dermatoscopy: a new practical
       method for early recognition of malignant melanoma", European Journal of Dermatology, 4,
       521-527, 1994.
    .. [2] F. Nachbar, W. Stolz, T. Merkle, et al., "The ABCD rule of dermatoscopy: high prospective
       value in the diagnosis of doubtful melanocytic skin lesions", Journal of the American Academy
       of Dermatology, 30(4), 551-559, 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.datasets import make_lesions
    >>> X, y = make_lesions(20, image_size=32, random_state=0)
    >>> X.shape, X.dtype
    ((20, 32, 32, 3), dtype('uint8'))
    >>> np.bincount(y).tolist()
    [16, 4]
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(difficulty, "difficulty", Real, min_val=0, max_val=1)
    if np.isnan(difficulty):
        raise ValueError(f"difficulty must be in [0, 1]. Received: difficulty={difficulty!r}")
    shape = check_size(image_size, "image_size", _SMALLEST_SIDE)
    n_malignant = _count_malignant(n_samples, weights)
    rng = check_random_state(random_state)

    # Seeds are drawn before the permutation, whose number of draws depends on n_samples.
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_samples)
    y = rng.permutation(np.arange(n_samples) >= n_samples - n_malignant).astype(np.int64)
    shift = _SEPARATION * (1 - difficulty) * (y - 0.5)
    X = np.empty((n_samples, *shape, 3), dtype=np.uint8)
    for i in range(n_samples):
        X[i] = _render(np.random.default_rng(seeds[i]), shift[i], shape)
    return X, y


def _count_malignant(n_samples, weights):
    try:
        shares = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        shares = np.empty(0)
    if shares.shape != (2,) or not (shares >= 0).all() or not np.isclose(shares.sum(), 1):
        raise ValueError(
            "weights must be the proportions of the benign and the malignant class, in [0, 1] and "
            f"with a sum of 1, such as (0.8, 0.2). Received: weights={weights!r}"
        )
    n_malignant = round(n_samples * shares[1])
    if n_samples > 1 and shares.all():
        n_malignant = min(max(n_malignant, 1), n_samples - 1)
    return n_malignant


def _render(rng, shift, shape):
    """Return an RGB image, uint8, of a size; `shift` is added to the latent severities."""
    asymmetry, border, colour, structure = ndtr(rng.standard_normal(4) + shift).tolist()
    scale = -(-_SMALLEST_CANVAS // min(shape))
    canvas = (scale * shape[0], scale * shape[1])
    x, y = _coordinates(canvas)
    tone = 1.2 * rng.beta(0.7, 1.3)

    centre = rng.normal(0, 0.07, 2).astype(np.float32)
    outline = _outline(rng, asymmetry, border)
    u, v = x - centre[0], y - centre[1]
    depth = _depth(rng, u, v, outline, border)
    cover = _cover(rng, u, v, depth, border)

    melanin = _body(rng, u, v, depth, asymmetry) * _pattern(rng, u, v, depth, structure)
    melanin += 1.2 * _marks(rng, canvas, centre, outline, structure)
    melanin *= cover * (1 + 0.6 * tone)  # darker skin has darker lesions
    light = _reflect(rng, tone, melanin, cover, colour)
    light *= _illumination(rng, x, y)
    _add_hair(rng, light, x, y)
    return _photograph(rng, light, shape)


def _coordinates(shape):
    """Return x and y of the pixels: 0 in the middle, 1 at the edges of the shorter side."""
    y, x = ((2 * np.arange(n, dtype=np.float32) + 1 - n) / min(shape) for n in shape)
    return np.meshgrid(x, y)


def _noise(rng, shape, cells):
    """Return a smooth random field with `cells` independent values along the longer side."""
    grid = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    height, width = (0.5 * cells * n / max(shape) for n in shape)
    middle = 0.5 * cells
    box = (middle - width, middle - height, middle + width, middle + height)
    return np.asarray(grid.resize(shape[::-1], Image.Resampling.BICUBIC, box=box))


def _step(values, width):
    """Return a smooth step from 0 to 1 about 0, in a band of twice `width`."""
    t = np.clip(0.5 + 0.5 * values / width, 0, 1)
    return t * t * (3 - 2 * t)


def _around(table, u, v):
    """Look up the angles of (u, v) in a table over `_ANGLES`."""
    turn = np.arctan2(v, u) / (2 * np.pi) + 0.5
    return table[(turn * len(table)).astype(int) % len(table)]


def _waves(rng, harmonics):
    """Return a sum of cosines of random phases over `_ANGLES`, scaled to unit variance."""
    harmonics = np.asarray(harmonics)[:, None]
    phases = rng.uniform(0, 2 * np.pi, harmonics.shape)
    waves = (np.cos(harmonics * _ANGLES + phases) / harmonics).sum(axis=0)
    return (waves / waves.std()).astype(np.float32)


def _outline(rng, asymmetry, border):
    """Return the distance of the border from the centre over `_ANGLES`."""
    size = rng.uniform(0.38, 0.66)
    ellipse = rng.uniform(0, 0.17) * _waves(rng, [2])  # symmetric about two axes
    lopsided = (0.02 + 0.17 * asymmetry) * _waves(rng, [2, 3, 4, 5])
    ragged = (0.004 + 0.05 * border) * _waves(rng, range(6, 18))
    outline = np.exp(ellipse + lopsided + ragged)
    # The area does not depend on the class.
    return outline * (size / np.sqrt(np.mean(outline**2)).item())


def _depth(rng, u, v, outline, border):
    """Return the depth: 1 in the centre of the lesion, 0 at its border, negative outside."""
    strength = 0.03 + 0.06 * border
    fray = strength * _noise(rng, u.shape, 14) + 0.5 * strength * _noise(rng, u.shape, 30)
    return 1 - np.hypot(u, v) / _around(outline, u, v) + fray


def _cover(rng, u, v, depth, border):
    """Return the opacity of the lesion, whose border is gradual if benign, partly sharp if not."""
    abrupt = border * _step(_waves(rng, [1, 2, 3, 4]) + 1, 0.5)
    softness = rng.uniform(0.18, 0.4) * (1 - 0.8 * abrupt)
    return _step(depth, _around(softness.astype(np.float32), u, v))


def _body(rng, u, v, depth, asymmetry):
    """Return melanin without structures: more inwards and, with asymmetry, to one side."""
    turn = rng.uniform(0, 2 * pi)
    slope = 1.2 * asymmetry * (u * cos(turn) + v * sin(turn))
    mottle = 0.15 * _noise(rng, u.shape, 8) + 0.10 * _noise(rng, u.shape, 22)
    body = 0.75 + rng.uniform(0.1, 0.6) * np.clip(depth, 0, 1) + slope + mottle
    return rng.uniform(0.5, 1.4) * np.clip(body, 0.15, None)


def _pattern(rng, u, v, depth, structure):
    """Return the factor of the pigment network or globules: regular if benign, broken if not."""
    kind = rng.choice(3, p=[0.5, 0.2, 0.3])  # network, globules, homogeneous
    turn, period = rng.uniform(0, pi), rng.uniform(0.10, 0.15)
    warp = period * (0.25 + 0.45 * structure)
    u, v = (p + warp * _noise(rng, u.shape, 12) for p in (u, v))
    lattice = sum(  # three plane waves make a honeycomb: low on its walls, high in its cells
        np.cos((u * cos(turn + a) + v * sin(turn + a)) * (2 * pi / period))
        for a in (0, pi / 3, 2 * pi / 3)
    )
    relief = (0.6 - _step(lattice, 1.3), _step(lattice - 0.9, 0.8) - 0.2, 0 * lattice)[kind]
    # Regular patterns fade towards the border, irregular ones are patchy.
    even, patchy = _step(depth, 0.5), 0.5 + 0.9 * _noise(rng, u.shape, 5)
    strength = (1 - structure) * even + structure * np.clip(patchy, 0, 2)
    return np.clip(1 + rng.uniform(0.3, 0.9) * strength * relief, 0.15, None)


def _marks(rng, shape, centre, outline, structure):
    """Return irregular dots, and streaks that cross the border, in [0, 1]."""
    side = rng.uniform(-pi, pi)

    def place(spread):
        angle = side + spread * rng.standard_normal()
        k = round((angle / (2 * pi) + 0.5) * len(outline)) % len(outline)
        return outline[k] * np.array([cos(angle), sin(angle)])

    def paint(draw, to_pixels, unit):
        for _ in range(rng.poisson(1 + 18 * structure)):
            x, y = to_pixels(centre + np.sqrt(rng.uniform(0, 0.95)) * place(1.2))
            radius = rng.uniform(0.01, 0.022 + 0.02 * structure) * unit
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        for _ in range(rng.poisson(16 * max(structure - 0.4, 0))):
            end = place(0.6)
            line = [to_pixels(centre + share * end) for share in (0.7, rng.uniform(0.95, 1.15))]
            draw.line([tuple(p) for p in line], fill=230, width=max(1, round(0.025 * unit)))

    return _draw(shape, paint)


def _draw(shape, paint):
    """Call `paint` at twice the resolution and return the reduced drawing, in [0, 1]."""
    drawn = Image.new("L", (2 * shape[1], 2 * shape[0]))
    unit = min(shape)

    def to_pixels(point):
        return np.asarray(point) * unit + np.array([shape[1], shape[0]])

    paint(ImageDraw.Draw(drawn), to_pixels, unit)
    return np.asarray(drawn.reduce(2), dtype=np.float32) / 255


def _reflect(rng, tone, melanin, cover, colour):
    """Return the light reflected by skin and lesion, of shape (height, width, 3)."""
    shape = cover.shape
    # As the severity grows, colours other than brown are added one by one, in random order.
    amounts = np.clip(4 * colour**1.5 - rng.permutation(4), 0, 1)
    black, red, blue, white = (cover * _patch(rng, shape, amount) for amount in amounts.tolist())
    skin = tone * (1 + 0.08 * _noise(rng, shape, 5)) + 0.035 * _noise(rng, shape, 60)
    blood = rng.uniform(0, 0.18) + 0.04 * _noise(rng, shape, 8) + 0.5 * red
    melanin = skin + melanin * (1 - 0.5 * red) * (1 - 0.6 * white) + 1.8 * black
    light = np.exp(-melanin[..., None] * _MELANIN - blood[..., None] * _BLOOD) * _PALE
    dim = exp(-0.6 * tone)  # veils are fainter on dark skin
    for mask, veil in ((0.6 * blue, _BLUE_GREY), (0.35 * white, _SCAR_WHITE)):
        light += mask[..., None] * (dim * veil - light)
    return light


def _patch(rng, shape, amount):
    """Return the mask of a colour in the lesion: a cloudy region that grows with `amount`."""
    cloud = _noise(rng, shape, 6) + 0.3 * _noise(rng, shape, 16)
    return amount * _step(cloud + 0.5 * amount - 0.75, 0.5)


def _illumination(rng, x, y):
    """Return uneven, tinted light with vignetting and, at times, the round edge of the scope."""
    turn, radius = rng.uniform(0, 2 * pi), np.hypot(x, y)
    light = rng.uniform(0.88, 1.06) + rng.uniform(0, 0.07) * (x * cos(turn) + y * sin(turn))
    light *= 1 - rng.uniform(0, 0.3) * np.clip(radius / 1.4, 0, 1.3) ** 3
    scope = rng.uniform(1.12, 1.35) if rng.random() < 0.25 else np.inf
    light *= 1 - 0.95 * _step(radius - scope, 0.04)
    return light[..., None] * rng.normal(1, 0.025, 3).astype(np.float32)


def _add_hair(rng, light, x, y):
    """Blend curved hairs into `light`, in place."""
    colour = _HAIR[rng.integers(len(_HAIR))]

    def paint(draw, to_pixels, unit):
        count = rng.poisson(rng.choice([0, 2, 9], p=[0.45, 0.35, 0.2]))
        lie = rng.uniform(0, pi)  # neighbouring hairs have similar directions
        for _ in range(count):
            angle = lie + rng.normal(0, 0.45)
            along = np.array([cos(angle), sin(angle)])
            across = np.array([-along[1], along[0]])
            t = np.linspace(-1, 1, 24)[:, None] * rng.uniform(0.4, 1.6)
            start = rng.uniform(-1, 1, 2) * (x[0, -1], y[-1, 0])
            points = start + t * along + rng.normal(0, 0.18) * t**2 * across
            width = max(1, round(rng.uniform(0.012, 0.024) * unit))
            draw.line([tuple(p) for p in to_pixels(points)], fill=220, width=width, joint="curve")

    light += _draw(light.shape[:2], paint)[..., None] * (colour - light)


def _photograph(rng, light, shape):
    """Reduce to a size, blur, add sensor noise and quantize."""
    image = Image.fromarray((255 * np.clip(light, 0, 1)).astype(np.uint8))
    image = image.resize(shape[::-1], Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.002, 0.009) * min(shape)))
    noise = rng.uniform(1, 4) * rng.standard_normal((*shape, 3), dtype=np.float32)
    return np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8)
