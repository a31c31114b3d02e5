"""One training of a translator to several classes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from melanet.gan._conditional_cyclegan import ConditionalCycleGAN
from melanet.gan._leased_training import Training, batch_options, initial_networks, leased_fit
from melanet.gan._recipe import TrainingRecipe
from melanet.gan._unpaired_dataset import ConditionalImages


class ConditionalTraining:
    """A finished training of several classes, while its compiled model is leased.

    Parameters
    ----------
    cyclegan : ConditionalCycleGAN
        Trained and compiled; other trainings use it later.
    history : dict
        Name of a loss -> list of its values by epoch, over all classes.
    labels : sequence
        Labels of the classes.
    build : callable
        Returns new uncompiled networks by name, of the structure of those that were trained.
    """

    def __init__(
        self,
        cyclegan: ConditionalCycleGAN,
        history: dict[str, list[float]],
        labels: Sequence[Any],
        build: Callable[[], dict[str, keras.Model]],
    ):
        self._cyclegan, self._history = cyclegan, history
        self._labels, self._build = list(labels), build

    def select(self, label: Any) -> Training:
        """Return the training of a class, which holds until another one is selected."""
        self._cyclegan.select(self._labels.index(label))
        history = {name: list(values) for name, values in self._history.items()}
        return Training(self._cyclegan, history, self._build())


@contextlib.contextmanager
def leased_conditional_training(
    recipe: TrainingRecipe,
    A: np.ndarray,
    classes: Mapping[Any, np.ndarray],
    *,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> Iterator[ConditionalTraining]:
    """Train one translator from A to several classes, leased until the block ends.

    Inside the block, the classes are selected in turn, each as if it had been trained alone.

    Parameters
    ----------
    recipe : TrainingRecipe
        Settings, of one training of all classes. Its generators redraw.
    A : ndarray of shape (n, *sample_shape), float32
        Samples to translate, in [-1, 1].
    classes : dict
        label -> samples of the class.
    seed, callbacks, verbose
        As in `melanet.gan.training.train`.

    Yields
    ------
    ConditionalTraining

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from melanet.gan._conditional_training import leased_conditional_training
    >>> from melanet.over_sampling import PRESETS
    >>> small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    >>> recipe = replace(PRESETS["default"], steps=4, **small)
    >>> A, b, c = (np.full((4, 8, 8, 1), value) for value in (-0.5, 0, 0.5))
    >>> with leased_conditional_training(recipe, A, {"b": b, "c": c}) as trainings:
    ...     cyclegans = {label: trainings.select(label).copy() for label in "bc"}
    >>> cyclegans["c"].translate(A).shape
    (4, 8, 8, 1)
    """
    epochs, options = batch_options(recipe, seed)
    batches = ConditionalImages(A, list(classes.values()), **options)
    shape = tuple(A.shape[1:])

    def build():
        return initial_networks(recipe, shape, None, seed)

    with leased_fit(
        recipe,
        shape,
        batches,
        epochs,
        build(),
        n_classes=len(classes),
        name=f"CycleGAN of {len(classes)} classes",
        callbacks=callbacks,
        verbose=verbose,
    ) as (cyclegan, losses):
        assert isinstance(cyclegan, ConditionalCycleGAN)
        yield ConditionalTraining(cyclegan, losses, list(classes), build)
