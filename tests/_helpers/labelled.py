"""Hypothesis strategies of class names and of their spellings."""

import decimal

import numpy as np
from hypothesis import strategies as st

# A class is a text without white space at its ends, or a whole number.
CLASSES = st.one_of(
    st.integers(-20, 200),
    st.text("abAB9é_- ", min_size=1, max_size=5).map(str.strip).filter(str.isalpha),
    st.sampled_from(["01", "007", "1e3", "0.5", "-1.5", "a b", "none", "N/A", "x=1"]),
)


def class_lists(min_size=2, max_size=5):
    return st.lists(CLASSES, min_size=min_size, max_size=max_size, unique_by=str)


def spellings(name):
    """Return a strategy of values that name a class."""
    text = [str(name), f"{name} ", f"\t{name}", np.str_(name), f"\n{name}\xa0"]
    if not isinstance(name, int):
        return st.sampled_from(text)
    numbers = [name, float(name), np.int16(name), np.float32(name), decimal.Decimal(name)]
    words = [str(bool(name)), bool(name), np.bool_(name)] if name in (0, 1) else []
    return st.sampled_from([*text, *numbers, *words, f"{name}.0", f" {name}.", f"{name}.000"])


def respelt(data, name):
    """Draw a spelling of a class."""
    return data.draw(spellings(name))
