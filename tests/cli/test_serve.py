import argparse
import subprocess
import sys

import pytest
from commands import run_failing

from melanet import CycleGAN, serving
from melanet.classifier import load_classifier
from melanet.cli import _serve
from melanet.cli._demo import train_lesion_models
from melanet.cli._serve import parse_labels


def parse(*argv):
    parser = argparse.ArgumentParser()
    _serve.add_arguments(parser.add_argument)
    return parser.parse_args(argv)


def test_arguments_are_passed_to_serve(monkeypatch):
    calls = []
    monkeypatch.setattr(
        serving, "serve", lambda *args, **options: calls.append((args, options)), raising=False
    )
    _serve.run(parse("--model", "a.melanet"))
    _serve.run(
        parse(
            *("--model", "m", "--translator", "t", "--host", "::1", "--port", "0"),
            *("--labels", "a,b", "--value-range", "0,4095"),
        )
    )
    assert calls == [
        (
            ("a.melanet", None),
            {"host": "127.0.0.1", "port": 8000, "labels": None, "value_range": None},
        ),
        (
            ("m", "t"),
            {"host": "::1", "port": 0, "labels": ["a", "b"], "value_range": (0, 4095)},
        ),
    ]


def test_without_a_model_the_error_names_the_command_that_writes_one():
    with pytest.raises(ValueError, match=r"`melanet demo` writes a small one"):
        _serve.run(parse())


def test_the_demos_models_can_be_served(tmp_path):
    pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
    classifier, translator = train_lesion_models(tmp_path / "new", size=8, epochs=1, steps=1)
    app = serving.create_app(
        load_classifier(classifier), translator=CycleGAN.from_pretrained(translator)
    )
    assert "/api/predict" in app.openapi()["paths"]


def test_a_missing_extra_is_named_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    for name in ("_app", "_server"):  # as if they had not been imported before
        monkeypatch.delitem(sys.modules, f"melanet.serving.{name}", raising=False)
    monkeypatch.delitem(vars(serving), "serve", raising=False)
    line = run_failing(capsys, "serve", "--model", "x", "--port", 0)
    message = 'melanet.serving needs fastapi, which is not installed: pip install "melanet[app]"'
    assert line == f"melanet: {message}"


def test_nothing_heavy_is_imported_for_the_arguments():
    code = "import melanet.cli._serve, melanet.serving, sys; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_labels_are_a_mapping_or_in_order():
    assert parse_labels(None) is None
    assert parse_labels("a, b") == ["a", "b"]
    assert parse_labels("0=a, 1 = b=c") == {"0": "a", "1": "b=c"}
    for text in ("0=a,b", "0=a,0=b"):
        with pytest.raises(ValueError, match="labels must be such as"):
            parse_labels(text)
