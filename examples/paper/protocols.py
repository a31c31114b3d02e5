"""The two protocols: the training, validation and test sets of each model."""

import gc

import arms
import figures
import keras
import numpy as np
from results import read_table

from melanet import GANOversampler, MelaNet, __version__
from melanet.classifier._dataset import hold_out
from melanet.gan.training import train_and_save
from melanet.metrics import screening_report
from melanet.over_sampling import resolve_recipe
from melanet.utils import reproducible
from melanet.utils._files import atomic_path, history_rows, write_csv

PROTOCOLS = {
    "sound": "validation from the training images, all arms, several seeds",
    "released": "the notebooks' choices: the test set is the validation set, their arms, one seed",
}


class Study:
    """One protocol on one set of images, stage by stage."""

    def __init__(self, protocol, scale, weights, stages, train, test):
        self.protocol, self.scale, self.weights, self.stages = protocol, scale, weights, stages
        self.X, self.y, self.groups = train
        self.X_test, self.y_test, self.groups_test = test

    def split(self, seed):
        """Return the rows to train on, and the validation data."""
        if self.protocol == "released":
            return np.arange(len(self.y)), (self.X_test, self.y_test)
        rows, held = hold_out(self.y, 0.2, seed, self.groups)
        return rows, (self.X[held], self.y[held])

    def train_cyclegan(self, seed):
        """Train benign -> malignant on the training split alone, by the paper's recipe."""
        rows, _ = self.split(seed)
        X, y = self.X[rows], self.y[rows]

        def make(folder):
            recipe = resolve_recipe("paper", X.shape[1:], epochs=self.scale.gan_epochs)
            sets = X[y == 0], X[y == 1]
            train_and_save(*sets, folder / "gan.keras", recipe, seed=seed, verbose=1)

        return self._stage(f"seed-{seed}/cyclegan", make, {"epochs": self.scale.gan_epochs})

    def over_sample(self, seed):
        """Translate every benign training image once: 727 + 173 become 727 + 900."""
        rows, _ = self.split(seed)
        X, y = self.X[rows], self.y[rows]
        n_benign, n_malignant = np.bincount(y).tolist()

        def make(folder):
            sampler = GANOversampler(
                preset="paper",
                sampling_strategy={arms.MALIGNANT: n_malignant + n_benign},
                pretrained={arms.MALIGNANT: self._path(f"seed-{seed}/cyclegan") / "gan.keras"},
                random_state=seed,
            )
            X_res, _ = sampler.fit_resample(X, y)
            with atomic_path(folder / "made.npz") as partial:
                np.savez(partial, X=X_res[len(X) :], sources=sampler.source_indices_)

        return self._stage(f"seed-{seed}/translations", make, {}, [f"seed-{seed}/cyclegan"])

    def run(self, arm, seed):
        """Train MelaNet on the training set of an arm; score the test images."""
        rows, validation = self.split(seed)
        settings = {"arm": arm, "backbone": self.scale.backbone, "epochs": self.scale.epochs}
        settings |= {"weights": self.weights and str(self.weights)}

        def make(folder):
            synthetic = np.load(self._path(f"seed-{seed}/translations") / "made.npz")["X"]
            X, y = arms.training_set(arm, self.X[rows], self.y[rows], synthetic, seed)
            model = MelaNet(
                backbone=self.scale.backbone,
                backbone_weights=self.weights,
                input_size=self.scale.size,
                epochs=self.scale.epochs,
                class_weight="balanced" if arm == "class-weights" else None,
                random_state=seed,
            )
            with reproducible():
                model.fit(X, y, validation_data=validation)
                scores = model.predict_proba(self.X_test)[:, 1]
            write_csv(folder / "record.csv", history_rows(model.history_))
            labels = zip(self.y_test.tolist(), scores.tolist())
            written = [{"malignant": y, "score": s} for y, s in labels]
            for row, group in zip(written, () if self.groups_test is None else self.groups_test):
                row["group"] = group
            write_csv(folder / "scores.csv", written)
            if seed == 0 and arm in ("vgg-gap", "gan"):  # used by the figures
                model.save(folder / "model.melanet")
            report = screening_report(self.y_test, scores)
            print(f"  {np.bincount(y).tolist()} images, AUC {report['auc']:.3f}", flush=True)
            keras.utils.clear_session()
            gc.collect()

        return self._stage(f"seed-{seed}/{arm}", make, settings, [f"seed-{seed}/translations"])

    def draw(self, folder):
        """Draw the figures of seed 0, and write the table of feature distances."""
        rows, _ = self.split(0)
        X, y = self.X[rows], self.y[rows]
        synthetic = np.load(self._path("seed-0/translations") / "made.npz")
        real_only = MelaNet.load(self._path("seed-0/vgg-gap") / "model.melanet")
        melanet = MelaNet.load(self._path("seed-0/gan") / "model.melanet")
        sources = X[synthetic["sources"][:8]]
        figures.translations(folder / "translations.png", sources, synthetic["X"][:8])
        features, synthetic_features = real_only.embed(X), real_only.embed(synthetic["X"])
        figures.umap(folder / "umap.png", features, y, synthetic_features)
        figures.distances(
            folder / "distances.csv",
            synthetic_features,
            {
                "training pictures": (features, y),
                "test pictures": (real_only.embed(self.X_test), self.y_test),
            },
        )
        figures.grad_cam(folder / "grad-cam.png", melanet, self.X_test, self.y_test)
        cyclegan = read_history(self._path("seed-0/cyclegan") / "gan.record.csv")
        losses = ("discriminator_loss", "adversarial_loss", "cycle_loss", "identity_loss")
        curves = {"CycleGAN": {name: cyclegan[name] for name in losses}}
        for arm in ("vgg-gap", "gan"):
            history = read_history(self._path(f"seed-0/{arm}") / "record.csv")
            curves[arm] = {name: history[name] for name in ("loss", "val_loss")}
        figures.curves(folder / "curves.png", curves)

    def _stage(self, name, make, settings, after=()):
        settings = {"version": __version__, "keras": keras.__version__, **settings}
        settings |= {"backend": keras.backend.backend(), "protocol": self.protocol}
        after = ["pictures", *(f"{self.protocol}/{other}" for other in after)]
        return self.stages.run(f"{self.protocol}/{name}", make, settings, after)

    def _path(self, name):
        return self.stages.folder / self.protocol / name


def read_history(path):
    """Return a table of losses as name -> values by epoch."""
    rows = read_table(path)
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
