"""Find and run the snippets of README and docs."""

import ast
import doctest
import re
import shlex
from typing import NamedTuple

from markdown_it import MarkdownIt
from paths import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not {"_build", "gallery", "generated"} & set(path.relative_to(ROOT).parts)
    ),
]
_MARK = re.compile(r"<!-- (skip|slow|run)(?:: (.+?))? -->")


class Snippet(NamedTuple):
    """A block of code; the comment before it holds `mark` and its reason, `why`."""

    page: str
    line: int
    language: str
    code: str
    mark: str = ""
    why: str = ""

    @property
    def name(self):
        """Page and line, in the form that editors open."""
        return f"{self.page}:{self.line}"


def snippets_of(path):
    """Return the code blocks of a page in order; blocks without a language are "console"."""
    found, mark = [], ("", "")
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        if token.type == "html_block" and (match := _MARK.match(token.content)):
            mark = (match[1], match[2] or "")
        elif token.type in ("fence", "code_block"):
            language = token.info.strip().split(" ")[0] or "console"
            line = token.map[0] + 1 + (token.type == "fence")
            page = path.relative_to(ROOT).as_posix()
            found.append(Snippet(page, line, language, token.content, *mark))
            mark = ("", "")
    return found


def inline_commands(path):
    """Return the inline commands of a page: melanet, its examples and pip."""
    found = []
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "code_inline" and re.match(
                r"(melanet [a-z]|python examples/|pip install )", child.content
            ):
                found.append((path.relative_to(ROOT).as_posix(), child.content))
    return found


def run_python(snippet, names):
    """Run a block in the namespace `names`; interactive sessions are run as doctests."""
    if snippet.code.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(
            snippet.code, names, snippet.name, snippet.page, snippet.line
        )
        test.globs = names
        output = []
        result = doctest.DocTestRunner().run(test, out=output.append, clear_globs=False)
        assert not result.failed, "".join(output)
    else:  # empty lines in front make tracebacks name the line of the page
        code = compile("\n" * (snippet.line - 1) + snippet.code, snippet.page, "exec")
        exec(code, names)


def commands_of(code):
    """Split shell lines into commands, each of them a list of words."""
    found = []
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            end = words.index("&&")
            found.append(words[:end])
            words = words[end + 1 :]
        found.append(words)
    return [words for words in found if words]


def replay_arguments(script):
    """Build a script's argparse parser from its source, since its imports may be missing."""
    import argparse

    parser = argparse.ArgumentParser(prog=script.name)
    adders = {"add_argument"}
    for node in ast.walk(tree := ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and getattr(node.value, "attr", "") == "add_argument":
            adders |= {target.id for target in node.targets}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in adders:
            options = {word.arg: _literal(word.value) for word in node.keywords}
            kept = ("action", "nargs", "choices", "type", "dest", "default", "required")
            parser.add_argument(
                *map(ast.literal_eval, node.args),
                **{k: v for k, v in options.items() if k in kept and v is not None},
            )
    return parser


def _literal(node):
    if isinstance(node, ast.Name) and node.id in ("int", "float", "str"):
        return {"int": int, "float": float, "str": str}[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None  # computed values do not matter
