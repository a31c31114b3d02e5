"""Plans of over-sampling: which classes need samples, made from which rows, by which models."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from melanet.gan import CycleGAN
from melanet.images import count_channels
from melanet.preprocessing import PictureFiles
from melanet.utils._labels import match_keys
from melanet.utils._typing import PathLike
from melanet.utils._validation import to_python


@dataclass(frozen=True)
class ClassPlan:
    """The synthetic samples that one class needs, and what they are made from.

    Parameters
    ----------
    label : object
        The class, as in y.
    code : int
        Its position among the sorted classes.
    n_samples : int
        Number of samples to make: translations first, then copies of real samples, of which the
        last are exact.
    n_translations, n_exact : int
        Number of translations, if none is rejected, and of the exact copies at the end.
    source_rows, target_rows : ndarray of int
        Rows of the samples to translate, and of the class.
    training_seed, generation_seed : int
        Seeds. They depend on the class alone, not on what other classes need.
    """

    label: Any
    code: int
    n_samples: int
    n_translations: int
    n_exact: int
    source_rows: np.ndarray
    target_rows: np.ndarray
    training_seed: int
    generation_seed: int

    def without_translations(self) -> "ClassPlan":
        """Return the plan with exact copies alone."""
        return replace(self, n_translations=0, n_exact=self.n_samples)


def plan_classes(
    y: np.ndarray,
    needs: Mapping[Any, int],
    seed: int,
    sources: str = "majority",
    copies: float = 0.0,
    max_translations: float | None = None,
) -> list[ClassPlan]:
    """Plan the synthetic samples of each class.

    All that `needs` asks for is planned: samples beyond the greatest number of translations, and
    beyond the copies that belong to these, are exact copies.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    needs : dict
        label -> number of samples to make.
    seed : int
        Seed of all classes.
    sources : {"majority", "all"}, default="majority"
        Whether samples of the largest other class are translated, or those of all others. Of
        equally large classes the first is taken.
    copies : float, default=0
        Share of the samples, in [0, 1], planned as copies.
    max_translations : float or None, default=None
        Greatest number of translations for each real sample of the class.

    Returns
    -------
    list of ClassPlan
        In the order of `needs`.
    """
    classes, codes = np.unique(y, return_inverse=True)
    counts = np.bincount(codes)
    plans = []
    for label, n_samples in needs.items():
        code = int(np.flatnonzero(classes == label)[0])
        rows = codes != code
        if sources == "majority":
            others = counts.copy()
            others[code] = 0
            rows = codes == others.argmax()
        n_samples = int(n_samples)
        n_translations, n_exact = n_samples - round(copies * n_samples), 0
        if max_translations is not None and n_translations > max_translations * counts[code]:
            n_translations = int(max_translations * counts[code])
            n_exact = n_samples - min(n_samples, round(n_translations / (1 - copies)))
        seeds = np.random.SeedSequence([seed, code]).generate_state(2)
        plans.append(
            ClassPlan(
                label,
                code,
                n_samples,
                n_translations,
                n_exact,
                np.flatnonzero(rows),
                np.flatnonzero(codes == code),
                int(seeds[0]) % 2**20,
                int(seeds[1]),
            )
        )
    return plans


def load_cyclegans(
    models: Mapping[Any, PathLike | CycleGAN] | None, parameter: str, y: np.ndarray
) -> dict[Any, CycleGAN]:
    """Load the CycleGANs that are not to be trained.

    Parameters
    ----------
    models : dict or None
        label -> CycleGAN or source of one, see `CycleGAN.from_pretrained`.
    parameter : str
        Name of the parameter, for the message.
    y : ndarray of shape (n,)
        Labels of the data.

    Returns
    -------
    dict
        label of `y` -> CycleGAN.

    Raises
    ------
    ValueError
        If `y` has no such class, or two keys name the same.
    """
    named = match_keys(parameter, models or {}, "classes of y", np.unique(y))
    return {label: CycleGAN.from_pretrained(source) for label, source in named.items()}


def image_size(
    size: int | Sequence[int] | None, cyclegans: Mapping[Any, CycleGAN]
) -> int | Sequence[int]:
    """Return the size of image files: as given, or of the first CycleGAN, or 256."""
    if size is not None:
        return size
    return next((gan.sample_shape[:2] for gan in cyclegans.values()), 256)


def open_pictures(
    paths: Sequence[PathLike],
    size: int | Sequence[int] | None,
    value_range: Iterable[float] | None,
    cyclegans: Mapping[Any, CycleGAN],
) -> PictureFiles:
    """Return image files as they are translated: at `image_size`, grey ones in one channel.

    Grey images keep three channels if a CycleGAN takes three.
    """
    size = image_size(size, cyclegans)
    in_colour = any(gan.sample_shape[-1] == 3 for gan in cyclegans.values())
    channels = 3 if in_colour else count_channels(paths, size)
    return PictureFiles(paths, size, value_range, channels=channels)


def check_sample_shapes(
    cyclegans: Mapping[Any, CycleGAN], parameter: str, sample_shape: tuple[int, ...], remedy: str
) -> None:
    """Raise ValueError unless all CycleGANs translate samples of a shape.

    Parameters
    ----------
    cyclegans : dict
        label -> CycleGAN.
    parameter : str
        Name of the parameter, for the message.
    sample_shape : tuple of int
        Shape of the samples.
    remedy : str
        What the user can do.
    """
    for label, cyclegan in cyclegans.items():
        if cyclegan.sample_shape != tuple(sample_shape):
            raise ValueError(
                f"{parameter}[{to_python(label)!r}] translates samples of shape "
                f"{cyclegan.sample_shape}. Received: samples of shape {tuple(sample_shape)}. "
                f"{remedy}"
            )


def check_needs(
    needs: Mapping[Any, float], y: np.ndarray, cyclegans: Mapping[Any, CycleGAN]
) -> dict[Any, int]:
    """Return the classes that need samples, after checking that each can be learnt.

    Parameters
    ----------
    needs : dict
        label -> number of samples to make.
    y : ndarray of shape (n,)
        Labels of the data.
    cyclegans : dict
        label -> CycleGAN that need not be trained.

    Returns
    -------
    dict
        label -> number of samples, without the classes that need none.

    Raises
    ------
    ValueError
        If a number is not whole, or a class to learn has fewer than two samples.
    """
    counts = Counter(y.tolist())
    needs = {label: n for label, n in needs.items() if n}
    for label, n in needs.items():
        if n != int(n):
            raise ValueError(
                "sampling_strategy must ask for whole numbers of samples. "
                f"Received: {n} more of class {to_python(label)!r}"
            )
        if counts[to_python(label)] < 2 and label not in cyclegans:
            raise ValueError(
                f"Class {to_python(label)!r} has 1 sample; at least 2 are needed to learn what the "
                "class looks like. Collect more, or leave it out by sampling_strategy"
            )
    return {label: int(n) for label, n in needs.items()}
