"""Model cards: what a trained model is for, what it was made of, how good it is, what it is not."""

import json
import math

_WARNING = (
    "**Not for diagnosis.** Nothing that this model predicts or makes is a medical finding. It "
    "is no medical device, and was not tested as one."
)
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
    "It knows the classes above and no other: a picture of anything else gets one of them, too.",
    "Other cameras, light, skin tones, ages or body sites than in its training data can make it "
    "worse, and nothing in a single prediction shows that.",
    "Its probabilities were not calibrated; a heat map shows where it looked, not where a lesion "
    "is.",
)
_GAN_LIMITS = (
    "It can draw signs of the class it translates to where there are none, or leave out real "
    "ones: what it makes is no picture of any patient.",
    "It repeats what its training images have in common, marks of the camera or the hospital "
    "included, and can come close to single training images.",
    "Synthetic images belong into training sets only: measured on them, a classifier is measured "
    "on its own assumptions. Compare with plain augmentation and class weights before use.",
)


def model_card(
    model,
    path=None,
    *,
    name,
    data,
    license,
    report=None,
    measured_on=None,
    synthetic=None,
    intended_use=None,
    limits=(),
    tags=(),
):
    """Write a model card for a trained classifier or sampler, with the hosting front matter.

    What can be read off the model is written as it is; what only its maker knows is asked for.
    A card is no test: it repeats the figures that it is given.

    Parameters
    ----------
    model : MelaNet, GANOversampler or CycleGAN
        Fitted.
    path : str or path-like or None, default=None
        File to write, by custom ``README.md``; it is whole or not there. None writes nothing.
    name : str
        The model's name, one line.
    data : str
        What it was trained on: name, source, number of images and classes, period, licence.
    license : str
        Identifier of the weights' licence, such as "mit" or "cc-by-nc-4.0".
    report : melanet.metrics.ScreeningReport or None, default=None
        A classifier's measures on a test set. Without it the card says that none were given.
    measured_on : str or None, default=None
        What `report` was measured on; needed with it. No data that the model or any choice saw.
    synthetic : str or GANOversampler or None, default=None
        Where the synthetic images in a classifier's training set came from: the sampler that
        made them, or words. None says that there were none.
    intended_use : str or None, default=None
        What it is for; None says research and teaching.
    limits : sequence of str, default=()
        Further known limits, a sentence each.
    tags : sequence of str, default=()
        Further tags of the front matter.

    Returns
    -------
    str
        The card, Markdown with YAML in front.

    Raises
    ------
    TypeError
        If `model` is none of these, or text is not text.
    ValueError
        If the model is not fitted, `report` lacks `measured_on` or belongs to no classifier.

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
    kind = _kind(model)
    texts = {"name": name, "data": data, "license": license}
    texts |= {"measured_on": measured_on, "intended_use": intended_use}
    for key, value in texts.items():
        _check_text(key, value, optional=key in ("measured_on", "intended_use"))
    if report is not None:
        if kind != "classifier":
            raise ValueError("report is for classifiers; a sampler has no such measures.")
        if measured_on is None:
            raise ValueError("measured_on must say what report was measured on. Received: None")
    front = _front_matter(kind, name, license, tags, report, measured_on)
    sections = [
        ("", _WARNING),
        ("What it is", _description(model, kind)),
        ("Intended use", _intended(intended_use)),
        ("Training data", data),
        ("Synthetic images", _provenance(model, kind, synthetic)),
        ("Metrics", _metrics(kind, report, measured_on)),
        ("Limits", _bullets((*_limits(kind), *limits))),
        ("How to use it", _usage(kind)),
        ("Source of the method", _PAPER),
    ]
    parts = [front, f"# {name}\n"]
    parts += [f"## {title}\n\n{text}\n" if title else f"{text}\n" for title, text in sections]
    card = "\n".join(parts)
    if path is not None:
        from melanet.utils._files import atomic_path

        with atomic_path(path) as partial:
            partial.write_text(card, encoding="utf-8")
    return card


def _kind(model):
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


def _check_text(name, value, optional):
    if value is None and optional:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text. Received: {value!r}")
    if not value.strip() or (name in ("name", "license") and "\n" in value):
        raise ValueError(f"{name} must say something, in one line. Received: {value!r}")


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
    # JSON is YAML, and quotes whatever has to be.
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
            f"It takes images of {height} x {width} pixels and {channels} channels, other sizes "
            f"being resized, and gives a probability for each of the classes {classes}.{trained}"
        )
    if kind == "translator":
        shape = " x ".join(map(str, model.sample_shape))
        return f"A CycleGAN, `melanet.CycleGAN`, that translates samples of {shape} from A to B."
    lines = [
        "An over-sampler, `melanet.GANOversampler`: CycleGANs that translate samples of other "
        "classes into rare ones.",
        "",
        *(
            f"- class `{label}`: a CycleGAN of samples of {' x '.join(map(str, gan.sample_shape))}"
            for label, gan in model.cyclegans_.items()
        ),
    ]
    return "\n".join(lines)


def _intended(text):
    return (
        f"{text or 'Research and teaching on imbalanced image data.'}\n\n"
        "Not intended: diagnosis, screening or triage of anybody; decisions about single people; "
        "use on data that differ from the training data without a test there."
    )


def _provenance(model, kind, synthetic):
    from melanet.over_sampling._gan_oversampler import GANOversampler

    if kind != "classifier":
        sampler = model if kind == "sampler" else None
        text = "This model makes synthetic images. Label them as such wherever they go."
        return text if sampler is None else f"{text}\n\n{_made(sampler)}".rstrip()
    if synthetic is None:
        return "None were used in training."
    if isinstance(synthetic, str):
        return synthetic
    if isinstance(synthetic, GANOversampler):
        return (
            f"The training set was filled up with synthetic images.\n\n{_made(synthetic)}".rstrip()
        )
    raise TypeError(
        f"synthetic must be text, a fitted GANOversampler or None. Received: {synthetic!r}"
    )


def _made(sampler):
    """Say what a sampler made, as far as it knows."""
    lines = [
        f"- class `{label}`: {int(n)} made" for label, n in sampler.sampling_strategy_.items() if n
    ]
    kinds = getattr(sampler, "source_kind_", None)
    if kinds is not None and len(kinds):
        n = int((kinds == "copy").sum())
        lines.append(
            f"- of these {len(kinds) - n} translations by a CycleGAN and {n} copies of "
            "real images, each of a known original (`source_indices_`)"
        )
    return "\n".join(lines)


def _metrics(kind, report, measured_on):
    if report is None:
        if kind == "classifier":
            return "None were given. Measure it on your own data before any use."
        return (
            "None of its own. What counts is whether a classifier that is trained with its images "
            "does better on held-out real ones than with plain remedies."
        )
    level = f"{100 * report['confidence']:g} % interval"
    lines = [
        f"Measured on {measured_on.rstrip('.')}: {report['n']} samples, {report['n_positive']} "
        f"positive and {report['n_negative']} negative, called positive from a probability of "
        f"{report['threshold']:.4g}.",
        "",
        f"| measure | value | {level} |",
        "|---|---|---|",
        *(_row(report, key, label) for key, label, _ in _MEASURES),
        "",
        f"True positives {report['tp']}, false positives {report['fp']}, true negatives "
        f"{report['tn']}, false negatives {report['fn']}. Predictive values hold for this share of "
        "positives alone. The intervals take the samples to be independent; several pictures of "
        "one patient make them too narrow.",
    ]
    return "\n".join(lines)


def _row(report, key, label):
    value, low, high = (report.get(key + end, math.nan) for end in ("", "_low", "_high"))
    shown = f"{value:.4f}" if math.isfinite(value) else "undefined"
    interval = f"{low:.4f} to {high:.4f}" if math.isfinite(low + high) else ""
    return f"| {label} | {shown} | {interval} |"


def _limits(kind):
    return _CLASSIFIER_LIMITS if kind == "classifier" else _GAN_LIMITS


def _bullets(sentences):
    return "\n".join(f"- {sentence}" for sentence in sentences)


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
