"""The settings of a training."""

from dataclasses import asdict, dataclass
from typing import Any

_MAX_EPOCHS = 10  # a budget in steps is divided into at most this many epochs


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """Settings of the training of one CycleGAN.

    Parameters
    ----------
    generator : {"unet", "resnet", "edit"} or None
        Architecture of the generators; None for tables, which get dense networks. "edit" trains
        an `EditGAN` instead of a CycleGAN, which needs a guide.
    filters, discriminator_filters : int
        Widths of the first levels.
    steps, epochs : int or None
        Training budget: steps, or passes over the smaller set. One of them is None.
    batch_size : int
        Pairs of samples per step.
    learning_rate : float
        Adam's initial learning rate.
    decay : bool
        Whether the learning rate falls linearly to zero.
    identity_weight : float
        Weight of the identity loss.
    augment : float
        Share of the training images, in [0, 1], that are augmented.
    flip : {"horizontal", "vertical", "both"} or None
        Mirror images that belong to the same class.
    shift : float
        Largest shift of the training images, as a share of the side.
    class_weight, edit_weight : float
        Weights of an `EditGAN`'s losses.
    edit_strength : float
        Factor by which the trained edits are multiplied.
    edit_side : int or None
        Side, in pixels, at which edits are computed; None takes the images' own.
    max_seconds : float or None, default=None
        Time after which the training ends, wherever it is. The result then depends on the
        machine's speed and does not repeat bit for bit.
    """

    generator: str | None
    filters: int
    discriminator_filters: int
    steps: int | None
    epochs: int | None
    batch_size: int
    learning_rate: float
    decay: bool
    identity_weight: float
    augment: float
    flip: str | None
    shift: float = 0.0
    class_weight: float = 0.0
    edit_weight: float = 0.0
    edit_strength: float = 1.0
    edit_side: int | None = None
    max_seconds: float | None = None

    def schedule(self) -> tuple[int, int | None]:
        """Return the number of epochs and the steps of each, None for a pass over the data."""
        if self.epochs:
            return self.epochs, None
        steps = self.steps or 1
        epochs = max(n for n in range(1, _MAX_EPOCHS + 1) if steps % n == 0)
        return epochs, steps // epochs

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as a dict that JSON can hold."""
        return asdict(self)
