"""The edit GAN: one generator that edits images of A until they look like B."""

from __future__ import annotations

from typing import Any, Protocol

import keras
from keras import ops

from melanet.gan._cyclegan import CycleGAN
from melanet.gan.losses import (
    LinearDecayAdam,
    absolute_error,
    sample_mean,
    scores_by_fixed_weights,
)

_SQUARE_PRICE = 4.0  # an edit of a quarter costs twice as much as without


class Guide(Protocol):
    """Frozen networks that see an image's features and score its class.

    `melanet.features.ClassGuide` is one.
    """

    @property
    def structure(self) -> tuple[Any, ...]:
        """All that a compiled model depends on."""

    @property
    def map_shapes(self) -> list[tuple[int, ...]]:
        """Shapes (h, w, c) of the maps."""

    @property
    def colours(self) -> tuple[Any, Any]:
        """Mean (c,) and whitening matrix (c, c) of the colours of both classes."""

    def build(self) -> tuple[keras.Model, keras.Model]:
        """Return new models: images to a list of maps, and those to logits of class B."""

    def assign(self, features: keras.Model, scorer: keras.Model) -> None:
        """Copy the weights into models that `build` returned."""


class EditGAN(CycleGAN):
    """Edit images of A until they look like B, with frozen features as eyes.

    The discriminator sees maps of features. The generator's loss is the discriminator's score of
    the translation, averaged over the maps, ``class_weight`` times the cross-entropy of class B
    by the guide, and ``edit_weight`` times the price of the edit: the mean of ``|e| + 4 * e**2``
    over its values e, and its total variation, before the edits of unusual colours are damped
    (`melanet.layers.ApplyEdit`). The square makes a large edit dear, such as one that removes an
    object. Both players have the hinge loss. There is no way back: an edit that costs keeps the
    image, which is what cycle consistency is for.

    Parameters
    ----------
    generator : keras.Model
        Model from A to B, in [-1, 1], that starts at the identity.
    discriminator : keras.Model
        Model from a list of maps to a list of scores.
    features : keras.Model
        Frozen model from images to a list of maps.
    scorer : keras.Model
        Frozen model from the maps to logits of class B, of shape (n, n_heads).
    class_weight, edit_weight : float
        Weights of the losses.

    See Also
    --------
    melanet.gan.networks.edit_generator : The generator.
    melanet.gan.training.train : Build and train one from a recipe.

    Notes
    -----
    A trained one is kept as a `CycleGAN` that holds the generator alone.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.features import fit_guide
    >>> from melanet.gan.training import train
    >>> from melanet.over_sampling import resolve_recipe
    >>> rng = np.random.default_rng(0)
    >>> A, B = (rng.uniform(low, low + 1, (8, 32, 32, 1)).astype("float32") for low in (-1, 0))
    >>> guide = fit_guide(A, B, features=None, steps=2)
    >>> recipe = resolve_recipe("default", (32, 32, 1), steps=2)
    >>> cyclegan, history = train(recipe, A, B, guide=guide)
    >>> cyclegan.translate(A).shape
    (8, 32, 32, 1)
    """

    _term_names = (
        "discriminator_loss",
        "discriminator_accuracy",
        "adversarial_loss",
        "class_loss",
        "edit_loss",
    )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        features: keras.Model,
        scorer: keras.Model,
        class_weight: float,
        edit_weight: float,
    ):
        super().__init__(generator, None, None, discriminator, cycle_weight=0, identity_weight=0)
        self.features, self.scorer = features, scorer
        self.class_weight, self.edit_weight = class_weight, edit_weight

    def set_colours(self, mean: Any, whitening: Any) -> None:
        """Set the usual colours; edits of others are damped, see `melanet.layers.ApplyEdit`.

        Parameters
        ----------
        mean : array-like of shape (C,)
            Mean colour of both classes.
        whitening : array-like of shape (C, C)
            Matrix that whitens the colours.
        """
        layer = self.generator_ab.layers[-1]
        layer.mean.assign(mean)
        layer.whitening.assign(whitening)

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Configure the training; see ``keras.Model.compile``."""
        super().compile(optimizer or LinearDecayAdam(5e-4, beta_1=0.5, beta_2=0.99), **kwargs)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Translate a batch of A.

        Parameters
        ----------
        inputs : (tensor, tensor)
            Batches of A and B, in [-1, 1].
        training : bool
            As in Keras.

        Returns
        -------
        dict of tensors
            ``fake_b``, the translations.
        """
        return {"fake_b": self.generator_ab(inputs[0], training=training)}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of both players' losses, and log its terms."""
        a, b = x
        translated = y_pred["fake_b"]
        fake, real = self.features(translated, training=False), self.features(b, training=False)
        discriminator: Any = self.discriminator_b
        scores = scores_by_fixed_weights(discriminator, fake, training)
        adversarial = -sum(sample_mean(score) for score in scores) / len(scores)
        both = [ops.stop_gradient(ops.concatenate(pair)) for pair in zip(real, fake)]
        pairs = [ops.split(score, 2) for score in discriminator(both, training=training)]
        loss = sum(
            sample_mean(ops.relu(1 - right)) + sample_mean(ops.relu(1 + wrong))
            for right, wrong in pairs
        )
        loss = loss / len(pairs)
        accuracy = sum(sample_mean(r > 0) + sample_mean(w <= 0) for r, w in pairs)
        accuracy = accuracy / (2 * len(pairs))
        logits = ops.cast(self.scorer(fake, training=False), "float32")
        class_loss = ops.mean(ops.softplus(-logits), axis=-1)
        edit = ops.cast(translated, "float32") - ops.cast(a, "float32")
        edit = edit * self.generator_ab.layers[-1].divisor(a)
        size = ops.abs(edit) + _SQUARE_PRICE * ops.square(edit)
        edit_loss = (
            sample_mean(size)
            + absolute_error(edit[:, 1:], edit[:, :-1])
            + absolute_error(edit[:, :, 1:], edit[:, :, :-1])
        )
        terms = (loss, accuracy, adversarial, class_loss, edit_loss)
        for tracker, value in zip(self._terms, terms, strict=True):
            tracker.update_state(value)
        total = loss + adversarial + self.class_weight * class_loss + self.edit_weight * edit_loss
        return self._total(total, total)

    def _missing_networks(self):
        return []
