"""Every option is used as given, or refused by name."""

import argparse
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import strategies as st
from negatives import negative, write_colours
from properties import for_all, in_process

from melanet import GANOversampler
from melanet.cli import build_parser
from melanet.cli._train_gan import choose_classes
from melanet.over_sampling import oversample_files

names = st.sampled_from(["A", "B", "benign", "malignant", "9", "10", " A", ""])
INTEGERS = {  # option -> command and the range of values
    "--size": (["train-gan", "s", "--out", "o"], 1, None),
    "--seed": (["oversample", "s", "d"], 0, 2**32 - 1),
    "--steps": (["train-gan", "s", "--out", "o"], 1, None),
    "--epochs": (["train-classifier", "s", "--out", "o"], 1, None),
    "--seeds": (["demo"], 1, None),
    "--port": (["serve"], 0, 65535),
}
texts = st.integers(-3, 2**33).map(str) | st.floats().map(str) | st.text(max_size=5)


@in_process
def test_classes_are_those_named_or_refused(n_examples):
    @for_all(
        n_examples,
        counts=st.dictionaries(names, st.integers(1, 5), min_size=2),
        source=st.none() | names,
        target=st.none() | names,
    )
    def check(counts, source, target):
        sound = all(name is None or name in counts for name in (source, target))
        if not sound or (source is not None and source == target):
            with pytest.raises(ValueError, match="--from|--to") as caught:
                choose_classes(counts, source, target, False)
            assert any(repr(name) in str(caught.value) for name in (source, target))
            return
        found = choose_classes(counts, source, target, False)
        assert found[0] == source or source is None
        assert found[1] == target or target is None
        assert found[0] != found[1]
        others = [n for name, n in counts.items() if name != found[0]]
        assert target is not None or (source is None) or counts[found[1]] == min(others)


@in_process
def test_a_number_is_the_one_given_or_refused(n_examples):
    parser = build_parser()

    @for_all(n_examples, option=st.sampled_from(sorted(INTEGERS)), text=texts)
    def check(option, text):
        command, least, most = INTEGERS[option]
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is not None and value >= least and (most is None or value <= most):
            parsed = parser.parse_args([*command, f"{option}={text}"])
            assert vars(parsed)[option.strip("-")] == value
            return
        lines = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                argparse.ArgumentParser, "_print_message", lambda _, text, __: lines.append(text)
            )
            with pytest.raises(SystemExit) as stop:
                parser.parse_args([*command, f"{option}={text}"])
        assert stop.value.code == 2
        (line,) = lines
        assert line.startswith(f"melanet: argument {option}: must be")
        assert " ".join(repr(text).split()) in line


TRAINING = {
    "generator": st.sampled_from(["resnet", "unet"]),
    "steps": st.integers(1, 9),
    "max_seconds": st.floats(0.1, 9),
    "batch_size": st.integers(1, 9),
    "learning_rate": st.floats(1e-6, 1),
    "augment": st.booleans() | st.floats(0, 1),
    "quality": st.sampled_from(["draft", "high"]),
    "gate": st.just("auto"),
    "features": st.just("imagenet"),
}
USED = {  # also by the generation, or by nothing that could be ignored
    "flip": st.sampled_from(["both", False]),
    "match": st.booleans(),
    "copies": st.floats(0, 0.9),
    "max_translations": st.none() | st.floats(0.1, 9),
    "sources": st.sampled_from(["all", "majority"]),
    "features": st.none(),
}


def options(strategies):
    return st.fixed_dictionaries({}, optional=strategies)


@in_process
def test_parameters_of_a_training_that_does_not_take_place_are_named(n_examples):
    gan = negative()
    y = np.repeat([0, 1, 2], [5, 3, 2])
    X = np.arange(10, dtype="uint8")[:, None, None, None] * np.full((1, 8, 8, 3), 28, "uint8")

    @for_all(
        n_examples,
        training=options(TRAINING),
        used=options(USED),
        needed=st.sets(st.sampled_from([1, 2]), min_size=1),
        idle=st.sets(st.sampled_from([0, 1, 2])),
    )
    def check(training, used, needed, idle):
        models = dict.fromkeys(sorted(needed | idle), gan)
        sampler = GANOversampler(
            **{"reject": False, "guard": False, "random_state": 0, **used, **training},
            sampling_strategy=dict.fromkeys(needed, 5),
            pretrained=models,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sampler.fit_resample(X, y)
        told = [str(w.message) for w in caught if w.category is UserWarning]
        expected = []
        if idle - needed:
            expected.append(f"Received: CycleGANs of {sorted(idle - needed)}")
        if training:
            expected.append(", ".join(name for name in TRAINING if name in training) + " can only")
        assert len(told) == len(expected)
        assert all(any(words in text for text in told) for words in expected)
        # Those of the fit itself were made with these parameters.
        sampler.set_params(pretrained=sampler.cyclegans_)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            sampler.fit_resample(X, y)


@in_process
def test_files_refuse_what_only_a_training_uses(n_examples, tmp_path):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 4, "b": 2})
    models = {"b": negative()}

    @for_all(
        n_examples,
        quality=st.sampled_from(["draft", "default", "high"]),
        features=st.sampled_from(["auto", None, "imagenet", "f.h5"]),
        preset=st.sampled_from(["default", "paper"]),
        trained=st.booleans(),
    )
    def check(quality, features, preset, trained):
        features = "auto" if trained else features
        given = {
            name
            for name, value in (("quality", quality), ("features", features))
            if value not in ("default", "auto", None)
        }
        words = {"quality": quality, "features": features, "preset": preset}
        refused = given - ({"quality"} if trained and preset == "default" else set())
        if not refused:
            if not trained and preset == "paper":  # the default trains a judge
                made = oversample_files(paths, labels, tmp_path / "out", models=models, **words)
                assert made == {"b": 2}
                shutil.rmtree(tmp_path / "out")
            return
        with pytest.raises(ValueError, match="|".join(refused)) as caught:
            oversample_files(
                paths, labels, tmp_path / "out", models=None if trained else models, size=8, **words
            )
        assert "Received: " in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
