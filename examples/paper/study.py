"""The paper's study from images to a report, by its own protocol and by a sound one.

    python examples/paper/study.py --scale smoke --protocol both --data lesions --out study

See docs/paper.md. An interrupted run resumes; finished stages are skipped.
Not for diagnosis.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import importlib.util
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from melanet.cli._common import load_backend

try:
    load_backend()
except ImportError as error:  # before the imports that need Keras
    print(f"study.py: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)

import arms
import costs
import numpy as np
import pictures
from classifiers import CLASSIFIERS, Pretrained, needs_vgg16
from protocols import PROTOCOLS, Study
from report import write_report
from results import read_table, tabulate, write_markdown
from stages import Stages, digest_of_files

from melanet import NOT_FOR_DIAGNOSIS
from melanet.datasets import load_images
from melanet.utils._files import atomic_path, check_writable, write_csv


@dataclass(frozen=True)
class Budget:
    """Budget of training a network."""

    epochs: int  # maximum
    optimizer: str | None = None  # None and 1e-3 are MelaNet's own
    learning_rate: float = 1e-3
    few: bool = False  # few arms, one seed, the sound protocol: the training takes hours


@dataclass(frozen=True)
class Scale:
    """Sizes of a study."""

    size: int  # side of the images
    seeds: int  # of the sound protocol
    gan_epochs: int  # of the paper's CycleGAN
    default_steps: int | None  # of the arm default; None is the default itself
    classifier: str  # unless --classifiers names others
    budgets: dict[str, Budget]  # of the classifiers that are networks
    n_train: int | None = None  # None takes all
    n_test: int | None = None


# Adadelta at the paper's rate hardly moves a network in few epochs.
_SHORT = {"optimizer": "adam", "learning_rate": 1e-4}
SCALES = {
    "smoke": Scale(
        size=32,
        seeds=1,
        gan_epochs=1,
        default_steps=10,
        classifier="small",
        budgets={"small": Budget(3), "vgg16": Budget(1, **_SHORT, few=True)},
        n_train=120,
        n_test=120,
    ),
    "small": Scale(
        size=64,
        seeds=1,
        gan_epochs=40,
        default_steps=None,
        classifier="small",
        budgets={"small": Budget(30), "vgg16": Budget(15, **_SHORT, few=True)},
    ),
    "full": Scale(  # the paper's sizes
        size=256,
        seeds=5,
        gan_epochs=100,
        default_steps=None,
        classifier="vgg16",
        budgets={"small": Budget(300), "vgg16": Budget(300)},
    ),
}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--scale", choices=SCALES, default="smoke", help="default: %(default)s")
    add("--protocol", choices=(*PROTOCOLS, "both"), default="sound", help="default: %(default)s")
    add("--data", default="lesions", help="lesions (toy images), isic2016, or a folder")
    add("--out", default="study", metavar="DIR", help="output folder; a run resumes from it")
    add("--seeds", type=int, metavar="N", help="seeds of the sound protocol (default: by scale)")
    add(
        "--classifiers",
        choices=CLASSIFIERS,
        nargs="+",
        metavar="NAME",
        help=f"{', '.join(CLASSIFIERS)}; several share the GANs (default: by scale)",
    )
    add(
        "--backbone-weights",
        metavar="FILE",
        help="VGG16's ImageNet weights without the top, for its classifiers and for the arm "
        "default (default: Keras' own; only its classifiers download them)",
    )
    add("--data-home", metavar="DIR", help="folder of the downloaded isic2016")
    add("--mirror", metavar="URL", help="server to download isic2016 from")
    options = parser.parse_args(argv)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds must be at least 1. Received: {options.seeds}")
    options.classifiers = list(
        dict.fromkeys(options.classifiers or [SCALES[options.scale].classifier])
    )
    return options


def check_needs(scale, names, weights):
    """Raise an error now if something is missing that is needed later; return the weights."""
    for module, package in (("matplotlib", "matplotlib"), ("umap", "umap-learn")):
        if importlib.util.find_spec(module) is None:
            raise ImportError(f'The figures need {package}: pip install "melanet[plot]"')
    try:
        return Pretrained(weights, scale.size, download=any(map(needs_vgg16, names)))
    except (OSError, ValueError) as error:
        raise OSError(
            f"{error}. In this script: --backbone-weights FILE, such as "
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
        ) from error


def read_images(train, test, size, stages):
    """Decode the images, once; return X, y and groups of both sets, and the overlapping pairs."""
    settings = {"size": size, "files": digest_of_files([*train.paths, *test.paths])}
    settings["labels"] = [*train.y.tolist(), *test.y.tolist()]
    if train.groups is not None:
        settings["groups"] = np.unique(train.groups, return_inverse=True)[1].tolist()
    if test.groups is not None:
        settings["test groups"] = np.unique(test.groups, return_inverse=True)[1].tolist()

    def make(folder):
        write_csv(folder / "overlap.csv", pictures.overlap(train, test))
        for name, files in (("train", train), ("test", test)):
            with atomic_path(folder / f"{name}.npz") as partial:
                np.savez(partial, X=load_images(files.paths, size), y=files.y)

    folder = stages.run("pictures", make, settings)
    arrays = [np.load(folder / f"{name}.npz") for name in ("train", "test")]
    shared = read_table(folder / "overlap.csv")
    sets = [(part["X"], part["y"], files.groups) for part, files in zip(arrays, (train, test))]
    return *sets, shared


def run_study(options, command):
    """Run all stages, and write tables, figures and the report."""
    scale, names = SCALES[options.scale], options.classifiers
    pretrained = check_needs(scale, names, options.backbone_weights)
    out = Path(options.out)
    check_writable(out / "results.md", out / "figures" / "umap.png", out / "report.html")
    stages = Stages(out / "stages")
    train, test, about = pictures.find(
        options.data,
        stages=stages,
        scale=scale,
        data_home=options.data_home,
        mirror=options.mirror,
    )
    *parts, shared = read_images(train, test, scale.size, stages)
    protocols = list(PROTOCOLS) if options.protocol == "both" else [options.protocol]
    studies = [Study(protocol, scale, pretrained, stages, *parts) for protocol in protocols]
    for name in names:
        if not any(study.arms(name, 0) for study in studies):
            raise ValueError(
                f"--classifiers {name} at --scale {options.scale} is for the protocol sound. "
                f"Received: --protocol {options.protocol}"
            )
    notes = print_notes(about, options.scale, names, shared)
    n_seeds = options.seeds or scale.seeds
    print_costs(studies, names, n_seeds)
    runs = [run for study in studies for run in study.run_all(names, n_seeds)]
    drawn = studies[0]
    own = [name for name in names if drawn.arms(name, 0)]
    distances = {name: drawn.measure(name) for name in own}
    drawings = drawn.draw(own[0])
    after = [f"{protocol}/seed-{seed}/{name}/{arm}" for protocol, name, arm, seed, _ in runs]
    tables = stages.run("tables", lambda folder: tabulate(runs, folder), {}, after)
    shown = publish(out, tables, distances, drawings, drawn, notes)
    facts = [
        ("images", about),
        ("training images", train.counts()),
        ("test images", test.counts()),
        *((f"protocol {protocol}", PROTOCOLS[protocol]) for protocol in protocols),
        *((f"classifier {name}", CLASSIFIERS[name]) for name in names),
        *((arm, title) for arm, title in arms.ARMS.items() if any(arm == run[2] for run in runs)),
        *drawn.describe_default(n_seeds),
        ("figures", f"protocol {drawn.protocol}, classifier {own[0]}, seed 0"),
    ]
    write_report(
        out / "report.html",
        about=facts,
        command=command,
        settings=vars(options) | asdict(scale) | {"seeds": n_seeds},
        warnings=notes,
        stages=stages.log,
        tables=out,
        figures=shown,
    )
    print((out / "results.md").read_text())
    skipped = sum(complete for _, _, complete in stages.log)
    print(f"{skipped} of {len(stages.log)} stages were skipped. Report: {out / 'report.html'}")


def print_costs(studies, names, n_seeds):
    """Print how long the stages that are not complete are expected to take."""
    log = []
    for study in studies:
        planned = study.plan()
        planned.run_all(names, n_seeds)
        log += planned.stages.log
    print("\n".join(costs.describe(log)), flush=True)


FIGURES = {
    "translations.png": "The first benign training images to be translated, and their "
    "translations by the CycleGAN (gan) and by GANOversampler() (default).",
    "umap.png": "Features of the training images without and with the synthetic ones, laid out "
    "together by UMAP: those of the network that was trained on real images only, or frozen ones. "
    "The left panel omits the synthetic images.",
    "grad-cam.png": "Grad-CAM for “malignant” on test images, by the network of the arm gan. It "
    "shows where the network looked, not where a lesion is.",
    "curves.png": "Losses by epoch.",
}


def print_notes(about, scale_name, names, shared):
    """Print the warnings that a reader must know first, and return them."""
    notes = []
    if about.startswith("make_lesions"):
        notes.append(
            "All images are toy lesions drawn by a program. This run used no real image and says "
            "nothing about real lesions."
        )
    if scale_name != "full":
        own = "; ".join(f"{name} is {CLASSIFIERS[name]}" for name in names)
        notes.append(
            f"The images are small and the budgets are reduced (--scale {scale_name}), and the "
            f"classifiers are not always the paper's: {own}. The paper trained VGG16 on 256x256 "
            "for up to 300 epochs, after a CycleGAN of 100."
        )
    if shared:
        pairs = ", ".join(
            f"{row['training']} = {row['test']} ({row['reason']})" for row in shared[:5]
        )
        notes.append(
            f"The test set overlaps the training set: {len(shared)} pairs of images, such as "
            f"{pairs}. Results on them are meaningless; remove them from one of the sets."
        )
    for note in notes:
        print(f"Note: {note}", file=sys.stderr)
    return notes


def publish(out, tables, distances, drawings, drawn, notes):
    """Copy results from the stages' folders to the output folder, each file atomically.

    Returns
    -------
    list of (Path, str)
        The figures that there are, and their captions.
    """
    origin = drawn.stages.folder / drawn.protocol / "seed-0/cyclegan"
    copies = {path: path.name for path in sorted(tables.glob("*.csv"))}
    copies[origin / "gan.record.csv"] = "record.csv"
    shown = [(name, caption) for name, caption in FIGURES.items() if (drawings / name).exists()]
    copies |= {drawings / name: f"figures/{name}" for name, _ in shown}
    for source, name in copies.items():
        with atomic_path(out / name) as partial:
            shutil.copyfile(source, partial)
    found = {name: read_table(folder / "distances.csv") for name, folder in distances.items()}
    rows = [{"classifier": name, **row} for name, part in found.items() for row in part]
    write_csv(out / "distances.csv", rows)
    write_markdown(out / "results.md", out, notes)
    return [(out / "figures" / name, caption) for name, caption in shown]


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = parse(argv)
    print(NOT_FOR_DIAGNOSIS)
    try:
        run_study(options, shlex.join(["python", "examples/paper/study.py", *argv]))
    except (OSError, ValueError, ImportError, ArithmeticError) as error:
        print(f"study.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
