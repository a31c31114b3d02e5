"""A small classifier and translator of drawn lesions: something to serve before one has better."""

from pathlib import Path

from melanet.classifier._melanet import MelaNet
from melanet.datasets._lesions import make_lesions
from melanet.gan._cyclegan import CycleGAN
from melanet.gan._unpaired_dataset import UnpairedImages
from melanet.utils._files import atomic_path
from melanet.utils._keras import reproducible

CLASSIFIER, TRANSLATOR = "classifier.melanet", "translator.keras"
_N = 300


def train_toys(out, *, size=32, epochs=15, steps=300, seed=0):
    """Train a small MelaNet and a small CycleGAN on toy lesions and write them.

    They say nothing about real skin: they have seen drawings only. Not for diagnosis.

    Parameters
    ----------
    out : str or path-like
        Folder to write ``classifier.melanet`` and ``translator.keras`` into; made if missing.
    size : int, default=32
        Side of the pictures.
    epochs, steps : int, default=15, 300
        Budgets of the classifier and of the CycleGAN.
    seed : int, default=0
        Seed of pictures, weights and order.

    Returns
    -------
    classifier, translator : Path
        The files, for ``melanet serve --model CLASSIFIER --translator TRANSLATOR``.
    """
    out = Path(out)
    X, y = make_lesions(_N, weights=(0.5, 0.5), image_size=size, difficulty=0.2, random_state=seed)
    A, B = (X[y == label].astype("float32") / 127.5 - 1 for label in (0, 1))
    with reproducible():
        model = MelaNet(backbone="small", input_size=size, epochs=epochs, random_state=seed)
        model.fit(X, y).save(out / CLASSIFIER)
        gan = CycleGAN.from_shape((size, size, 3), filters=16, discriminator_filters=16, seed=seed)
        batches = UnpairedImages(A, B, 2, seed, steps=steps)
        gan.fit(batches, epochs=1, verbose=0)
    gan.compile(optimizer="sgd")  # has no state: the file is a third as large
    with atomic_path(out / TRANSLATOR) as partial:
        gan.save(partial)
    return out / CLASSIFIER, out / TRANSLATOR
