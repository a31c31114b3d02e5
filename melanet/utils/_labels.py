"""One rule for labels: which spellings name the same class, and which name none.

Labels are equal if their texts are. The text of a label is normalized (Unicode NFC) and stripped of
white space at both ends; whole numbers are written without a fraction, so that 1, 1.0 and "1.0"
are "1"; and booleans are 1 and 0. Case and leading zeros count: "Benign" is not "benign", and "01"
is not "1". None, NaN, NaT and pandas.NA, "nan" (as text made of NaN reads), and blank text are
missing labels.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melanet.utils._validation import check_unmasked, join_names, to_python

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))(?:\.0*)?")
_BOOLEANS = {"true": "1", "false": "0"}
_MISSING = {"", "nan", "NaN", "NaT", "<NA>"}
_MOST_NAMED = 20  # labels or rows that a message lists


def label_text(label: Any) -> str:
    """Return the text by which a label is compared; empty if the label is missing.

    Parameters
    ----------
    label : object
        Label of any type.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.utils._labels import label_text
    >>> [label_text(label) for label in (1, np.float32(1), True, "1.0", " 1 ")]
    ['1', '1', '1', '1', '1']
    >>> [label_text(label) for label in ("benign ", "Benign", "01", 0.5, None, float("nan"))]
    ['benign', 'Benign', '01', '0.5', '', '']
    """
    text = stripped(label)
    if label is None or text in _MISSING:
        return ""
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if isinstance(label, (float, np.floating)) and label.is_integer():
        return str(int(label))  # large floats are written with an exponent
    whole = _WHOLE.fullmatch(text)
    return str(int(whole[1])) if whole and len(text) < 100 else text


def stripped(label: Any) -> str:
    """Return a label as text, normalized and without white space at its ends."""
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    return unicodedata.normalize("NFC", text).strip()


def label_texts(name: str, labels: Iterable[Any], places: Sequence[object] = ()) -> list[str]:
    """Return the texts of labels; raise ValueError if labels are missing or masked.

    Parameters
    ----------
    name : str
        Name of the labels, for the message.
    labels : iterable
        Labels.
    places : sequence, default=()
        Name of each label's place, for the message; by default its position.

    Returns
    -------
    list of str
    """
    check_unmasked(name, labels)
    values = list(labels)
    known: dict[str, str] = {}  # few labels are repeated often
    texts = []
    for value in values:
        if not isinstance(value, str):
            texts.append(label_text(value))
            continue
        if value not in known:
            known[value] = label_text(value)
        texts.append(known[value])
    missing = [i for i, text in enumerate(texts) if not text]
    if missing:
        shown = join_names((places[i] if places else i for i in missing), _MOST_NAMED)
        rows = "" if places else "row " if len(missing) == 1 else "rows "
        raise ValueError(
            f"{name} must hold a label everywhere. Received: "
            f"{to_python(values[missing[0]])!r} in {rows}{shown}. Fill it in, or leave it out"
        )
    return texts


def check_spelling(name: str, labels: Iterable[Any]) -> None:
    """Raise ValueError if labels are missing, or different labels have the same text.

    Parameters
    ----------
    name : str
        Name of the labels, for the message.
    labels : iterable
        Labels, with repetitions.

    Examples
    --------
    >>> from melanet.utils._labels import check_spelling
    >>> check_spelling("y", ["benign", "benign ", "malignant"])
    Traceback (most recent call last):
      ...
    ValueError: y must spell each label in one way. Received: 'benign' and 'benign '
    """
    check_unmasked(name, labels)
    values = list(labels)
    spellings: dict[str, dict[Any, None]] = {}
    for text, value in zip(label_texts(name, values), values):
        spellings.setdefault(text, {})[to_python(value)] = None
    for found in spellings.values():
        if len(found) > 1:
            raise ValueError(
                f"{name} must spell each label in one way. Received: "
                f"{' and '.join(map(repr, found))}"
            )


def match_labels(
    name: str, labels: Iterable[Any], classes_name: str, classes: Iterable[Any]
) -> NDArray[np.intp]:
    """Return the position of each label among some classes, matched by their texts.

    Parameters
    ----------
    name : str
        Name of the labels, for the message.
    labels : iterable of length n
        Labels of any type, in any order.
    classes_name : str
        Name of the classes, for the message.
    classes : iterable
        Classes of any type, each once.

    Returns
    -------
    ndarray of int of shape (n,)

    Raises
    ------
    ValueError
        If labels are missing or not among the classes, or two classes have the same text; the
        message names both sides.

    Examples
    --------
    >>> from melanet.utils._labels import match_labels
    >>> match_labels("y", ["10", "9"], "classes", [9, 10]).tolist()
    [1, 0]
    """
    check_unmasked(name, labels)
    values, known = list(labels), list(classes)
    check_spelling(classes_name, known)
    positions = {label_text(label): i for i, label in enumerate(known)}
    texts = label_texts(name, values)
    unknown = {to_python(v): None for text, v in zip(texts, values) if text not in positions}
    if unknown:
        raise ValueError(
            f"{name} must be among {classes_name}, {_shown(known)}. Received: {_shown(unknown)}"
        )
    return np.array([positions[text] for text in texts], dtype=np.intp)


def match_keys(
    name: str, values: Mapping[Any, Any], classes_name: str, classes: Sequence[Any] | NDArray[Any]
) -> dict[Any, Any]:
    """Return a dict whose keys are the classes that the keys of another dict name.

    Raises
    ------
    ValueError
        If a key is not among the classes, or two keys name the same class.
    """
    check_spelling(f"The keys of {name}", values)
    positions = match_labels(f"The keys of {name}", values, classes_name, classes)
    return {classes[i]: value for i, value in zip(positions, values.values())}


def merge_spellings(name: str, labels: Sequence[Any], places: Sequence[object]) -> list[str]:
    """Return one name for all spellings of a class.

    Parameters
    ----------
    name : str
        Name of the labels, for messages.
    labels : sequence
        Labels as they are written.
    places : sequence
        Place of each label, such as its line in a file.

    Returns
    -------
    list of str
        Names: labels stripped, or the text by which they are compared if that is spelt in
        several ways.

    Warns
    -----
    UserWarning
        If a class is spelt in several ways; the warning names them.

    Raises
    ------
    ValueError
        If labels are missing; the message names their places.
    """
    texts = label_texts(name, labels, places)
    spellings: dict[str, dict[str, object]] = {}
    for text, label, place in zip(texts, labels, places):
        spellings.setdefault(text, {}).setdefault(str(label), place)
    for text, found in spellings.items():
        if len(found) > 1:
            shown = " and ".join(f"{label!r} ({place})" for label, place in found.items())
            warnings.warn(
                f"{name} spell a class in several ways: {shown}. They are one class, {text!r}",
                stacklevel=3,
            )
    return [
        text if len(spellings[text]) > 1 else stripped(label) for text, label in zip(texts, labels)
    ]


def _shown(labels: Iterable[Any]) -> str:
    return f"[{join_names((repr(to_python(label)) for label in labels), _MOST_NAMED)}]"
