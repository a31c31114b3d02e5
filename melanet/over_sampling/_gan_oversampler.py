"""GANOversampler: rare classes filled up with translations of the other classes' samples."""

from collections import Counter
from numbers import Integral, Real

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from melanet.gan._cyclegan import CycleGAN
from melanet.images._augmentation import FLIPS
from melanet.over_sampling import _generation, _presets
from melanet.over_sampling._generation import check_needs
from melanet.over_sampling._matching import Matching
from melanet.over_sampling._tables import near_copies, warn_of_hopeless
from melanet.over_sampling._translator import translate
from melanet.preprocessing._containers import Extended, same_kind
from melanet.preprocessing._forms import as_samples, form_from_config, read_form
from melanet.preprocessing._validation import categorical_columns, check_samples
from melanet.utils import _archive
from melanet.utils._chunks import chunk_slices
from melanet.utils._validation import to_python

_POSITIVE_INT = Interval(Integral, 1, None, closed="left")


class GANOversampler(BaseOverSampler):
    """Over-sample with translations of the other classes' samples, made by CycleGANs.

    For every class that needs samples, a CycleGAN learns to translate samples of the majority
    class (or of all other classes) into it. What it makes keeps the variety of the source
    (pose, light, background) and takes on the look of the rare class.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: which classes to fill up, and how far.
    preset : {"default", "paper"}, default="default"
        Recipe of the training. "paper" is that of Zunair & Ben Hamza (2020), with one
        simultaneous update of all four networks in place of three alternating ones.
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C), if the rows of a two-dimensional X are images; without it they are
        rows of a table.
    value_range : (float, float) or None, default=None
        Limits that pixels can take. By default integers of 8 or 16 bits take their dtype's
        range, and wider ones [0, 255]; floats the first of [0, 1], [-1, 1] and [0, 255] that
        holds them. 12-bit images in 16-bit integers use little of that range: say (0, 4095).
    categorical_features : "auto" or array-like of int, str or bool, default="auto"
        Indices, names or a mask of a table's columns that hold categories, besides those of a
        DataFrame that hold no numbers, which always do.
    sources : {"majority", "all"}, default="majority"
        Classes whose samples are translated.
    generator : {"unet", "resnet"} or None, default=None
        Kind of the generators for images.
    steps, epochs : int or None, default=None
        Training budget for each class: steps, or epochs of the smaller set. Give one.
    batch_size : int or None, default=None
        Pairs of samples in a step.
    learning_rate : float or None, default=None
        Adam's rate.
    augment : float, bool or None, default=None
        Share of the images of both sets, in [0, 1], that are changed a little while the CycleGAN
        trains: rotated, shifted, zoomed. True stands for 1.
    flip : {"horizontal", "vertical", "both"}, False or None, default=None
        Mirror images that stand for the same class, in training and where a source is reused.
        The default preset permits none, since a mirrored digit is no digit.
    match : bool or None, default=None
        Whether translated images get the sharpness and the pixel values of the class's real ones
        (see `melanet.over_sampling.Matching`). The default preset does.
    copies : float or None, default=None
        Share of the synthetic samples, in [0, 1), that are copies of real samples of the class
        from the start; of images every second one is changed a little.
    reject : bool or None, default=None
        Whether translations must pass a judge that was trained on the real samples; what fails
        twice is replaced by a copy of a real sample of the class, in a table by a
        row between two near ones.
    guard : bool or None, default=None
        Whether translations that are none are replaced in the same way: that hardly differ from
        their source, are of one value, or all look alike. Where that, or the judge, strikes many,
        a warning gives the figure. The default preset has it on.
    pretrained : dict or None, default=None
        ``{label: CycleGAN or path of one}``: labels whose CycleGAN is not trained but taken; it
        translates to its "B". Labels that are missing train.
    random_state : int, RandomState instance or None, default=None
        Seed. The same seed gives the same bits on one machine and thread count; no global
        generator is touched.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    sampling_strategy_ : dict
        label -> number of samples made.
    cyclegans_ : dict
        label -> CycleGAN that translates into the label's class, its "B".
    history_ : dict
        label -> dict of lists, the losses by epoch; empty for a pretrained one.
    matchings_ : dict
        label -> `melanet.over_sampling.Matching` of what its CycleGAN makes, if images are matched.
    recipe_ : dict
        The settings that were used.
    form_ : ImageForm or TableForm
        Layout, dtype and range of the data.
    source_indices_ : ndarray of int of shape (n_synthetic,)
        For each synthetic sample, the row of X that it was made from.
    source_kind_ : ndarray of str of shape (n_synthetic,)
        "translation", or "copy" of a real sample, changed a little or not (of a table's row, one
        moved towards a near row of its class).
    n_features_in_ : int
        Size of X's second axis.

    See Also
    --------
    melanet.CycleGAN : What it trains.

    Notes
    -----
    Originals come first in the result, unchanged and in order. Parameters that are None take
    the preset's value, and an explicit value wins. Compare with random over-sampling on validation
    data of your own: before classifiers that are trained with augmentation it was measured to be
    no better (docs/does-it-help.md). Results are no basis for a diagnosis.

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
        "preset": [StrOptions(set(_presets.PRESETS))],
        "image_shape": ["array-like", None],
        "value_range": ["array-like", None],
        "categorical_features": [StrOptions({"auto"}), "array-like"],
        "sources": [StrOptions({"majority", "all"})],
        "generator": [StrOptions({"unet", "resnet"}), None],
        "steps": [_POSITIVE_INT, None],
        "epochs": [_POSITIVE_INT, None],
        "batch_size": [_POSITIVE_INT, None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "augment": ["boolean", Interval(Real, 0, 1, closed="both"), None],
        "flip": [StrOptions(set(FLIPS)), "boolean", None],
        "match": ["boolean", None],
        "copies": [Interval(Real, 0, 1, closed="left"), None],
        "reject": ["boolean", None],
        "guard": ["boolean", None],
        "pretrained": [dict, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        sampling_strategy="auto",
        preset="default",
        image_shape=None,
        value_range=None,
        categorical_features="auto",
        sources="majority",
        generator=None,
        steps=None,
        epochs=None,
        batch_size=None,
        learning_rate=None,
        augment=None,
        flip=None,
        match=None,
        copies=None,
        reject=None,
        guard=None,
        pretrained=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.preset = preset
        self.image_shape = image_shape
        self.value_range = value_range
        self.categorical_features = categorical_features
        self.sources = sources
        self.generator = generator
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.flip = flip
        self.match = match
        self.copies = copies
        self.reject = reject
        self.guard = guard
        self.pretrained = pretrained
        self.random_state = random_state
        self.verbose = verbose

    def _check_X_y(self, X, y):
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        X = check_samples(self, X, reset=True)
        check_consistent_length(X, y)
        return X, y, binarize_y

    def _fit_resample(self, X, y):
        categorical = categorical_columns(X, self.categorical_features) if X.ndim == 2 else ()
        form = read_form(X, self.image_shape, self.value_range, categorical)
        recipe = _presets.resolve(self, form.tensor_shape)
        pretrained = read_pretrained(self.pretrained, y, form.tensor_shape)
        counts = Counter(y.tolist())
        needs = {label: n for label, n in self.sampling_strategy_.items() if n}
        needs = check_needs(needs, counts, pretrained)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        samples = as_samples(form, X)
        if form.kind == "table":
            warn_of_hopeless(samples, y, needs)
        result = Extended(X, sum(needs.values()), form.dtype)
        filling = _generation.fill_up(
            recipe,
            samples=samples,
            y=y,
            needs=needs,
            sources={label: self._source_rows(y, label, counts) for label in needs},
            pretrained=pretrained,
            seed=seed,
            out=result.room,
            decode=form.decode,
            verbose=self.verbose,
        )
        # Set together: a fit that fails leaves the one before it as it was.
        self.form_, self.recipe_ = form, recipe
        self.cyclegans_ = {**pretrained, **filling.cyclegans}
        self.history_ = {label: filling.histories.get(label, {}) for label in self.cyclegans_}
        self.matchings_ = filling.matchings
        self.source_indices_ = filling.source_indices
        self.source_kind_ = filling.source_kinds
        if form.kind == "table":
            copies = np.flatnonzero(filling.source_kinds == "copy")
            origins = filling.source_indices[copies]
            result.room[copies] = near_copies(form, X, samples, y, origins, seed)
        labels = [np.full(n, label, dtype=y.dtype) for label, n in needs.items()]
        return result.filled(filling.source_indices), np.concatenate([y, *labels])

    def _source_rows(self, y, label, counts):
        others = y != label
        if self.sources == "majority":
            # Of equally large classes the first wins, so that the choice repeats.
            rivals = {c: n for c, n in sorted(counts.items()) if c != to_python(label)}
            others = y == max(rivals, key=rivals.get)
        return np.flatnonzero(others)

    def translate(self, X, label):
        """Make samples of a class from samples of other classes.

        The sampler keeps no training images, so they have to be passed in.

        Parameters
        ----------
        X : array-like
            Samples in the form that was given to ``fit_resample``.
        label : int or str
            The class to translate into, a key of `cyclegans_`.

        Returns
        -------
        array-like of the same form
            One translation for each sample, in order. They are not judged.

        Raises
        ------
        ValueError
            If there is no CycleGAN for `label`, or X has another form.
        sklearn.exceptions.NotFittedError
            Before ``fit_resample``.
        """
        check_is_fitted(self, "cyclegans_")
        if label not in self.cyclegans_:
            raise ValueError(
                f"label must be one of the classes that were filled up, "
                f"{[to_python(c) for c in self.cyclegans_]}. Received: label={label!r}"
            )
        values = check_samples(self, X, reset=False)
        samples = as_samples(self.form_, values)
        translations = np.empty(values.shape, self.form_.dtype)
        for part in chunk_slices(len(samples), samples.shape[1:]):
            made = translate(self.cyclegans_[label], samples[part], self.recipe_)
            if label in self.matchings_:
                made = self.matchings_[label](made)
            translations[part] = self.form_.decode(made)
        return same_kind(X, translations)

    def save(self, path):
        """Write the fitted sampler to one file, without pickle.

        The file holds the parameters, the CycleGANs and what is known of the data's form; no
        training images. Parameters that cannot be written (a callable, a RandomState) are left out
        with a warning. The file is whole or not there.

        Parameters
        ----------
        path : str or path-like
            Name of the file, by custom ending in ``.melanet``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit_resample``.
        """
        check_is_fitted(self, "cyclegans_")
        save_sampler(self, path)

    @classmethod
    def load(cls, path):
        """Read a sampler that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Returns
        -------
        GANOversampler
            Fitted. To fill up other data of the same form with its CycleGANs, without training:
            ``sampler.set_params(pretrained=sampler.cyclegans_).fit_resample(X, y)``.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not a saved sampler.
        """
        return load_sampler(cls, path)

    def _more_tags(self):
        return {"X_types": ["2darray", "sparse", "dataframe", "3darray"]}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


_KIND = "melanet.GANOversampler"


def _counts_to_card(counts):
    # JSON would make strings of the labels.
    return {
        "labels": _archive.labels_to_json(list(counts)),
        "n_samples": [int(n) for n in counts.values()],
    }


def _counts_from_card(card):
    return dict(zip(_archive.labels_from_json(card["labels"]).tolist(), card["n_samples"]))


def save_sampler(sampler, path):
    """Write a fitted sampler; see `GANOversampler.save`."""
    instead = {"pretrained": None}  # the models themselves are written
    if isinstance(sampler.sampling_strategy, dict):
        instead["sampling_strategy"] = _counts_to_card(sampler.sampling_strategy)
    card = {
        "params": _archive.json_params(sampler, **instead),
        "form": sampler.form_.to_config(),
        "recipe": sampler.recipe_,
        "labels": _archive.labels_to_json(list(sampler.cyclegans_)),
        "histories": list(sampler.history_.values()),
        "matchings": [
            matching and matching.to_config()
            for matching in map(sampler.matchings_.get, sampler.cyclegans_)
        ],
        "needs": _counts_to_card(sampler.sampling_strategy_),
        "source_indices": sampler.source_indices_,
        "source_kind": sampler.source_kind_,
        "n_features_in": sampler.n_features_in_,
    }
    if hasattr(sampler, "feature_names_in_"):
        card["feature_names_in"] = sampler.feature_names_in_
    _archive.write_archive(path, _KIND, card, sampler.cyclegans_.values())


def load_sampler(cls, path):
    """Read a sampler; see `GANOversampler.load`."""
    card, models = _archive.read_archive(path, _KIND, CycleGAN.from_pretrained)
    params = card["params"]
    if isinstance(params.get("sampling_strategy"), dict):
        params["sampling_strategy"] = _counts_from_card(params["sampling_strategy"])
    labels = _archive.labels_from_json(card["labels"])
    sampler = cls(**params)
    sampler.form_ = form_from_config(card["form"])
    sampler.recipe_ = card["recipe"]
    sampler.cyclegans_ = dict(zip(labels, models))
    sampler.history_ = dict(zip(labels, card["histories"]))
    sampler.matchings_ = {
        label: Matching(**config) for label, config in zip(labels, card["matchings"]) if config
    }
    sampler.sampling_strategy_ = _counts_from_card(card["needs"])
    sampler.source_indices_ = np.array(card["source_indices"], int)
    sampler.source_kind_ = np.array(card["source_kind"], "U11")
    sampler.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        sampler.feature_names_in_ = np.array(card["feature_names_in"], object)
    return sampler


def read_pretrained(pretrained, y, sample_shape):
    """Read the CycleGANs that are not to be trained.

    Parameters
    ----------
    pretrained : dict or None
        label -> CycleGAN or path of one.
    y : ndarray of shape (n,)
        Labels of the data.
    sample_shape : tuple of int
        What they have to translate.

    Returns
    -------
    dict
        label of `y` -> CycleGAN.

    Raises
    ------
    ValueError
        If there is no such class, or a CycleGAN translates samples of another shape.
    """
    models = {}
    present = {to_python(label): label for label in np.unique(y)}
    for label, source in (pretrained or {}).items():
        if label not in present:
            raise ValueError(
                f"pretrained has the key {label!r}, but y has no such class. "
                f"Received: classes {sorted(present)}"
            )
        model = CycleGAN.from_pretrained(source)
        if model.sample_shape != sample_shape:
            raise ValueError(
                f"pretrained[{label!r}] translates samples of shape {model.sample_shape}, but "
                f"X holds samples of shape {sample_shape}. Resize the images to "
                "the model's size, or leave the key out to train"
            )
        models[present[label]] = model
    return models
