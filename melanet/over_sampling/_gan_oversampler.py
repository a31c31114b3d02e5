"""GANOversampler: fill up rare classes with translations of other classes' samples."""

from __future__ import annotations

import contextlib
from numbers import Integral, Real
from typing import Any

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from melanet.gan import CycleGAN
from melanet.images._augmentation import FLIPS
from melanet.over_sampling._checks import (
    check_costs,
    compare_with_previous_fit,
    refuse_missing_labels,
    warn_of_unused,
)
from melanet.over_sampling._gate import pass_gate
from melanet.over_sampling._generation import (
    fill_classes,
    labels_to_learn,
    plans_of_trainings,
)
from melanet.over_sampling._guidance import with_features
from melanet.over_sampling._judge import train_judge
from melanet.over_sampling._plans import (
    check_needs,
    check_sample_shapes,
    load_cyclegans,
    plan_classes,
)
from melanet.over_sampling._presets import (
    PRESETS,
    QUALITIES,
    resolve_recipe,
)
from melanet.over_sampling._saved_sampler import (
    counts_from_json,
    counts_to_json,
    fitted_from_card,
    fitted_to_card,
)
from melanet.over_sampling._tables import interpolated_copies, warn_of_hopeless_classes
from melanet.over_sampling._translator import translate
from melanet.preprocessing import (
    Extended,
    TableForm,
    Targets,
    append_samples,
    as_numbers,
    as_samples,
    categorical_columns,
    check_samples,
    is_frame,
    read_form,
    same_kind,
)
from melanet.preprocessing._sequences import is_sequence
from melanet.utils import _archive
from melanet.utils._chunks import chunk_slices
from melanet.utils._groups import check_groups
from melanet.utils._labels import check_spelling, match_keys, match_labels
from melanet.utils._typing import PathLike

_POSITIVE_INT = Interval(Integral, 1, None, closed="left")
_KIND = "melanet.GANOversampler"  # of a saved sampler


