"""Every option is used as given, or refused by name."""

import argparse

import pytest
from hypothesis import strategies as st
from properties import for_all, in_process

from melanet.cli import build_parser
from melanet.cli._train_gan import choose_classes

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
