"""What can be said to ``melanet`` after its name; nothing here imports a backend."""

from melanet.cli._serve import SERVE


def _demo(arguments):
    from melanet.cli._demo import run_demo

    run_demo(arguments.out, n_seeds=arguments.seeds)
    if arguments.serve:
        from melanet.cli._toys import train_toys

        classifier, translator = train_toys(arguments.out)
        print(
            "To look at a classifier of toy lesions in a browser (not for diagnosis), with "
            f"melanet[app]:\nmelanet serve --model {classifier} --translator {translator}"
        )


def _fetch(arguments):
    from pathlib import Path

    from melanet.datasets._isic import fetch_isic
    from melanet.datasets._isic_catalogue import CHALLENGES

    year = int(arguments.dataset.removeprefix("isic"))
    for subset in [arguments.subset] if arguments.subset else CHALLENGES[year].subsets:
        found = fetch_isic(
            year, subset=subset, data_home=arguments.data_home, mirror=arguments.mirror, verbose=1
        )
        counts = {name: int(sum(found.target == i)) for i, name in enumerate(found.target_names)}
        print(f"{subset}: {len(found.paths)} images in {Path(found.paths[0]).parent}, {counts}")


def _train_gan(arguments):
    from melanet.cli._train_gan import train_gan_from_folder

    _, source, target = train_gan_from_folder(
        arguments.source,
        arguments.out,
        size=arguments.size,
        source=arguments.from_class,
        target=arguments.to_class,
        preset=arguments.preset,
        epochs=arguments.epochs,
        steps=arguments.steps,
        seed=arguments.seed,
        verbose=1,
    )
    print(f"Wrote {arguments.out}: a CycleGAN from {source} to {target}")


def _oversample(arguments):
    from melanet.cli._oversample import oversample_folder, parse_strategy

    made = oversample_folder(
        arguments.source,
        arguments.destination,
        models=arguments.model,
        sampling_strategy=parse_strategy(arguments.sampling_strategy),
        preset=arguments.preset,
        size=arguments.size,
        seed=arguments.seed,
        verbose=1,
    )
    counts = ", ".join(f"{n} of {label}" for label, n in made.items())
    print(f"Wrote {counts} to {arguments.destination}; manifest.csv says what was made of what")


def _train_classifier(arguments):
    from melanet.cli._classify import train_classifier

    weights = arguments.backbone_weights
    model = train_classifier(
        arguments.source,
        arguments.out,
        synthetic=arguments.synthetic,
        validation=arguments.validation,
        augment=arguments.augment,
        seed=arguments.seed,
        size=arguments.size,
        backbone=arguments.backbone,
        backbone_weights=None if weights == "none" else weights,
        class_weight="balanced" if arguments.balanced else None,
        epochs=arguments.epochs,
        verbose=2,
    )
    print(f"Wrote {arguments.out} after {len(model.history_['loss'])} epochs. Not for diagnosis")


def _evaluate(arguments):
    from melanet import NOT_FOR_DIAGNOSIS
    from melanet.cli._classify import evaluate_folder

    report, positive = evaluate_folder(
        arguments.model,
        arguments.source,
        positive=arguments.positive,
        threshold=arguments.threshold,
        out=arguments.out,
    )
    print(f"{arguments.model} on {arguments.source}, positive is {positive!r}\n{report}")
    print(f"\n{NOT_FOR_DIAGNOSIS}")


_CLASSES = "folder with a folder of images for each class"
_DEFAULT = "default: %(default)s"


def _demo_arguments(add):
    add("--out", default="melanet-demo", metavar="DIR", help=f"where to write ({_DEFAULT})")
    add("--seeds", type=int, default=3, metavar="N", help=f"repetitions ({_DEFAULT})")
    add("--no-serve", dest="serve", action="store_false", help="leave nothing for melanet serve")


def _fetch_arguments(add):
    add(
        "dataset",
        choices=[f"isic{year}" for year in range(2016, 2021)],
        help="isic2016 is the paper's, 834 MB; the later years take 3 to 24 GB",
    )
    add("--subset", metavar="NAME", help="train, validation or test (default: all with labels)")
    add("--data-home", metavar="DIR", help="where data sets are kept")
    add("--mirror", metavar="URL", help="where <URL>/<year>/<file> is looked for")


