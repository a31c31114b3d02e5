"""``melanet oversample``: synthetic pictures for a folder of images, and where they came from."""

from pathlib import Path

from melanet.cli._common import list_folder, list_table, two_or_more
from melanet.over_sampling._files import oversample_files


def parse_strategy(text):
    """Turn the command's text into a `sampling_strategy`.

    Parameters
    ----------
    text : str
        A word of imbalanced-learn's such as "auto", a ratio such as "0.5", or numbers of images
        that classes shall have, such as "malignant=900,other=300".

    Returns
    -------
    str, float or dict

    Raises
    ------
    ValueError
        If a number of images is not a whole number.

    Examples
    --------
    >>> from melanet.cli._oversample import parse_strategy
    >>> parse_strategy("malignant=900")
    {'malignant': 900}
    """
    if "=" in text:
        pairs = [part.rpartition("=") for part in text.split(",")]
        if not all(n.strip().isdigit() for _, _, n in pairs):
            raise ValueError(
                f"sampling_strategy must be such as 'malignant=900,other=300'. Received: {text!r}"
            )
        return {name.strip(): int(n) for name, _, n in pairs}
    try:
        return float(text)
    except ValueError:
        return text


def oversample_folder(
    source,
    destination,
    *,
    models=(),
    sampling_strategy="auto",
    preset="default",
    size=None,
    seed=0,
    verbose=0,
):
    """Write synthetic pictures that fill up the rare classes of a folder of images.

    A run that was killed goes on when it is called again; see
    `melanet.over_sampling.oversample_files`.

    Parameters
    ----------
    source : str or path-like
        A folder with a folder for each class, or a CSV file with the columns ``path`` and
        ``label``; nothing in it is changed.
    destination : str or path-like
        Folder to write, which must be new or empty, as of `melanet.over_sampling.oversample_files`.
        Its manifest names sources as seen from `source`, or from the CSV file's folder.
    models : sequence of str, default=()
        Files of CycleGANs to use instead of training: ``FILE``, which fills up the rarest
        class, or ``CLASS=FILE``.
    sampling_strategy : float, str or dict, default="auto"
        As in imbalanced-learn, with the folders' names as labels.
    preset : {"default", "paper"}, default="default"
        Recipe of the training; with `models`, whether translations are judged ("default") or
        stretched ("paper").
    size : int or None, default=None
        Side that images are resized to; None takes that of the first model, or 256.
    seed : int, default=0
        Seed of it all.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    dict
        Class -> number of pictures written.

    Raises
    ------
    ValueError
        If the folders or parameters do not fit, or nothing has to be made.
    OSError
        If an image or model cannot be read.
    """
    source = Path(source)
    table = source.is_file()
    paths, y = list_table(source) if table else list_folder(source)
    counts = two_or_more(y, source)
    rarest = min(counts, key=counts.get)
    named = [_split(model) for model in models]
    return oversample_files(
        paths,
        y,
        destination,
        names=[_seen_from(source.parent if table else source, path) for path in paths],
        models={label or rarest: file for label, file in named},
        sampling_strategy=sampling_strategy,
        preset=preset,
        size=size,
        seed=seed,
        verbose=verbose,
    )


def _seen_from(folder, path):
    path = Path(path)
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _split(model):
    """Return (class or None, file) of ``FILE`` or ``CLASS=FILE``."""
    label, sign, file = model.partition("=")
    return (label, file) if sign and not Path(model).exists() else (None, model)
