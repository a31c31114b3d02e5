"""Checks of a sampler's arguments, and warnings of those that nothing uses."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from melanet.exceptions import CostWarning, ScaleWarning
from melanet.gan import CycleGAN
from melanet.over_sampling._presets import names_features
from melanet.preprocessing import ImageForm
from melanet.utils._labels import check_spelling
from melanet.utils._memory import check_memory
from melanet.utils._validation import to_python

_BOOKKEEPING = 60  # bytes a new sample: the source, its kind, the label
_MANY_TRAININGS = 20
# Parameters without effect on the use of a CycleGAN; quality, gate, conditional and features are
# others.
_TRAINING = (
    *("generator", "steps", "epochs", "max_seconds"),
    *("batch_size", "learning_rate", "augment"),
)


def refuse_missing_labels(y: Any) -> None:
    """Raise ValueError if a label is missing, or two have the same text."""
    labels = np.asarray(y, dtype=object)
    if labels.ndim == 1:  # one-hot labels have no text
        check_spelling("y", labels)


def compare_with_previous_fit(
    sampler: Any, form: Any, pretrained: Mapping[Any, CycleGAN], stacklevel: int
) -> None:
    """Warn if CycleGANs of the previous fit now get images of another range.

    Parameters
    ----------
    sampler : GANOversampler
        The sampler, perhaps fitted before.
    form : ImageForm or TableForm
        Form of the new data.
    pretrained : dict
        label -> CycleGAN to use.
    stacklevel : int
        As in ``warnings.warn``, counted from the caller.
    """
    previous, known = getattr(sampler, "form_", None), getattr(sampler, "cyclegans_", {})
    if not isinstance(previous, ImageForm) or not isinstance(form, ImageForm):
        return
    reused = [label for label, gan in pretrained.items() if known.get(label) is gan]
    if reused and form.value_range != previous.value_range:
        (a, b), (c, d) = previous.value_range, form.value_range
        warnings.warn(
            f"pretrained holds CycleGANs of the previous fit, on {previous.dtype} in "
            f"value_range=({a:g}, {b:g}). Received: X of {form.dtype} in value_range=({c:g}, "
            f"{d:g}). If both are on one scale, give value_range",
            ScaleWarning,
            stacklevel=stacklevel + 1,
        )


def warn_of_unused(
    sampler: Any, needs: Mapping[Any, int], pretrained: Mapping[Any, CycleGAN], stacklevel: int
) -> None:
    """Warn of CycleGANs and options that nothing uses, unless the previous fit made them.

    Parameters
    ----------
    sampler : GANOversampler
        The sampler, perhaps fitted before.
    needs : dict
        label -> number of samples to make.
    pretrained : dict
        label -> CycleGAN to use.
    stacklevel : int
        As in ``warnings.warn``, counted from the caller.
    """
    known = getattr(sampler, "cyclegans_", {})
    given = {label for label, gan in pretrained.items() if known.get(label) is not gan}
    shown = {to_python(label): n for label, n in needs.items()}
    if idle := [to_python(label) for label in given if label not in needs]:
        warnings.warn(
            f"pretrained is of no use for classes that need no samples. Received: CycleGANs of "
            f"{idle}, but samples are made of {shown}",
            stacklevel=stacklevel + 1,
        )
    none = [
        f"{name}={n}"
        for name, n in (("max_translations", 0), ("copies", 1))
        if getattr(sampler, name) == n
    ]
    if given and none:
        warnings.warn(
            f"pretrained is of no use without translations. Received: {none[0]} and "
            f"CycleGANs of {[to_python(label) for label in given]}",
            stacklevel=stacklevel + 1,
        )
    if not needs or not given or needs.keys() - pretrained.keys():
        return
    unused = [name for name in _TRAINING if getattr(sampler, name) is not None]
    unused += ["quality"] if sampler.quality != "default" else []
    unused += ["gate"] if sampler.gate else []
    unused += ["conditional"] if sampler.conditional else []
    unused += ["features"] if names_features(sampler.features) else []
    if unused:
        warnings.warn(
            f"{', '.join(unused)} can only be used in a training, and pretrained has a "
            f"CycleGAN for every class that needs samples, {shown}. Leave them out",
            stacklevel=stacklevel + 1,
        )


def check_costs(
    X: Any,
    needs: Mapping[Any, int],
    n_trainings: int,
    dtype: Any,
    stacklevel: int,
) -> None:
    """Raise if the new samples do not fit into memory; warn of very many trainings.

    Parameters
    ----------
    X : ndarray or DataFrame
        Real samples.
    needs : dict
        label -> number of samples to make.
    n_trainings : int
        Number of CycleGANs to train.
    dtype : dtype
        Type of the new samples' values.
    stacklevel : int
        As in ``warnings.warn``, counted from the caller.
    """
    n_new = sum(needs.values())
    sample_bytes = np.dtype(dtype).itemsize * int(np.prod(X.shape[1:], dtype=object))
    check_memory(
        n_new * (sample_bytes + _BOOKKEEPING),
        f"The {n_new} new samples that sampling_strategy asks for",
        "Ask for fewer, or use oversample_files or BalancedBatches, which work in parts",
    )
    if n_trainings > _MANY_TRAININGS:
        warnings.warn(
            f"{n_trainings} classes are to be filled up, and a CycleGAN is trained for each. Name "
            "the classes that matter in sampling_strategy, or limit each training by max_seconds; "
            "verbose=1 estimates the whole time. If y numbers or identifies samples, it does not "
            "hold classes",
            CostWarning,
            stacklevel=stacklevel + 1,
        )
