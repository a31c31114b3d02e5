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
import numpy as np
import pictures
from protocols import PROTOCOLS, Study
from report import write_report
from results import read_table, tabulate
from stages import Stages, digest_of_files

from melanet import NOT_FOR_DIAGNOSIS
from melanet.classifier import _backbones
from melanet.datasets import load_images
from melanet.utils._files import atomic_path, check_writable, write_csv


@dataclass(frozen=True)
class Scale:
    """Sizes of a study."""

    size: int  # side of the images
    seeds: int  # of the sound protocol
    gan_epochs: int
    backbone: str
    epochs: int  # maximum, of a classifier
    n_train: int | None = None  # None takes all
    n_test: int | None = None


SCALES = {
    "smoke": Scale(32, 2, 1, "small", 3, n_train=120, n_test=120),
    "small": Scale(64, 3, 20, "small", 60),
    "full": Scale(256, 5, 100, "vgg16", 300),  # the paper's sizes
}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--scale", choices=SCALES, default="smoke", help="default: %(default)s")
    add("--protocol", choices=(*PROTOCOLS, "both"), default="sound", help="default: %(default)s")
    add("--data", default="lesions", help="lesions (toy images), isic2016, or a folder")
    add("--out", default="study", metavar="DIR", help="output folder; a run resumes from it")
    add("--seeds", type=int, metavar="N", help="seeds of the sound protocol (default: by scale)")
    add("--backbone-weights", metavar="FILE", help="VGG16's ImageNet weights without the top")
    add("--data-home", metavar="DIR", help="folder of the downloaded isic2016")
    add("--mirror", metavar="URL", help="server to download isic2016 from")
    options = parser.parse_args(argv)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds must be at least 1. Received: {options.seeds}")
    return options


def check_needs(scale, weights):
    """Raise an error now if something is missing that is needed later; return the weights."""
    for module, package in (("matplotlib", "matplotlib"), ("umap", "umap-learn")):
        if importlib.util.find_spec(module) is None:
            raise ImportError(f'The figures need {package}: pip install "melanet[plot]"')
    if scale.backbone == "small":
        if weights is not None:
            raise ValueError("--backbone-weights needs VGG16: use --scale full")
        return None
    try:
        _backbones.build(scale.backbone, (scale.size, scale.size), 3, 2, weights or "imagenet")
    except OSError as error:
        raise OSError(
            f"{error}. In this script: --backbone-weights FILE, such as "
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
        ) from error
    return weights or "imagenet"


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
    scale = SCALES[options.scale]
    weights = check_needs(scale, options.backbone_weights)
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
    notes = print_notes(about, scale, shared)
    protocols = list(PROTOCOLS) if options.protocol == "both" else [options.protocol]
    n_seeds = options.seeds or scale.seeds
    runs, studies = [], []
    for protocol in protocols:
        study = Study(protocol, scale, weights, stages, *parts)
        for seed in range(n_seeds if protocol == "sound" else 1):
            study.train_cyclegan(seed)
            study.over_sample(seed)
            for arm in arms.ARMS if protocol == "sound" else arms.RELEASED:
                runs.append((protocol, arm, seed, study.run(arm, seed)))
        studies.append(study)
    names = [f"{protocol}/seed-{seed}/{arm}" for protocol, arm, seed, _ in runs]
    tables = stages.run("tables", lambda folder: tabulate(runs, folder), {}, names)
    drawn = studies[0]
    first = [name for name in names if name.startswith(f"{drawn.protocol}/seed-0/")]
    drawings = stages.run(f"{drawn.protocol}/figures", drawn.draw, {}, first)
    publish(out, tables, drawings, drawn)
    facts = [
        ("images", about),
        ("training images", train.counts()),
        ("test images", test.counts()),
        *((f"protocol {protocol}", PROTOCOLS[protocol]) for protocol in protocols),
        *((arm, title) for arm, title in arms.ARMS.items() if any(arm == run[1] for run in runs)),
        ("figures", f"protocol {drawn.protocol}, seed 0"),
    ]
    write_report(
        out / "report.html",
        about=facts,
        command=command,
        settings=vars(options) | asdict(scale) | {"seeds": n_seeds},
        warnings=notes,
        stages=stages.log,
        tables=out,
        figures=[(out / "figures" / name, caption) for name, caption in FIGURES.items()],
    )
    print((out / "results.md").read_text())
    skipped = sum(complete for _, _, complete in stages.log)
    print(f"{skipped} of {len(stages.log)} stages were skipped. Report: {out / 'report.html'}")


FIGURES = {
    "translations.png": "The first benign training images to be translated, and their "
    "translations by the CycleGAN.",
    "umap.png": "Features of the training images without and with the synthetic ones: "
    "MelaNet.embed of the network that was trained on real images only, laid out together by "
    "UMAP; the left panel omits the synthetic ones.",
    "grad-cam.png": "Grad-CAM for “malignant” on test images, by the network of the arm gan. It "
    "shows where the network looked, not where a lesion is.",
    "curves.png": "Losses by epoch.",
}


def print_notes(about, scale, shared):
    """Print the warnings that a reader must know first, and return them."""
    notes = []
    if about.startswith("make_lesions"):
        notes.append(
            "All images are toy lesions drawn by a program. This run used no real image and says "
            "nothing about real lesions."
        )
    if scale.backbone == "small":
        notes.append(
            "The classifier is a small network that was trained from scratch, not the paper's "
            "VGG16 with ImageNet weights, and budgets are reduced: the table shows that the study "
            "runs, not how well the method works."
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


def publish(out, tables, drawings, drawn):
    """Copy results from the stages' folders to the output folder, each file atomically."""
    origin = drawn.stages.folder / drawn.protocol / "seed-0/cyclegan"
    copies = {path: path.name for path in sorted(tables.glob("*.*")) if path.name != "stage.json"}
    copies |= {drawings / name: f"figures/{name}" for name in FIGURES}
    copies |= {drawings / "distances.csv": "distances.csv", origin / "gan.record.csv": "record.csv"}
    for source, name in copies.items():
        with atomic_path(out / name) as partial:
            shutil.copyfile(source, partial)


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
