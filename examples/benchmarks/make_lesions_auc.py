"""Measure the test AUC of a small CNN on `make_lesions` at three difficulties.

Run ``python examples/benchmarks/make_lesions_auc.py``. For each difficulty and seed, a network of
three convolutions trains on 800 balanced images of 64x64, randomly flipped and rotated, until its
AUC on 200 other images no longer rises, and is tested on 1000 more. The baseline is a logistic
regression on the mean and the standard deviation of each colour channel, which does not see the
lesion.
"""

from helping.start import check_start

check_start()  # before Keras is imported

import platform
import time

import keras
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import melanet
from melanet.datasets import make_lesions

DIFFICULTIES = (0.1, 0.5, 0.9)
SEEDS = (0, 1, 2)


class RandomOrientations(keras.utils.PyDataset):
    """Batches of images, each in a random one of its eight orientations."""

    def __init__(self, X, y, seed, batch_size=40):
        super().__init__()
        self.X, self.y, self.batch_size = X, y, batch_size
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return len(self.X) // self.batch_size

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = [np.rot90(self.X[i], self.rng.integers(4)) for i in chosen]
        images = [x[::-1] if self.rng.integers(2) else x for x in images]
        return np.stack(images), self.y[chosen]

    def on_epoch_end(self):
        """Shuffle."""
        self.order = self.rng.permutation(len(self.X))


def small_cnn():
    layers = [keras.Input((64, 64, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)]
    for filters in (16, 32, 64):
        layers += [
            keras.layers.Conv2D(filters, 3, strides=1 + (filters == 16), padding="same"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.Adam(3e-3),
        "binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model


def cnn_auc(X, y, seed):
    keras.utils.set_random_seed(seed)
    model = small_cnn()
    stop = keras.callbacks.EarlyStopping(
        "val_auc", mode="max", patience=5, restore_best_weights=True
    )
    model.fit(
        RandomOrientations(X[:800], y[:800], seed),
        validation_data=(X[800:1000], y[800:1000]),
        epochs=16,
        callbacks=[stop],
        verbose=0,
    )
    return roc_auc_score(y[1000:], model.predict(X[1000:], verbose=0)[:, 0])


def colour_auc(X, y):
    features = np.hstack([X.mean(axis=(1, 2)), X.std(axis=(1, 2))])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[:1000], y[:1000])
    return roc_auc_score(y[1000:], model.predict_proba(features[1000:])[:, 1])


def main():
    print(
        f"melanet {melanet.__version__}, Keras {keras.__version__} on {keras.backend.backend()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}, "
        f"Python {platform.python_version()}"
    )
    for difficulty in DIFFICULTIES:
        scores = []
        for seed in SEEDS:
            start = time.perf_counter()
            X, y = make_lesions(
                2000, weights=(0.5, 0.5), difficulty=difficulty, random_state=1000 + seed
            )
            scores.append((cnn_auc(X, y, seed), colour_auc(X, y)))
            print(
                f"difficulty {difficulty}, seed {seed}: CNN {scores[-1][0]:.3f}, "
                f"colour statistics {scores[-1][1]:.3f} ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )
        mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
        print(
            f"difficulty {difficulty}: CNN {mean[0]:.3f} +- {spread[0]:.3f}, "
            f"colour statistics {mean[1]:.3f} +- {spread[1]:.3f}"
        )


if __name__ == "__main__":
    main()
