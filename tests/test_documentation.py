"""README and docs: snippets run, commands parse, links resolve, the reference is complete."""

import importlib
import inspect
import json
import os
import re
import tomllib
from pathlib import Path

import isic_api_server
import isic_server
import pytest
import snippets
from PIL import Image
from snippets import PAGES, ROOT, commands_of, replay_arguments, run_python, snippets_of
from worked_examples import write_cells, write_chest_xrays

import melanet
from melanet.cli._parser import build_parser, main

SNIPPETS = [snippet for path in PAGES for snippet in snippets_of(path)]
MARKED = [snippet for snippet in SNIPPETS if snippet.mark in ("skip", "slow")]
COMMANDS = [
    (snippet.name, words)
    for snippet in SNIPPETS
    if snippet.language == "console"
    for words in commands_of(snippet.code)
]
INLINE = [
    (page, words)
    for path in PAGES
    for page, code in snippets.inline_commands(path)
    for words in commands_of(code)
]


def _runs(snippet, slow=False):
    if snippet.mark in ("skip", "slow"):
        return slow and snippet.mark == "slow"
    return snippet.language == "python" or snippet.mark == "run"


def _pages():
    """Yield each page that has snippets to run, and once more, marked slow, with its slow ones."""
    for path in PAGES:
        name, found = path.relative_to(ROOT).as_posix(), snippets_of(path)
        if any(map(_runs, found)):
            yield pytest.param(path, False, id=name)
        if any(snippet.mark == "slow" for snippet in found):
            yield pytest.param(path, True, id=f"{name}-slow", marks=pytest.mark.slow)