class GANOversampler(BaseOverSampler):
    """Over-sample with translations of the other classes' samples, made by CycleGANs.

    For every class that needs samples, a GAN learns to translate samples of the majority class
    (or of all other classes) into it. A translation keeps the variety of its source (pose, light,
    background) and takes on the look of the rare class. Small images are redrawn by a CycleGAN;
    images of 32 pixels or more are edited (`melanet.gan.EditGAN`). For rows of a table new rows
    lie between those of the class, and a CycleGAN is trained only if it is asked for, see
    `copies`.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: which classes to fill up, and how far.
    preset : {"default", "paper"}, default="default"
        Recipe of the training. "paper" is that of Zunair & Ben Hamza (2020), with one
        simultaneous update of all four networks instead of three alternating ones.
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) if the rows of a two-dimensional X are images; None if they are rows
        of a table.
    value_range : (float, float) or None, default=None
        Limits of the pixel values. None infers them from X, see
        `melanet.preprocessing.infer_value_range`. Floats may leave [0, 1] by a quarter, as after
        cubic interpolation; they are clipped for the networks and kept in the result.
        12-bit images in 16-bit integers need (0, 4095).
    categorical_features : "auto" or array-like of int, str or bool, default="auto"
        Indices, names or mask of a table's categorical columns. Columns of a DataFrame without
        numbers are always categorical.
    sources : {"majority", "all"}, default="majority"
        Classes whose samples are translated.
    quality : {"draft", "default", "high"}, default="default"
        Length of the default preset's training for images; docs/recipe.md has the steps of each.
    features : {"auto", "imagenet"}, str, path-like, keras.Model or None, default="auto"
        Frozen network that guides the training where images are edited. "auto" takes VGG16's
        ImageNet weights if they are in Keras' cache and never downloads; "imagenet" downloads
        them; a path names the file; a Keras model maps images in [-1, 1] to maps. With None, or
        if "auto" finds nothing, small networks are trained on the data instead. Another network
        gives other samples.
    generator : {"unet", "resnet", "edit"} or None, default=None
        Architecture of the generators for images. None edits images whose shorter side has 32
        pixels or more, and redraws smaller ones by "resnet".
    steps, epochs : int or None, default=None
        Budget of each training: steps, or passes over the smaller set. Give one.
    max_seconds : float or None, default=None
        Time after which a training ends, wherever it is. Results then depend on the machine's
        speed and do not repeat bit for bit.
    batch_size : int or None, default=None
        Pairs of samples per step.
    learning_rate : float or None, default=None
        Adam's initial learning rate.
    augment : float, bool or None, default=None
        Share of the training images, in [0, 1], that are rotated, shifted and zoomed a little
        while the CycleGAN trains. True means 1.
    flip : {"horizontal", "vertical", "both"}, False or None, default=None
        Mirror images that belong to the same class, used in training and where a source is
        reused. The default preset has none, because a mirrored digit is not a digit.
    match : bool or None, default=None
        Whether translated images get the sharpness and the pixel values of the class's real ones
        (see `melanet.over_sampling.Matching`). On in the default preset.
    copies : float or None, default=None
        Share of the synthetic samples, in [0, 1], planned as copies of real samples of the class.
        Of copied images every second is changed: below 32 pixels it takes over the colour, light
        and low frequencies of a source, and larger ones are rotated, shifted and zoomed a little.
        Copied rows of a table lie between two rows of the class. None is .5 for redrawn images,
        .25 for edited ones, and 1 for tables, where a CycleGAN shows no gain (docs/tables.md):
        it is trained if `pretrained`, `max_translations`, `conditional` or a setting of the
        training is given, or ``copies=0``.
    max_translations : float or None, default=None
        Greatest number of translations for each real sample of the class, such as 5. The samples
        that are then missing, also from the share of `copies`, are exact copies, so that
        `sampling_strategy` is always met. 0 trains nothing. None sets no limit.
    reject : bool or None, default=None
        Whether translations must pass a judge trained on the real samples. A translation that
        fails twice is replaced by a copy of a real sample of the class; in a table, by a row
        between two neighbouring ones.
    guard : bool or None, default=None
        Whether translations are also replaced if they hardly differ from their source or are
        constant; and all of them, if they look alike, do not move towards the class, or are
        told from its real images almost perfectly (docs/quality-report.md). Then, or if guard or
        judge reject many, a `melanet.exceptions.TranslationWarning` gives the figures. On in the
        default preset.
    gate : {"auto"} or False, default=False
        With "auto", no GAN is trained for a class of images unless the majority shows a condition
        (colour, light, contrast, a mark) that the class lacks, or cross-fitting finds a gain by
        the majority's conditions. Its samples are then exact copies, and a
        `melanet.exceptions.TranslationWarning` gives the figures
        (docs/when-not-to-use.md). It takes seconds. Classes in `pretrained` pass.
    conditional : bool, default=False
        Whether one training serves all classes that share their sources, by networks that share
        their kernels (docs/strategy.md). The budget is then that of the one training. It is for
        samples that are redrawn, and ``sources="majority"``. The largest class, and a class that
        is left alone, are trained alone.
    pretrained : dict or None, default=None
        ``{label: CycleGAN or path}``: classes whose CycleGAN is loaded instead of trained; it
        translates to its "B". Other classes are trained.
    random_state : int, RandomState instance or None, default=None
        Seed. The same seed gives the same bits on one machine and thread count. No global random
        generator is used.
    verbose : int, default=0
        1 names the steps, and shows a progress bar of the training.

    Attributes
    ----------
    sampling_strategy_ : dict
        label -> number of samples made.
    cyclegans_ : dict
        label -> CycleGAN that translates into the class, its "B".
    history_ : dict
        label -> losses by epoch, a dict of lists; empty for a pretrained CycleGAN.
    matchings_ : dict
        label -> `melanet.over_sampling.Matching` of its translations, if images are matched.
    reports_ : dict
        label -> `melanet.over_sampling.ClassReport`: counts of rejected translations and copies,
        with the guard, class evidence, realism and diversity, and the decision of the gate.
    recipe_ : Recipe
        Settings used.
    form_ : ImageForm or TableForm
        Layout, dtype and range of the data.
    source_indices_ : ndarray of int of shape (n_synthetic,)
        Row of X that each synthetic sample was made from.
    source_kind_ : ndarray of str of shape (n_synthetic,)
        "translation", or "copy" of a real sample, possibly augmented (in a table, moved towards a
        neighbouring row of its class).
    sample_weight_ : ndarray of float of shape (n + n_synthetic,)
        Weight of each returned sample, for ``classifier.fit(X, y, sample_weight=...)``: 1 for an
        original; for a synthetic one in proportion to the judge's probability of its class, where
        that of a copy is 1. The synthetic samples of a class have a mean of 1, so that its weight
        is the one that `sampling_strategy` asks for. All are 1 without a judge.
    groups_ : ndarray of shape (n + n_synthetic,)
        Group of each returned sample, for splitters such as scikit-learn's ``GroupKFold``: that of
        the original, and, for a synthetic sample, that of its source. Without `groups`, each row
        of X is a group of its own, named by its position. `save` leaves it out, since groups may
        identify patients.
    n_features_in_ : int
        Size of X's second axis.

    See Also
    --------
    melanet.CycleGAN : The model that it trains.

    Notes
    -----
    The result begins with the original samples, unchanged and in order. A parameter that is None
    takes the preset's value. Compare with random over-sampling on validation data of your own:
    before classifiers that are trained with augmentation it measured no better
    (docs/does-it-help.md). Not for diagnosis.

    Split before you resample, or resample within each fold as imbalanced-learn's ``Pipeline``
    does. `groups_` keeps a synthetic sample beside its source where a resampled set is split
    after all. It cannot undo that the GAN, the judge and the matching learnt from all samples, nor
    that a copy in a table lies between its source and a neighbouring row, which may be of another
    group.

    Examples
    --------
    >>> from collections import Counter
    >>> from sklearn.datasets import load_digits
    >>> from melanet import GANOversampler
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> X, y = X.reshape(-1, 8, 8)[:200], y[:200]
    >>> keep = [i for i in range(200) if y[i] == 0 or i < 40]
    >>> sampler = GANOversampler(value_range=(0, 16), steps=20, random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X[keep], y[keep])
    >>> Counter(y_res.tolist())[0] == Counter(y_res.tolist())[1]
    True
    """

    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "preset": [StrOptions(set(PRESETS))],
        "image_shape": ["array-like", None],
        "value_range": ["array-like", None],
        "categorical_features": [StrOptions({"auto"}), "array-like"],
        "sources": [StrOptions({"majority", "all"})],
        "quality": [StrOptions(set(QUALITIES))],
        "features": "no_validation",  # by melanet.features.find_features
        "generator": [StrOptions({"unet", "resnet", "edit"}), None],
        "steps": [_POSITIVE_INT, None],
        "epochs": [_POSITIVE_INT, None],
        "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [_POSITIVE_INT, None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "augment": ["boolean", Interval(Real, 0, 1, closed="both"), None],
        "flip": [StrOptions(set(FLIPS)), "boolean", None],
        "match": ["boolean", None],
        "copies": [Interval(Real, 0, 1, closed="both"), None],
        "max_translations": [Interval(Real, 0, None, closed="left"), None],
        "reject": ["boolean", None],
        "guard": ["boolean", None],
        "gate": [StrOptions({"auto"}), Options(bool, {False})],
        "conditional": ["boolean"],
        "pretrained": [dict, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    sampling_strategy: Any

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        preset: str = "default",
        image_shape: Any = None,
        value_range: Any = None,
        categorical_features: Any = "auto",
        sources: str = "majority",
        quality: str = "default",
        features: Any = "auto",
        generator: str | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        max_seconds: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        augment: float | bool | None = None,
        flip: str | bool | None = None,
        match: bool | None = None,
        copies: float | None = None,
        max_translations: float | None = None,
        reject: bool | None = None,
        guard: bool | None = None,
        gate: str | bool = False,
        conditional: bool = False,
        pretrained: dict[Any, PathLike | CycleGAN] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.preset = preset
        self.image_shape = image_shape
        self.value_range = value_range
        self.categorical_features = categorical_features
        self.sources = sources
        self.quality = quality
        self.features = features
        self.generator = generator
        self.steps = steps
        self.epochs = epochs
        self.max_seconds = max_seconds
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.flip = flip
        self.match = match
        self.copies = copies
        self.max_translations = max_translations
        self.reject = reject
        self.guard = guard
        self.gate = gate
        self.conditional = conditional
        self.pretrained = pretrained
        self.random_state = random_state
        self.verbose = verbose

    def fit_resample(
        self, X: Any, y: Any, *, groups: ArrayLike | None = None, **params: Any
    ) -> tuple[Any, Any]:
        """Fill up the rare classes.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of n samples
            Images, see `image_shape`, or rows of a table. A list, tuple, object array or Series
            may hold arrays or PIL images of one size.
        y : array-like of shape (n,) or (n, n_classes)
            Labels; with several columns, one-hot. The keys of `sampling_strategy` and `pretrained`
            are matched with them by their text: "9" is 9, and 1.0 is 1.
        groups : array-like of shape (n,) or None, default=None
            Lesion or patient of each sample, which decides `groups_` and nothing else. Behind
            metadata routing, request it by ``set_fit_resample_request(groups=True)``.
        **params : dict
            As in imbalanced-learn.

        Returns
        -------
        X_resampled : object of the type of X
            The original samples, unchanged and in order, followed by the synthetic ones, of the
            same dtype or PIL mode. Sequences hold the original objects themselves.
        y_resampled : object of the type of y
            Their labels.

        Raises
        ------
        ValueError
            If a parameter, X or y is invalid, or X is of a form or scale that is ambiguous.
        melanet.exceptions.TrainingDiverged
            If the loss of a training becomes infinite or NaN.

        Warns
        -----
        UserWarning
            If `pretrained` has a CycleGAN of a class that needs no samples, or of every class that
            does and parameters of the training are given. CycleGANs of the previous fit are
            exempt, since that used these parameters.
        TranslationWarning
            If translations of a class were refused, or images are edited without a pretrained
            network because ``features="auto"`` finds none.
        """
        refuse_missing_labels(y)
        targets = Targets(y)
        array = as_numbers(X)
        with self._matching_strategy():
            n = len(targets.labels)
            named = np.arange(n) if check_groups(groups, n) is None else np.asarray(groups)
            X_resampled, y_resampled, *more = super().fit_resample(array, targets.labels, **params)
        self.groups_ = np.concatenate([named, named[self.source_indices_]])
        index = X_resampled.index if is_frame(X_resampled) else None
        if is_sequence(X):
            X_resampled = append_samples(X, X_resampled[len(array) :], self.source_indices_)
        elif sparse.issparse(X):  # other formats have become CSR
            X_resampled = X_resampled.asformat(X.format)
        return X_resampled, targets.restore(y_resampled, index), *more

    def fit(self, X: Any, y: Any, **params: Any) -> GANOversampler:
        """Check X, y and the strategy, as imbalanced-learn's ``fit`` does; nothing is trained."""
        refuse_missing_labels(y)
        with self._matching_strategy():
            return super().fit(X, y, **params)

    @contextlib.contextmanager
    def _matching_strategy(self):
        """Restore `sampling_strategy`, whose keys `_check_X_y` replaces by labels of y."""
        given = self.sampling_strategy
        try:
            yield
        finally:
            self.sampling_strategy = given

    def _check_X_y(self, X, y):
        y, binarize_y = check_target_type(Targets(y).labels, indicate_one_vs_all=True)
        X = check_samples(self, X, reset=True)
        check_consistent_length(X, y)
        check_spelling("y", y)
        if isinstance(self.sampling_strategy, dict):
            self.sampling_strategy = match_keys(
                "sampling_strategy", self.sampling_strategy, "classes of y", np.unique(y).tolist()
            )
        return X, y, binarize_y

    def _fit_resample(self, X, y):
        categorical = self._categorical(X)
        form = read_form(X, self.image_shape, self.value_range, categorical)
        recipe = self._resolve_recipe(form.tensor_shape)
        pretrained = load_cyclegans(self.pretrained, "pretrained", y)
        compare_with_previous_fit(self, form, pretrained, stacklevel=6)
        remedy = "Resize the images to the model's size, or leave the key out to train"
        check_sample_shapes(pretrained, "pretrained", form.tensor_shape, remedy)
        needs = check_needs(self.sampling_strategy_, y, pretrained)
        warn_of_unused(self, needs, pretrained, stacklevel=6)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        plans = plan_classes(y, needs, seed, self.sources, recipe.copies, recipe.max_translations)
        to_learn = labels_to_learn(plans, pretrained)
        n_trainings = len(plans_of_trainings(plans, pretrained, recipe))
        check_costs(X, needs, n_trainings, form.dtype, stacklevel=6)
        samples = as_samples(form, X)
        notes: dict[Any, str] = {}
        if self.gate:
            if isinstance(form, TableForm):
                raise ValueError(
                    "gate is for images. Received: gate='auto' and rows of a table. Leave it out"
                )
            plans, notes = pass_gate(samples, plans, to_learn, seed, stacklevel=6)
            to_learn = labels_to_learn(plans, pretrained)
        network = None
        if to_learn:
            recipe, network = with_features(recipe, form.tensor_shape, self.features, 6)
        if isinstance(form, TableForm):
            warn_of_hopeless_classes(samples[:], y, needs)
        result = Extended(X, sum(needs.values()), form.dtype)

        def write(start, made):
            result.room[start : start + len(made)] = form.decode(made)

        translated = any(plan.n_translations for plan in plans)
        if self.verbose and recipe.reject and translated:
            print("Training the judge of translations", flush=True)
        judge = train_judge(samples, y, recipe.flip, seed) if recipe.reject and translated else None
        filled = fill_classes(
            samples, plans, recipe, pretrained, judge, write, network, self.verbose
        )
        for label, note in notes.items():
            filled.reports[label].gate = note
        if recipe.guard:
            for label, report in filled.reports.items():
                report.warn(label, "source_kind_", stacklevel=6)
        # Assigned together: a fit that fails leaves the previous one intact.
        self.form_, self.recipe_ = form, recipe
        self.cyclegans_ = {**pretrained, **filled.cyclegans}
        self.history_ = {label: filled.histories.get(label, {}) for label in self.cyclegans_}
        self.matchings_ = filled.matchings
        self.reports_ = filled.reports
        self.source_indices_ = filled.source_indices
        self.source_kind_ = filled.source_kinds
        self.sample_weight_ = np.concatenate([np.ones(len(y)), filled.weights])
        if isinstance(form, TableForm):
            copies = np.flatnonzero(filled.source_kinds == "copy")
            rows, exact = filled.source_indices[copies], filled.exact[copies]
            result.room[copies] = interpolated_copies(form, X, samples[:], y, rows, seed, exact)
        elif isinstance(X, np.ndarray):  # not rounded on the way to the networks and back
            result.room[filled.exact] = X[filled.source_indices[filled.exact]]
        labels = [np.full(n, label, dtype=y.dtype) for label, n in needs.items()]
        return result.filled(filled.source_indices), np.concatenate([y, *labels])

    def _categorical(self, X):
        """Return the columns of a table that hold categories."""
        if X.ndim == 2 and self.image_shape is None:
            return categorical_columns(X, self.categorical_features)
        if not (isinstance(self.categorical_features, str) and self.categorical_features == "auto"):
            raise ValueError(
                "categorical_features is for tables. Received: categorical_features="
                f"{self.categorical_features!r} and images, X of shape {X.shape}. Leave it out"
            )
        return ()

    def _resolve_recipe(self, shape):
        if self.conditional and self.sources == "all":
            raise ValueError(
                "conditional is for classes that share their sources, and with sources='all' each "
                "has others. Received: conditional=True and sources='all'. Leave one out"
            )
        copies = self.copies
        if copies is None and self.pretrained and len(shape) == 1:
            copies = 0.0  # models are given to be used
        return resolve_recipe(
            self.preset,
            shape,
            self.quality,
            generator=self.generator,
            steps=self.steps,
            epochs=self.epochs,
            max_seconds=self.max_seconds,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            augment=self.augment,
            flip=self.flip,
            match=self.match,
            copies=copies,
            max_translations=self.max_translations,
            reject=self.reject,
            guard=self.guard,
            conditional=self.conditional,
        )

    def translate(self, X: Any, label: Any) -> Any:
        """Translate samples of other classes into a class.

        The sampler keeps no training samples; pass in what to translate.

        Parameters
        ----------
        X : array-like
            Samples in the form that was given to ``fit_resample``.
        label : int or str
            Target class, a key of `cyclegans_`.

        Returns
        -------
        array-like of the same form
            One translation for each sample, in order; they are not judged.

        Raises
        ------
        ValueError
            If there is no CycleGAN for `label`, or X has another form or scale.
        sklearn.exceptions.NotFittedError
            Before ``fit_resample``.
        """
        check_is_fitted(self, "cyclegans_")
        filled = list(self.cyclegans_)
        (code,) = match_labels("label", [label], "classes that were filled up", filled)
        label = filled[code]
        values = check_samples(self, X, reset=False)
        samples = as_samples(self.form_, values)
        translations = np.empty(values.shape, self.form_.dtype)
        for part in chunk_slices(len(samples), samples.shape[1:]):
            made = translate(self.cyclegans_[label], samples[part], self.recipe_)
            if label in self.matchings_:
                made = self.matchings_[label](made)
            translations[part] = self.form_.decode(made)
        return same_kind(X, translations)

    def save(self, path: PathLike) -> None:
        """Write the fitted sampler to one file, without pickle.

        The file holds the parameters, the CycleGANs and the form of the data, but no training
        samples. Parameters that cannot be written (a callable, a RandomState) are left out with a
        warning. The file is written atomically.

        Parameters
        ----------
        path : str or path-like
            File to write, by convention ending in ``.melanet``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit_resample``.
        """
        check_is_fitted(self, "cyclegans_")
        instead: dict[str, Any] = {"pretrained": None}  # the models themselves are written
        if isinstance(self.sampling_strategy, dict):
            instead["sampling_strategy"] = counts_to_json(self.sampling_strategy)
        card = {"params": _archive.json_params(self, **instead), **fitted_to_card(self)}
        _archive.write_archive(path, _KIND, card, list(self.cyclegans_.values()))

    @classmethod
    def load(cls, path: PathLike) -> GANOversampler:
        """Load a sampler that `save` wrote, executing nothing in the file.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        GANOversampler
            Fitted. To fill up other data of the same form with its CycleGANs, without training:
            ``sampler.set_params(pretrained=sampler.cyclegans_).fit_resample(X, y)``.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is not a saved sampler.
        """
        card, models = _archive.read_archive(path, _KIND, CycleGAN.from_pretrained)
        params = card["params"]
        if isinstance(params.get("sampling_strategy"), dict):
            params["sampling_strategy"] = counts_from_json(params["sampling_strategy"])
        sampler = cls(**params)
        fitted_from_card(sampler, card, models)
        return sampler

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
