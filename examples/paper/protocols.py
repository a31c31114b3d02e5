"""The two protocols: the training, validation and test sets of each model."""

import gc
import warnings
from dataclasses import asdict

import arms
import classifiers
import costs
import figures
import keras
import numpy as np
from results import read_table

from melanet import GANOversampler, MelaNet, __version__
from melanet.classifier._dataset import hold_out
from melanet.exceptions import TranslationWarning
from melanet.gan.training import train_and_save
from melanet.metrics import screening_report
from melanet.over_sampling import resolve_recipe
from melanet.utils import reproducible
from melanet.utils._files import atomic_path, history_rows, read_json, write_csv, write_json

PROTOCOLS = {
    "sound": "validation from the training images, all arms, several seeds",
    "released": "the notebooks' choices: the test set is the validation set, their arms, one seed",
}
_DRAWN = ("vgg-gap", "gan")  # arms whose networks the figures need


class Study:
    """One protocol on one set of images, stage by stage.

    Parameters
    ----------
    protocol : str
        A key of `PROTOCOLS`.
    scale : Scale
        Sizes and budgets.
    pretrained : Pretrained
        VGG16's weights.
    stages : Stages
        Stages, of which "pictures" is complete.
    train, test : (X, y, groups)
        Images, labels, and lesions or patients or None.
    """

    def __init__(self, protocol, scale, pretrained, stages, train, test):
        self.protocol, self.stages = protocol, stages
        self.scale, self.pretrained = scale, pretrained
        self.X, self.y, self.groups = train
        self.X_test, self.y_test, self.groups_test = test

    def plan(self):
        """Return the same study with stages that are logged and not run."""
        train, test = (self.X, self.y, self.groups), (self.X_test, self.y_test, self.groups_test)
        stages = self.stages.plan()
        return Study(self.protocol, self.scale, self.pretrained, stages, train, test)

    def run_all(self, names, n_seeds):
        """Run the stages of all seeds, classifiers and arms.

        Parameters
        ----------
        names : sequence of str
            Keys of `classifiers.CLASSIFIERS`.
        n_seeds : int
            Seeds of the sound protocol.

        Returns
        -------
        list of (str, str, str, int, Path)
            Protocol, classifier, arm, seed and folder of each run.
        """
        runs = []
        for seed in range(n_seeds if self.protocol == "sound" else 1):
            wanted = [(name, arm) for name in names for arm in self.arms(name, seed)]
            if any(arm in arms.MADE for _, arm in wanted):
                self.train_cyclegan(seed)
                self.translate(seed)
                self.over_sample_by_default(seed)
            runs += [
                (self.protocol, name, arm, seed, self.run(name, arm, seed)) for name, arm in wanted
            ]
        return runs

    def arms(self, classifier, seed):
        """Return the arms of a classifier; those that take hours are few."""
        names = arms.ARMS if self.protocol == "sound" else arms.RELEASED
        budget = self.scale.budgets.get(classifier)
        if budget is None or not budget.few:
            return [name for name in names if name in arms.ARMS]
        if self.protocol == "sound" and seed == 0:
            return [name for name in arms.FEW if name in arms.ARMS]
        return []

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
        n_epochs = self.scale.gan_epochs

        def make(folder):
            recipe = resolve_recipe("paper", X.shape[1:], epochs=n_epochs)
            sets = X[y == 0], X[y == 1]
            train_and_save(*sets, folder / "gan.keras", recipe, seed=seed, verbose=1)

        expected = costs.cyclegan(n_epochs * int((y == 1).sum()), self.scale.size)
        return self._stage(f"seed-{seed}/cyclegan", make, {"epochs": n_epochs}, (), expected)

    def translate(self, seed):
        """Translate every benign training image once: 727 + 173 become 727 + 900."""
        trained = f"seed-{seed}/cyclegan"

        def make(folder):
            pretrained = {arms.MALIGNANT: self._path(trained) / "gan.keras"}
            self._over_sample(folder, seed, preset="paper", pretrained=pretrained)

        return self._stage(f"seed-{seed}/made-by-gan", make, {}, [trained])

    def over_sample_by_default(self, seed):
        """Make as many malignant images by `GANOversampler()`, from the training split alone."""
        steps = self.scale.default_steps
        settings = {"steps": steps, "features": self.pretrained.sha256}

        def make(folder):
            features = self.pretrained.features
            self._over_sample(folder, seed, steps=steps, features=features, verbose=1)

        shape = (self.scale.size, self.scale.size, 3)
        expected = costs.default_sampler(resolve_recipe("default", shape, steps=steps).steps)
        return self._stage(f"seed-{seed}/made-by-default", make, settings, (), expected)

    def _over_sample(self, folder, seed, **options):
        """Write the samples that a GANOversampler adds, their sources and the settings used."""
        rows, _ = self.split(seed)
        X, y = self.X[rows], self.y[rows]
        sampler = GANOversampler(
            sampling_strategy={arms.MALIGNANT: len(y)}, random_state=seed, **options
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", TranslationWarning)
            X_res, _ = sampler.fit_resample(X, y)
        translated = sampler.source_kind_ == "translation"
        with atomic_path(folder / "made.npz") as partial:
            np.savez(
                partial, X=X_res[len(X) :], sources=sampler.source_indices_, translated=translated
            )
        told = [" ".join(str(w.message).split()) for w in caught]
        for text in told:
            print(f"Note: {text}", flush=True)
        about = {"recipe": asdict(sampler.recipe_), "warnings": told}
        about |= {"n_samples": len(translated), "n_translations": int(translated.sum())}
        write_json(folder / "sampler.json", about)

    def made(self, arm, seed):
        """Return the images that an arm's GAN made, or None for an arm without one."""
        if arm not in arms.MADE:
            return None
        return np.load(self._path(f"seed-{seed}/made-by-{arm}") / "made.npz")

    def describe_default(self, n_seeds):
        """Return facts of the report on the settings and the yield of the arm "default"."""
        facts = []
        for seed in range(n_seeds if self.protocol == "sound" else 1):
            about = read_json(self._path(f"seed-{seed}/made-by-default") / "sampler.json")
            if about is None:  # few arms take one seed
                continue
            recipe = about["recipe"]
            digest = f", SHA-256 {recipe['features_sha256']}" if recipe["features_sha256"] else ""
            text = (
                f"{about['n_translations']} of {about['n_samples']} images are translations, the "
                f"others copies. {recipe['reason']}. Features: {recipe['features']}{digest}"
            )
            facts.append((f"default, seed {seed}", " ".join([text, *about["warnings"]])))
        return facts

    def run(self, classifier, arm, seed):
        """Train a classifier on the training set of an arm; score the test images."""
        rows, validation = self.split(seed)
        budget = self.scale.budgets.get(classifier)
        settings = {"arm": arm, "classifier": classifier, "budget": budget and asdict(budget)}
        if classifiers.needs_vgg16(classifier):
            settings["weights"] = self.pretrained.sha256

        def make(folder):
            made = self.made(arm, seed)
            synthetic = None if made is None else made["X"]
            X, y = arms.training_set(arm, self.X[rows], self.y[rows], synthetic, seed)
            model = classifiers.build(
                classifier,
                self.scale,
                self.pretrained,
                balanced=arm == "class-weights",
                seed=seed,
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
            if seed == 0 and arm in _DRAWN and isinstance(model, MelaNet):
                model.save(folder / "model.melanet")
            report = screening_report(self.y_test, scores)
            print(f"  {np.bincount(y).tolist()} images, AUC {report['auc']:.3f}", flush=True)
            keras.utils.clear_session()
            gc.collect()

        n_images = len(rows) + arms.n_added(arm, self.y[rows])
        n_epochs = budget.epochs if budget else 1
        expected = costs.training(classifier, n_images, n_epochs, self.scale.size)
        after = [f"seed-{seed}/made-by-{arm}"] if arm in arms.MADE else []
        return self._stage(f"seed-{seed}/{classifier}/{arm}", make, settings, after, expected)

    def measure(self, classifier):
        """Write the distances of seed 0's synthetic images to the real ones, as a stage."""

        def make(folder):
            rows, _ = self.split(0)
            model = self._fitted(classifier, "vgg-gap")
            synthetic = {arm: model.embed(self.made(arm, 0)["X"]) for arm in arms.MADE}
            real = {
                "training pictures": (model.embed(self.X[rows]), self.y[rows]),
                "test pictures": (model.embed(self.X_test), self.y_test),
            }
            figures.distances(folder / "distances.csv", synthetic, real)

        return self._stage(f"distances/{classifier}", make, {}, self._drawn_from(classifier))

    def draw(self, classifier):
        """Draw the figures of seed 0, as a stage."""

        def make(folder):
            rows, _ = self.split(0)
            X, y = self.X[rows], self.y[rows]
            model = self._fitted(classifier, "vgg-gap")
            made = {arm: self.made(arm, 0) for arm in arms.MADE}
            pairs = {}
            for arm, part in made.items():
                first = np.flatnonzero(part["translated"])[:8]
                if len(first):
                    pairs[arm] = X[part["sources"][first]], part["X"][first]
            figures.translations(folder / "translations.png", pairs)
            synthetic = {arm: model.embed(part["X"]) for arm, part in made.items()}
            figures.umap(folder / "umap.png", model.embed(X), y, synthetic)
            cyclegan = read_history(self._path("seed-0/cyclegan") / "gan.record.csv")
            losses = ("discriminator_loss", "adversarial_loss", "cycle_loss", "identity_loss")
            curves = {"CycleGAN": {name: cyclegan[name] for name in losses}}
            if isinstance(model, MelaNet):
                melanet = self._fitted(classifier, "gan")
                figures.grad_cam(folder / "grad-cam.png", melanet, self.X_test, self.y_test)
                for arm in _DRAWN:
                    history = read_history(self._path(f"seed-0/{classifier}/{arm}") / "record.csv")
                    curves[arm] = {name: history[name] for name in ("loss", "val_loss")}
            figures.curves(folder / "curves.png", curves)

        return self._stage(f"figures/{classifier}", make, {}, self._drawn_from(classifier))

    def _fitted(self, classifier, arm):
        """Return the classifier of an arm; frozen features need no fit."""
        if classifier == "frozen-vgg16":
            return classifiers.build(
                classifier, self.scale, self.pretrained, balanced=False, seed=0
            )
        return MelaNet.load(self._path(f"seed-0/{classifier}/{arm}") / "model.melanet")

    def _drawn_from(self, classifier):
        """Return the stages that distances and figures read."""
        made = [f"seed-0/made-by-{arm}" for arm in arms.MADE]
        return [*made, *(f"seed-0/{classifier}/{arm}" for arm in _DRAWN)]

    def _stage(self, name, make, settings, after=(), expected=0.0):
        settings = {"version": __version__, "keras": keras.__version__, **settings}
        settings |= {"backend": keras.backend.backend(), "protocol": self.protocol}
        after = ["pictures", *(f"{self.protocol}/{other}" for other in after)]
        return self.stages.run(f"{self.protocol}/{name}", make, settings, after, expected)

    def _path(self, name):
        return self.stages.folder / self.protocol / name


def read_history(path):
    """Return a table of losses as name -> values by epoch."""
    rows = read_table(path)
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