def _train_gan_arguments(add):
    add("source", metavar="SRC", help=f"{_CLASSES}, or with trainA and trainB")
    add("--out", required=True, metavar="FILE", help="to write, ending in .keras")
    add("--from", dest="from_class", metavar="CLASS", help="default: the most common class, or A")
    add("--to", dest="to_class", metavar="CLASS", help="default: the rarest class, or B")
    add("--preset", choices=("paper", "default"), default="paper", help=f"recipe ({_DEFAULT})")
    add("--epochs", type=int, metavar="N", help="default: the recipe's")
    add("--steps", type=int, metavar="N", help="in place of epochs")
    _size_and_seed(add)


def _oversample_arguments(add):
    add("source", metavar="SRC", help=f"{_CLASSES}, or a CSV file with the columns path and label")
    add("destination", metavar="DST", help="new folder for synthetic pictures and manifest.csv")
    add(
        "--model",
        action="append",
        default=[],
        metavar="[CLASS=]FILE",
        help="CycleGAN to use, not train; without CLASS for the rarest class; or isic2016",
    )
    add(
        "--sampling-strategy",
        default="auto",
        metavar="WHAT",
        help="auto, a ratio such as 0.5, or numbers to reach such as malignant=900 (%(default)s)",
    )
    add("--preset", choices=("default", "paper"), default="default", help=f"recipe ({_DEFAULT})")
    add("--size", type=int, metavar="PIXELS", help="default: the model's, or 256")
    add("--seed", type=int, default=0, help=_DEFAULT)


def _train_classifier_arguments(add):
    add("source", metavar="SRC", help=_CLASSES)
    add("--out", required=True, metavar="FILE", help="to write, such as classifier.melanet")
    add("--synthetic", metavar="DST", help="what `melanet oversample SRC DST` wrote")
    add("--validation", metavar="DIR", help="images to validate on (default: a fifth of SRC)")
    add(
        "--backbone", default="vgg16", help=f"vgg16, small, ...: as of melanet.MelaNet ({_DEFAULT})"
    )
    add(
        "--backbone-weights",
        default="imagenet",
        metavar="FILE",
        help="imagenet, which is downloaded, a file without the top, or none (%(default)s)",
    )
    add("--epochs", type=int, default=300, metavar="N", help=f"at most ({_DEFAULT})")
    add("--balanced", action="store_true", help="weight classes by the inverse of their size")
    add("--augment", action="store_true", help="change training images a little in every epoch")
    _size_and_seed(add)


def _evaluate_arguments(add):
    add("model", metavar="MODEL", help="what train-classifier wrote, a Keras file, or isic2016")
    add("source", metavar="SRC", help=f"{_CLASSES}, or with testA and testB")
    add("--positive", metavar="CLASS", help="what to screen for (default: the last of two)")
    add("--threshold", type=float, default=0.5, help=f"call positive from here on ({_DEFAULT})")
    add("--out", metavar="DIR", help="where to write report.csv, report.json, predictions.csv")


def _size_and_seed(add):
    add("--size", type=int, default=256, metavar="PIXELS", help=f"side of the images ({_DEFAULT})")
    add("--seed", type=int, default=0, help=_DEFAULT)


# Name, one line, more, what it takes, what it does.
COMMANDS = (
    (
        "demo",
        "balance real images (scikit-learn's digits) and show what that did",
        "Make scikit-learn's digits imbalanced, fill up the rare class in several ways, and "
        "compare a small classifier's held-out scores. Takes a minute or two.",
        _demo_arguments,
        _demo,
    ),
    (
        "fetch",
        "download a data set",
        "Download, check and unpack a data set, once; a download that was cut off goes on.",
        _fetch_arguments,
        _fetch,
    ),
    (
        "train-gan",
        "train a CycleGAN on a folder of images",
        "Train a CycleGAN from one class to another and write it, its losses (NAME.record.csv) "
        "and pictures (NAME.samples/). The same command goes on where it was cut off.",
        _train_gan_arguments,
        _train_gan,
    ),
    (
        "oversample",
        "write synthetic pictures of the rare classes of a folder",
        "Fill up rare classes with translations. Originals are neither changed nor copied; "
        "manifest.csv tells what each picture was made of. Memory does not grow with the folder; "
        "the same command goes on where it was cut off.",
        _oversample_arguments,
        _oversample,
    ),
    (
        "train-classifier",
        "train MelaNet on a folder of images",
        "Train the paper's classifier and write it, and its losses (NAME.record.csv).",
        _train_classifier_arguments,
        _train_classifier,
    ),
    (
        "evaluate",
        "measure a classifier on a folder of images",
        "Print AUC, sensitivity, specificity and more, with intervals. Not for diagnosis.",
        _evaluate_arguments,
        _evaluate,
    ),
    SERVE,
)
