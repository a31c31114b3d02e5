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


def test_every_room_has_a_floor():
    assert {room(name) for name in MODULES} - LAZY <= LEVEL.keys()


def test_no_import_goes_up():
    assert not {
        f"{source} -> {target}"
        for source, target in ARROWS
        if room(source) != room(target) and LEVEL[room(source)] > LEVEL[room(target)]
    }


def circles(arrows):
    """Return the nodes that remain when those without incoming or outgoing arrows are removed."""
    arrows = {(a, b) for a, b in arrows if a != b}
    while True:
        inner = {a for a, _ in arrows} & {b for _, b in arrows}
        kept = {(a, b) for a, b in arrows if a in inner and b in inner}
        if kept == arrows:
            return inner
        arrows = kept


def test_circles_are_found():
    assert circles({("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}) == {"b", "c"}
    assert not circles({("a", "b"), ("b", "c"), ("a", "c")})


def test_packages_do_not_import_each_other_in_a_circle():
    assert not circles({(room(source), room(target)) for source, target in ARROWS})


def test_modules_do_not_import_each_other_in_a_circle():
    # A package's __init__ imports its own modules, so arrows to it are another matter.
    assert not circles({arrow for arrow in ARROWS if MODULES[arrow[0]].stem != "__init__"})
