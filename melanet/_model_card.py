"""Model cards: purpose, training data, measures and limits of a trained model."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    from melanet.classifier import MelaNet
    from melanet.gan import CycleGAN
    from melanet.metrics import ScreeningReport
    from melanet.over_sampling import GANOversampler

_WARNING = (
    "**Not for diagnosis.** No prediction or image of this model is a medical finding. It is not a "
    "medical device and was not tested as one."
)
# Key in a report, label, and name used by model hosts.
_MEASURES = (
    ("auc", "AUC", "roc_auc"),
    ("average_precision", "average precision", "average_precision"),
    ("sensitivity", "sensitivity", "recall"),
    ("specificity", "specificity", "specificity"),
    ("ppv", "positive predictive value", "precision"),
    ("npv", "negative predictive value", "npv"),
    ("balanced_accuracy", "balanced accuracy", "balanced_accuracy"),
)
_PAPER = (
    "Zunair, H., & Ben Hamza, A. (2020). Melanoma detection using adversarial training and deep "
    "transfer learning. Physics in Medicine & Biology, 65(13), 135005."
)
_CLASSIFIER_LIMITS = (
    "It knows only the classes above; an image of anything else is assigned to one of them as "
    "well.",
    "Cameras, lighting, skin tones, ages or body sites that differ from its training data can "
    "make it worse, and nothing in a single prediction shows that.",
    "Its probabilities are not calibrated; a heat map shows where it looked, not where a lesion "
    "is.",
)
_GAN_LIMITS = (
    "It can add signs of the class it translates to, or remove real ones: its images show no "
    "patient.",
    "It reproduces common features of its training images, including marks of the camera or the "
    "hospital, and can come close to single training images.",
    "Synthetic images belong in training sets only: a classifier tested on them is tested on its "
    "own assumptions. Compare with plain augmentation and class weights before use.",
)


def model_card(
    model: "MelaNet | GANOversampler | CycleGAN",
    path: PathLike | None = None,
    *,
    name: str,
    data: str,
    license: str,
    report: "ScreeningReport | None" = None,
    measured_on: str | None = None,
    synthetic: "str | GANOversampler | None" = None,
    intended_use: str | None = None,
    limits: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> str:
    """Write a model card for a trained classifier, sampler or CycleGAN.

    The card has the YAML front matter that model hosts read. Architecture, classes and counts
    come from the model; everything else is passed in. Writing a card measures nothing: it repeats
    the given figures.

    Parameters
    ----------
    model : MelaNet, GANOversampler or CycleGAN
        Fitted model.
    path : str or path-like or None, default=None
        File to write atomically, by convention ``README.md``. None writes nothing.
    name : str
        Name of the model, one line.
    data : str
        Training data: name, source, number of images and classes, period, licence.
    license : str
        Identifier of the weights' licence, such as "mit" or "cc-by-nc-4.0".
    report : melanet.metrics.ScreeningReport or None, default=None
        Measures of a classifier on a test set. None states that none were given.
    measured_on : str or None, default=None
        Test set of `report`, required with it: data that neither training nor any choice used.
    synthetic : str or GANOversampler or None, default=None
        Origin of the synthetic images in a classifier's training set: the sampler that made them,
        or a description. None states that there were none.
    intended_use : str or None, default=None
        Intended use; None states research and teaching.
    limits : sequence of str, default=()
        Further known limits, a sentence each.
    tags : sequence of str, default=()
        Further tags of the front matter.

    Returns
    -------
    str
        The card: YAML front matter and Markdown.

    Raises
    ------
    TypeError
        If `model` is of another type, or a text parameter is not a str.
    ValueError
        If the model is not fitted, `synthetic` filled up classes that it does not know, `report`
        is given without `measured_on` or for a model that is not a classifier, or a text is empty.

    Examples
    --------
    >>> from melanet import CycleGAN, model_card
    >>> gan = CycleGAN.from_shape((16, 16, 3), filters=4, discriminator_filters=4)
    >>> card = model_card(gan, name="toy", data="300 drawings.", license="mit")
    >>> print(card[:36])
    ---
    license: "mit"
    library_name: "ke
    >>> "Not for diagnosis" in card
    True
    """
    from melanet.utils._files import atomic_path, check_writable

    if path is not None:
        check_writable(path)
    kind = _kind(model)
    filled = getattr(synthetic, "cyclegans_", None)
    if filled is not None and kind == "classifier":
        from melanet.utils._labels import match_labels

        match_labels("synthetic", filled, "the model's classes", model.classes_)
    required = {"name": name, "data": data, "license": license}
    optional = {"measured_on": measured_on, "intended_use": intended_use}
    given = {key: value for key, value in optional.items() if value is not None}
    for key, value in {**required, **given}.items():
        _check_text(key, value)
    if report is not None:
        if kind != "classifier":
            raise ValueError(f"report must be None unless model is a classifier. Received: {kind}")
        if measured_on is None:
            raise ValueError("measured_on must name the test set of report. Received: None")
    front = _front_matter(kind, name, license, tags, report, measured_on)
    sections = [
        ("", _WARNING),
        ("Description", _description(model, kind)),
        ("Intended use", _intended_use(intended_use)),
        ("Training data", data),
        ("Synthetic images", _synthetic_images(model, kind, synthetic)),
        ("Metrics", _metrics(kind, report, measured_on)),
        ("Limits", "\n".join(f"- {sentence}" for sentence in (*_limits(kind), *limits))),
        ("Usage", _usage(kind)),
        ("Reference", _PAPER),
    ]
    parts = [front, f"# {name}\n"]
    parts += [f"## {title}\n\n{text}\n" if title else f"{text}\n" for title, text in sections]
    card = "\n".join(parts)
    if path is not None:
        with atomic_path(path) as partial:
            partial.write_text(card, encoding="utf-8")
    return card


def _kind(model: Any) -> str:
    """Return "classifier", "sampler" or "translator"; raise unless the model is fitted."""
    from sklearn.utils.validation import check_is_fitted

    from melanet.classifier._base import FittedNetwork
    from melanet.gan._cyclegan import CycleGAN
    from melanet.over_sampling._gan_oversampler import GANOversampler

    if isinstance(model, CycleGAN):
        return "translator"
    for base, kind, attribute in (
        (FittedNetwork, "classifier", "model_"),
        (GANOversampler, "sampler", "cyclegans_"),
    ):
        if isinstance(model, base):
            check_is_fitted(model, attribute)
            return kind
    raise TypeError(
        "model must be a fitted MelaNet, GANOversampler or CycleGAN. "
        f"Received: {type(model).__name__}"
    )


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str. Received: {name}={value!r}")
    if not value.strip():
        raise ValueError(f"{name} must not be empty. Received: {name}={value!r}")
    if name in ("name", "license") and "\n" in value:
        raise ValueError(f"{name} must be one line. Received: {name}={value!r}")


def _front_matter(kind, name, license, tags, report, measured_on):
    task = "image-classification" if kind == "classifier" else "image-to-image"
    fields = {
        "license": license,
        "library_name": "keras",
        "pipeline_tag": task,
        "tags": list(dict.fromkeys(("melanet", "imbalanced-data", "not-for-diagnosis", *tags))),
    }
    if report is not None:
        found = [m for m in _MEASURES if math.isfinite(report[m[0]])]
        fields["metrics"] = [hosted for _, _, hosted in found]
        results = {
            "task": {"type": task},
            "dataset": {"name": measured_on, "type": "image-folder"},
            "metrics": [
                {"type": hosted, "name": label, "value": report[key]}
                for key, label, hosted in found
            ],
        }
        fields["model-index"] = [{"name": name, "results": [results]}]
    # JSON is valid YAML and quotes where needed.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _description(model, kind):
    if kind == "classifier":
        network = model.model_
        height, width, channels = network.input_shape[1:]
        classes = ", ".join(f"`{label}`" for label in model.classes_.tolist())
        epochs = len(model.history_.get("loss", ()))
        trained = f" Trained for {epochs} epochs." if epochs else ""
        return (
            f"An image classifier, `melanet.MelaNet`, of {network.count_params():,} parameters. "
            f"It takes images of {height} x {width} pixels and {channels} channels; other sizes "
            f"are resized. {_pixels(model)}It returns a probability for each of the classes "
            f"{classes}.{trained}"
        )
    if kind == "translator":
        shape = " x ".join(map(str, model.sample_shape))
        return f"A CycleGAN, `melanet.CycleGAN`, that translates {shape} samples from A to B."
    lines = [
        "An over-sampler, `melanet.GANOversampler`, of CycleGANs that translate samples of other "
        "classes to rare classes.",
        "",
        *(
            f"- class `{label}`: a CycleGAN of {' x '.join(map(str, gan.sample_shape))} samples"
            for label, gan in model.cyclegans_.items()
        ),
    ]
    return "\n".join(lines)


def _pixels(model):
    if model.value_range_ is None:
        return ""
    low, high = model.value_range_
    return f"Pixels lie in [{low:g}, {high:g}]. "


def _intended_use(text):
    return (
        f"{text or 'Research and teaching on imbalanced image data.'}\n\n"
        "Not intended: diagnosis, screening or triage; decisions about individuals; use on data "
        "that differ from the training data without a test on them."
    )


def _synthetic_images(model, kind, synthetic):
    from melanet.over_sampling._gan_oversampler import GANOversampler

    if kind != "classifier":
        sampler = model if kind == "sampler" else None
        text = (
            "This model generates synthetic images. Label them as synthetic wherever you use them."
        )
        return text if sampler is None else f"{text}\n\n{_counts(sampler)}".rstrip()
    if synthetic is None:
        return "None were used in training."
    if isinstance(synthetic, str):
        return synthetic
    if isinstance(synthetic, GANOversampler):
        text = "The training set was filled up with synthetic images."
        return f"{text}\n\n{_counts(synthetic)}".rstrip()
    raise TypeError(
        f"synthetic must be a str, a fitted GANOversampler or None. Received: {synthetic!r}"
    )


def _counts(sampler):
    """List the numbers of synthetic samples, as far as the sampler records them."""
    lines = [
        f"- class `{label}`: {int(n)} generated"
        for label, n in sampler.sampling_strategy_.items()
        if n
    ]
    kinds = getattr(sampler, "source_kind_", None)
    if kinds is not None and len(kinds):
        n = int((kinds == "copy").sum())
        lines.append(
            f"- of these, {len(kinds) - n} translations by a CycleGAN and {n} copies of real "
            "images, exact or changed a little; the original of each is known (`source_indices_`)"
        )
    return "\n".join(lines)


def _metrics(kind, report, measured_on):
    if report is None:
        if kind == "classifier":
            return "None were given. Test the model on your own data before any use."
        return (
            "None of its own. Test whether a classifier trained with its images does better on "
            "held-out real images than one trained with plain remedies."
        )
    level = f"{100 * report['confidence']:g} % interval"
    lines = [
        f"Measured on {measured_on.rstrip('.')}: {report['n']} samples, {report['n_positive']} "
        f"positive and {report['n_negative']} negative. Samples with a probability of at least "
        f"{report['threshold']:.4g} are called positive.",
        "",
        f"| measure | value | {level} |",
        "|---|---|---|",
        *(_row(report, key, label) for key, label, _ in _MEASURES),
        "",
        f"True positives {report['tp']}, false positives {report['fp']}, true negatives "
        f"{report['tn']}, false negatives {report['fn']}. Predictive values hold only for this "
        "share of positives. The intervals assume independent samples; with several images of one "
        "patient they are too narrow.",
    ]
    return "\n".join(lines)


def _row(report, key, label):
    value, low, high = (report.get(key + end, math.nan) for end in ("", "_low", "_high"))
    shown = f"{value:.4f}" if math.isfinite(value) else "undefined"
    interval = f"{low:.4f} to {high:.4f}" if math.isfinite(low + high) else ""
    return f"| {label} | {shown} | {interval} |"


def _limits(kind):
    return _CLASSIFIER_LIMITS if kind == "classifier" else _GAN_LIMITS


def _usage(kind):
    lines = {
        "classifier": (
            "from melanet import MelaNet",
            'model = MelaNet.load("classifier.melanet")',
            "model.predict_proba(X)  # not for diagnosis",
        ),
        "sampler": (
            "from melanet import GANOversampler",
            'sampler = GANOversampler.load("sampler.melanet")',
            "sampler.set_params(pretrained=sampler.cyclegans_).fit_resample(X, y)",
        ),
        "translator": (
            "from melanet import CycleGAN",
            'model = CycleGAN.from_pretrained("translator.keras")',
            'model.translate(X, to="B")  # X in [-1, 1]',
        ),
    }[kind]
    return "\n".join(["```python", *lines, "```"])
