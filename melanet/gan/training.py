"""Training a CycleGAN by a recipe."""

from melanet.callbacks._monitoring import Progress, StopOnNonFinite
from melanet.gan._cyclegan import CycleGAN
from melanet.gan._unpaired_dataset import UnpairedImages
from melanet.gan.losses import adam
from melanet.images._augmentation import Augmentation

_MOST_PARTS = 10  # a budget in steps is logged in equal parts, at most this many


def epochs_and_steps(recipe):
    """Return for how many epochs a recipe trains, and their steps, None for a whole pass."""
    if recipe["epochs"]:
        return recipe["epochs"], None
    epochs = max(n for n in range(1, _MOST_PARTS + 1) if recipe["steps"] % n == 0)
    return epochs, recipe["steps"] // epochs


def train(recipe, A, B, *, seed, name="", verbose=0):
    """Train a CycleGAN from A to B.

    Parameters
    ----------
    recipe : dict
        See `melanet.over_sampling._presets`.
    A, B : ndarray of shape (n, *sample_shape), float32
        The two sets, in [-1, 1].
    seed : int
        Seed of weights, order and augmentation.
    name : str
        Named in progress and errors.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    cyclegan : CycleGAN
    history : dict
        Name of a loss -> list of its values by epoch.

    Raises
    ------
    melanet.exceptions.TrainingDiverged
        If the loss becomes infinite or not a number.
    """
    batches, epochs = batches_of(recipe, A, B, seed)
    total = epochs * len(batches)
    cyclegan = build(recipe, A.shape[1:], seed, total)
    callbacks = [StopOnNonFinite(f"CycleGAN {name}".strip())]
    if verbose:
        callbacks.append(Progress(f"CycleGAN {name}".strip(), total))
    try:
        history = cyclegan.fit(batches, epochs=epochs, callbacks=callbacks, verbose=0)
    finally:
        batches.A = batches.B = None  # TensorFlow keeps the loader; the images must not stay
        for callback in callbacks[1:]:
            callback.stop()
    return cyclegan, {k: [float(v) for v in values] for k, values in history.history.items()}


def batches_of(recipe, A, B, seed):
    """Return the batches that a recipe trains on, and for how many epochs."""
    epochs, steps = epochs_and_steps(recipe)
    batches = UnpairedImages(
        A,
        B,
        recipe["batch_size"],
        seed,
        steps=steps,
        flip=recipe["flip"],
        augment=Augmentation(share=recipe["augment"]) if recipe["augment"] else None,
    )
    return batches, epochs


def build(recipe, shape, seed, n_steps):
    """Return the CycleGAN that a recipe trains for `n_steps`, compiled."""
    cyclegan = CycleGAN.from_shape(
        shape,
        generator=recipe["generator"],
        filters=recipe["filters"],
        discriminator_filters=recipe["discriminator_filters"],
        identity_weight=recipe["identity_weight"],
        seed=seed,
    )
    decay = n_steps if recipe["decay"] else None
    cyclegan.compile(optimizer=adam(recipe["learning_rate"], decay))
    return cyclegan