def _toy_folders():
    for label in ("benign", "malignant"):
        pictures, _ = melanet.datasets.make_lesions(
            5, weights=(label == "benign", label == "malignant"), image_size=16, random_state=0
        )
        for i, picture in enumerate(pictures):
            path = Path("lesions", label, f"{i}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)


def _demo_models():
    """What `melanet demo` leaves behind for `melanet serve`, with less training."""
    X, y = melanet.datasets.make_lesions(20, weights=(0.5, 0.5), image_size=16, random_state=0)
    os.mkdir("melanet-demo")
    melanet.MelaNet(backbone="small", input_size=16, epochs=1).fit(X, y).save(
        "melanet-demo/classifier.melanet"
    )
    gan = melanet.CycleGAN.from_shape((16, 16, 3), filters=4, discriminator_filters=4)
    gan.save("melanet-demo/translator.keras")


def _status(call, words):
    try:
        return call(words)
    except SystemExit as end:  # --version and --help, and what is wrong
        return end.code


def _worked_examples():
    write_chest_xrays("chest-xray")
    write_cells("cells")


# What a page takes for granted.
BEFORE = {
    "docs/data.md": _toy_folders,
    "docs/image-data.md": _worked_examples,
    "docs/serving.md": _demo_models,
}


@pytest.mark.parametrize(("path", "slow"), list(_pages()))
def test_snippets_run_in_order(path, slow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MELANET_HOME", str(tmp_path / "home"))
    page, names = path.relative_to(ROOT).as_posix(), {"__name__": "__main__"}
    with isic_server.running(), isic_api_server.running():  # what is fetched comes from loopback
        BEFORE.get(page, lambda: None)()
        for snippet in snippets_of(path):
            if not _runs(snippet, slow):
                continue
            if snippet.language == "python":
                run_python(snippet, names)
                continue
            for words in commands_of(snippet.code):
                assert words[0] == "melanet"
                assert not _status(main, words[1:])


@pytest.mark.parametrize("snippet", MARKED, ids=lambda snippet: snippet.name)
def test_snippets_that_are_skipped_or_slow_say_why(snippet):
    assert snippet.why, f"{snippet.name}: write <!-- {snippet.mark}: the reason -->"
    if snippet.language == "python":
        compile(snippet.code, snippet.name, "exec")
    if snippet.mark == "skip":
        pytest.skip(f"{snippet.name}: {snippet.why}")


def test_what_is_wrong_with_a_snippet_is_noticed(capsys):
    with pytest.raises(AssertionError, match="Expected"):
        run_python(snippets.Snippet("page.md", 3, "python", ">>> 1 + 1\n3\n"), {})
    with pytest.raises(KeyError) as error:
        run_python(snippets.Snippet("page.md", 3, "python", "a = 1\nraise KeyError(a)\n"), {})
    last = error.traceback[-1]
    assert (Path(last.path).name, last.lineno + 1) == ("page.md", 4)
    assert commands_of("a --b \\\n c && d 'e f'  # g") == [["a", "--b", "c"], ["d", "e f"]]
    parser = replay_arguments(ROOT / "examples" / "paper" / "study.py")
    assert parser.parse_args(["--seeds", "3"]).seeds == 3
    for wrong in (["--seed-count", "3"], ["--seeds", "three"]):
        with pytest.raises(SystemExit):
            parser.parse_args(wrong)


def test_no_block_has_an_unknown_language():
    known = {"python", "console", "text", "json"}
    unknown = [s.name for s in SNIPPETS if s.language not in known and s.language[0] != "{"]
    assert not unknown
    for snippet in SNIPPETS:
        if snippet.language == "json":
            json.loads(snippet.code)


@pytest.mark.parametrize(
    ("where", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_commands_are_ones_that_exist(where, words):
    with open(ROOT / "pyproject.toml", "rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    program, *rest = words
    if program == "melanet":
        assert _status(build_parser().parse_args, rest) not in (1, 2)
    elif program == "python":
        script = ROOT / rest[0]
        assert script.is_file(), f"{where}: no {rest[0]}"
        replay_arguments(script).parse_args(rest[1:])
    elif program == "pip":
        assert rest[0] == "install"
        asked = re.findall(r"\[(.*?)\]", " ".join(rest))
        assert {name for group in asked for name in group.split(",")} <= extras
    elif program == "sphinx-build":
        assert (ROOT / rest[rest.index("html") + 1] / "conf.py").is_file()
    else:
        assert program in ("pytest", "nox", "curl"), f"{where}: unknown program {program}"


@pytest.mark.parametrize(
    ("page", "words"), INLINE, ids=lambda value: value if isinstance(value, str) else value[-1]
)
def test_commands_in_the_text_name_what_there_is(page, words):
    if words[0] == "python":
        replay_arguments(ROOT / words[1]).parse_args(words[2:])
    elif words[0] == "melanet" and words[1] != "COMMAND":  # they may leave out what they must have
        command = build_parser()._subparsers._group_actions[0].choices[words[1]]
        options = {name for action in command._actions for name in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= options


def test_links_between_pages_lead_somewhere():
    # Built, or not beside the tests where they run apart from the source.
    elsewhere = {"gallery/index", "CHANGELOG.md", "LICENSE", "CITATION.cff"}
    for path in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+)", path.read_text(encoding="utf-8")):
            if "://" not in target and target not in elsewhere:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


PUBLIC = ["melanet", "melanet.metrics", "melanet.datasets", "melanet.serving", "melanet.losses"]
REFERENCE = re.findall(
    r"^   (melanet\..+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE
)


def _named(name):
    module, _, member = name.rpartition(".")
    return getattr(importlib.import_module(module), member)


def test_the_reference_names_every_public_name():
    public = {
        f"{module}.{name}"
        for module in PUBLIC
        for name in importlib.import_module(module).__all__
        if not inspect.ismodule(getattr(importlib.import_module(module), name))
    } - {"melanet.__version__"}
    for module in ("plotting", "callbacks", "layers"):  # these have no __all__
        members = vars(importlib.import_module(f"melanet.{module}"))
        public |= {
            f"melanet.{module}.{name}"
            for name, value in members.items()
            if name[0] != "_" and getattr(value, "__module__", "") == f"melanet.{module}"
        }
    assert public <= set(REFERENCE)
    assert len(REFERENCE) == len(set(REFERENCE)) > 50


@pytest.mark.parametrize("name", REFERENCE)
def test_what_the_reference_names_is_there_and_says_what_it_is(name):
    value = _named(name)
    assert inspect.getdoc(value)
    # What its text names is in the reference, too, or a module of the package.
    for other in re.findall(r"`~?(melanet\.[\w.]+)`", inspect.getdoc(value)):
        if other not in REFERENCE:
            try:
                importlib.import_module(other)
            except ImportError:
                assert other.rpartition(".")[0] in REFERENCE, f"{name} names {other}"
                _owner_has(other)


def _owner_has(name):
    owner, _, member = name.rpartition(".")
    assert hasattr(_named(owner), member)


# Sections, summary, and parameters named, typed and ordered as in the signature.
CHECKS = {"GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "SS04", "SS05", "YD01"}
CHECKS |= {"PR01", "PR02", "PR03", "PR04", "PR05", "PR10"}


def _with_methods(name):
    yield name
    if inspect.isclass(cls := _named(name)):
        for member, value in vars(cls).items():
            # What overrides another package's method does as that one says.
            bases = [b for b in cls.__mro__[1:] if not b.__module__.startswith("melanet")]
            overrides = any(hasattr(base, member) for base in bases)
            if member[0] != "_" and inspect.isroutine(value) and not overrides:
                yield f"{name}.{member}"


@pytest.mark.parametrize("name", REFERENCE)
def test_docstrings_are_in_numpydocs_form(name):
    validate = pytest.importorskip(
        "numpydoc.validate", reason='needs numpydoc: pip install "melanet[docs]"'
    ).validate
    for one in _with_methods(name):
        faults = [text for code, text in validate(one)["errors"] if code in CHECKS]
        assert not faults, f"{one}: {faults}"
