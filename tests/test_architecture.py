"""Imports between the package's modules go one way, from the command line down to the layers."""

import ast
from pathlib import Path

import melanet

ROOT = Path(melanet.__file__).parent
# A module imports from lower floors, or from its own package; within a floor, one way only.
FLOORS = [
    {"__main__"},
    {"cli", "_model_card"},
    {"comparison", "plotting"},
    {"over_sampling", "serving"},
    {"gan", "metrics", "classifier"},
    {"preprocessing", "callbacks", "datasets", "features"},
    {"images", "weights"},
    {"utils"},
    {"layers", "losses", "exceptions", "_version", "NOT_FOR_DIAGNOSIS"},
]
# Loaded on demand, by name: the arrows are not imports of the package.
LAZY = {"__init__"}
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}
HOMES = vars(melanet)["_HOME"]  # public name -> package that it is loaded from


def type_checking_only(tree):
    """Return the nodes that only a type checker executes."""
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {inner for block in blocks for inner in ast.walk(block)}


def imports(path, for_types):
    """Yield the modules of the package that a file imports, also in functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = set() if for_types else type_checking_only(tree)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "melanet":
            for alias in node.names:
                if node.module == "melanet":
                    yield HOMES.get(alias.name, f"melanet.{alias.name}")
                elif f"{node.module}.{alias.name}" in MODULES:
                    yield f"{node.module}.{alias.name}"
                else:
                    yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "melanet")


def room(module):
    return [*module.split("."), "__init__"][1]


def arrows(for_types=True):
    return {
        (name, target)
        for name, path in MODULES.items()
        if name != "melanet"
        for target in imports(path, for_types)
    }


def test_every_room_has_a_floor():
    assert {room(name) for name in MODULES} - LAZY <= LEVEL.keys()


def test_no_import_goes_up():
    assert not {
        f"{source} -> {target}"
        for source, target in arrows()
        if room(source) != room(target) and LEVEL[room(source)] > LEVEL[room(target)]
    }


def circles(pairs):
    """Return the nodes that remain when those without incoming or outgoing arrows are removed."""
    pairs = {(a, b) for a, b in pairs if a != b}
    while True:
        inner = {a for a, _ in pairs} & {b for _, b in pairs}
        kept = {(a, b) for a, b in pairs if a in inner and b in inner}
        if kept == pairs:
            return inner
        pairs = kept


def test_circles_are_found():
    assert circles({("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}) == {"b", "c"}
    assert not circles({("a", "b"), ("b", "c"), ("a", "c")})


def test_packages_do_not_import_each_other_in_a_circle():
    assert not circles({(room(source), room(target)) for source, target in arrows()})


def test_modules_do_not_import_each_other_in_a_circle():
    # A package's __init__ imports its own modules, so arrows to it are another matter.
    found = arrows(for_types=False)
    assert not circles({(a, b) for a, b in found if MODULES[a].stem != "__init__"})
