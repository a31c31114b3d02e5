"""From real samples to synthetic ones: a CycleGAN for each class, trained or given, and a judge."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from melanet.gan.training import train
from melanet.images._augmentation import Augmentation
from melanet.over_sampling._guard import Guard, describe_failures
from melanet.over_sampling._judge import Judge, reduced
from melanet.over_sampling._translator import Translator, cycle, matching_of
from melanet.utils._chunks import chunk_slices, evenly_spaced, samples_that_fit
from melanet.utils._keras import reproducible
from melanet.utils._validation import to_python


@dataclass
class Filling:
    """What `fill_up` made.

    Parameters
    ----------
    source_indices, source_kinds : ndarray of shape (n_synthetic,)
        Row that each sample was made from, and "translation" or "copy", class after class.
    cyclegans, histories, matchings : dict
        label -> CycleGAN trained, its losses by epoch, and the correction of what it makes.
    """

    source_indices: np.ndarray
    source_kinds: np.ndarray
    cyclegans: dict = field(default_factory=dict)
    histories: dict = field(default_factory=dict)
    matchings: dict = field(default_factory=dict)


def fill_up(recipe, *, samples, y, needs, sources, pretrained, seed, out, decode, verbose=0):
    """Make the samples that the classes need.

    Parameters
    ----------
    recipe : dict
        See `melanet.over_sampling._presets`.
    samples : ndarray or EncodedImages of shape (n, *sample_shape), float32
        Real samples in [-1, 1].
    y : ndarray of shape (n,)
        Their labels.
    needs : dict
        label -> number of samples to make.
    sources : dict
        label -> rows of `samples` to translate.
    pretrained : dict
        label -> CycleGAN to use instead of training.
    seed : int
        Seed of all of it.
    out : ndarray of shape (n_synthetic, ...)
        Where they go, class after class.
    decode : callable
        Turns float32 samples in [-1, 1] into those of `out`.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    Filling
    """
    made = Filling(np.zeros(0, int), np.zeros(0, "U11"))
    if not needs:
        return made
    with reproducible():
        judge = None
        classes, codes = np.unique(y, return_inverse=True)
        if recipe["reject"]:
            small = [
                reduced(samples[part]) for part in chunk_slices(len(samples), samples.shape[1:])
            ]
            judge = Judge(flip=recipe["flip"], seed=seed % 2**20).fit(np.concatenate(small), codes)
            del small
        provenance, start = [], 0
        for label, n_samples in needs.items():
            code = int(np.flatnonzero(classes == label)[0])
            rows, own = sources[label], np.flatnonzero(codes == code)
            # Seeded by the class: what one class gets does not hang on the others' needs.
            seeds = np.random.SeedSequence([seed, code]).generate_state(2)
            cyclegan = pretrained.get(label)
            if cyclegan is None:
                cyclegan, history = train(
                    recipe,
                    samples[rows],
                    samples[own],
                    seed=int(seeds[0]) % 2**20,
                    name=f"class {label}",
                    verbose=verbose,
                )
                made.cyclegans[label], made.histories[label] = cyclegan, history
            matching = known = None
            if recipe["match"]:
                most = samples_that_fit(samples.shape[1:])
                few = evenly_spaced(rows, most), samples[evenly_spaced(own, most)]
                matching, known = matching_of(recipe, cyclegan, samples.__getitem__, *few)
                made.matchings[label] = matching
            accepts = None if judge is None else (lambda x, c=code: judge.accepts(x, c))
            rng = np.random.default_rng(seeds[1])
            source, kinds, problem = make(
                recipe,
                cyclegan,
                matching,
                accepts,
                samples=samples,
                rows=rows,
                own=own,
                out=out[start : start + n_samples],
                decode=decode,
                rng=rng,
                known=known,
            )
            start += n_samples
            provenance.append((source, kinds))
            if problem:
                _warn(to_python(label), problem, kinds)
    made.source_indices, made.source_kinds = map(np.concatenate, zip(*provenance))
    return made


def _warn(label, problem, kinds):
    copies = int((kinds == "copy").sum())
    warnings.warn(
        f"Class {label!r}: {problem}. Of its {len(kinds)} synthetic samples {copies} are copies of "
        "real ones of the class (see source_kind_). Train longer, collect more, "
        "or take another remedy for this class; guard=False does without this check",
        stacklevel=7,
    )


def make(recipe, cyclegan, matching, accepts, *, samples, rows, own, out, decode, rng, known=None):
    """Make the synthetic samples of one class.

    Parameters
    ----------
    recipe : dict
        See `melanet.over_sampling._presets`.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    matching : callable or None
        Corrects what it makes.
    accepts : callable or None
        ``accepts(samples) -> ndarray of bool``, the judge.
    samples : ndarray or EncodedImages of shape (n, *sample_shape), float32
        Real samples in [-1, 1].
    rows, own : ndarray of int
        Rows of `samples` that are translated, and those of the class.
    out : ndarray of shape (n_samples, ...)
        Where they go, translations first as far as they pass.
    decode : callable
        Turns float32 samples in [-1, 1] into those of `out`.
    rng : numpy.random.Generator
        Source of order and changes.
    known : dict or None, default=None
        Row -> what the CycleGAN makes of it, where that has been found out already.

    Returns
    -------
    source : ndarray of int of shape (n_samples,)
        Row that each was made from.
    kinds : ndarray of str of shape (n_samples,)
        "translation" or "copy".
    problem : str or None
        What is wrong with the translations.
    """
    shape, n_samples = samples.shape[1:], len(out)
    n = n_samples - round(recipe["copies"] * n_samples)
    guard = None
    if recipe["guard"]:
        few = [samples[evenly_spaced(chosen, samples_that_fit(shape))] for chosen in (rows, own)]
        guard = Guard(*few)
    translator = Translator(
        samples.__getitem__,
        rows,
        n,
        recipe=recipe,
        cyclegan=cyclegan,
        rng=rng,
        guard=guard,
        matching=matching,
        accepts=accepts,
        known=known,
    )
    source, passed = np.empty(n_samples, int), np.zeros(n_samples, bool)
    watched = np.isin(np.arange(n), evenly_spaced(np.arange(n), samples_that_fit(shape)))
    seen, unchanged, refused = [np.empty((0, *shape), "float32")], 0, 0
    for now in chunk_slices(n, shape):
        places = np.arange(n)[now]
        chosen = samples[translator.draws[places]]
        made, source[now], passed[now], *failures = translator.make(places, chosen, rng)
        out[now] = decode(made)
        if guard is not None:
            seen.append(made[passed[now] & watched[now]])
        unchanged, refused = unchanged + failures[0], refused + failures[1]
    kept = np.flatnonzero(passed)
    problem = None
    if guard is not None:
        diversity = guard.collapsed(np.concatenate(seen))
        kept = kept if diversity is None else kept[:0]
        problem = describe_failures(n, unchanged=unchanged, refused=refused, diversity=diversity)
    if len(kept) < n:
        for now in chunk_slices(len(kept), shape):
            out[now] = out[kept[now]]  # never before a place that is still to be read
        source[: len(kept)] = source[kept]
    source[len(kept) :], _ = cycle(own, n_samples - len(kept), rng)
    for now in chunk_slices(n_samples - len(kept), shape):
        copied = copies_of(recipe, samples[source[len(kept) :][now]], rng, first=now.start)
        out[len(kept) :][now] = decode(copied)
    kinds = np.where(np.arange(n_samples) < len(kept), "translation", "copy").astype("U11")
    return source, kinds, problem


def copies_of(recipe, originals, rng, first=0):
    """Return copies of real samples: of images every second one is changed a little.

    Exact copies suit a classifier that is trained with augmentation, changed ones any other;
    docs/does-it-help.md has the figures. A table's copies are changed where its columns are known.

    Parameters
    ----------
    recipe : dict
        See `melanet.over_sampling._presets`.
    originals : ndarray of shape (n, *sample_shape), float32
        Left unchanged.
    rng : numpy.random.Generator
        Source of the changes.
    first : int, default=0
        Place of the first among all copies of the class.

    Returns
    -------
    ndarray of the same shape, float32
    """
    copies = originals.copy()
    odd = slice((first + 1) % 2, None, 2)
    if copies.ndim > 2 and len(copies[odd]):
        copies[odd] = Augmentation(flip=recipe["flip"])(copies[odd], rng)
    return copies


_MOST_OWN = 48  # real samples of the class whose diversity a chunk's is compared with
_MOST_COMPARED = 64  # translations of a chunk that are


@dataclass
class Chunk:
    """What `ClassFiller.make` made.

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width, 3), uint8
        Synthetic pictures.
    sources : list of int
        Row that each was made from.
    kinds : list of str
        "translation" or "copy".
    attempts, unchanged, refused : int
        First attempts, and those that the guard and the judge did not let pass.
    diversity : float or None
        Of a chunk that the guard found too uniform.
    """

    pictures: np.ndarray
    sources: list
    kinds: list
    attempts: int
    unchanged: int
    refused: int
    diversity: float | None


class ClassFiller:
    """Makes the samples that a class needs as `melanet.GANOversampler` does, but by chunks.

    Each source is used as often as the others; what judge or guard do not let pass is tried again
    with another source, and then replaced by a copy of a real picture of the class, as are those
    that the recipe wants to be copies; they come last. A chunk depends on the seed and its place
    alone, not on the chunks before it.

    Parameters
    ----------
    files : PictureFiles
        All pictures.
    rows, own : ndarray of int
        Rows of the sources, and of the class.
    n_samples : int
        Samples to make in all.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    accepts : callable or None
        ``accepts(samples) -> ndarray of bool``, the judge.
    recipe : dict
        See `melanet.over_sampling._presets`.
    seed : sequence of int
        Seed of sources and changes.
    """

    def __init__(self, files, rows, own, n_samples, *, cyclegan, accepts, recipe, seed):
        self.files, self.own, self.recipe, self.seed = files, own, recipe, list(seed)
        rng = np.random.default_rng([*self.seed, 0])
        self.n_made = n_samples - round(recipe["copies"] * n_samples)
        self.guard = matching = None
        if recipe["guard"]:
            self.guard = Guard(files.few(rows, rng), files.few(own, rng, _MOST_OWN))
        if recipe["match"]:
            few = files.drawn(rows, rng), files.few(own, rng)
            matching, _ = matching_of(recipe, cyclegan, files.read, *few)
        self.translator = Translator(
            files.read,
            rows,
            self.n_made,
            recipe=recipe,
            cyclegan=cyclegan,
            rng=rng,
            guard=self.guard,
            matching=matching,
            accepts=accepts,
        )
        self.copied, _ = cycle(own, n_samples - self.n_made, rng)

    def read(self, start, stop):
        """Return the sources of a part of the samples; another thread may do so."""
        return self.files.read(self.translator.draws[start : min(stop, self.n_made)])

    def make(self, start, stop, sources):
        """Make a part of the samples.

        Parameters
        ----------
        start, stop : int
            Which part.
        sources : ndarray
            What `read` returned for it.

        Returns
        -------
        Chunk
        """
        rng = np.random.default_rng([*self.seed, 1, start])
        places = np.arange(start, min(stop, self.n_made))
        made, rows, passed, unchanged, refused = self.translator.make(places, sources, rng)
        diversity = None
        if self.guard is not None:
            diversity = self.guard.collapsed(made[passed][:_MOST_COMPARED])
            passed &= diversity is None
        failed = np.flatnonzero(~passed)
        planned = self.copied[max(0, start - self.n_made) : max(0, stop - self.n_made)]
        instead, _ = cycle(self.own, len(failed), rng)
        copies = np.concatenate([instead, planned])
        if len(copies):
            copied = copies_of(self.recipe, self.files.read(copies), rng)
            made[failed], rows[failed] = copied[: len(failed)], instead
            made = np.concatenate([made, copied[len(failed) :]])
            rows = np.concatenate([rows, planned])
            passed = np.concatenate([passed, np.zeros(len(planned), bool)])
        return Chunk(
            self.files.form.decode(made),
            rows.tolist(),
            np.where(passed, "translation", "copy").tolist(),
            len(places),
            unchanged,
            refused,
            diversity,
        )


def check_fits(label, cyclegan, classes, sample_shape):
    """Raise ValueError unless a CycleGAN is for one of the classes, and of the samples' shape."""
    if label not in classes:
        raise ValueError(
            f"There is a CycleGAN for the class {to_python(label)!r}, which is not among the classes "
            f"{classes.tolist()}. Use a class's name"
        )
    if cyclegan.sample_shape != sample_shape:
        raise ValueError(
            f"The CycleGAN for class {to_python(label)!r} translates samples of shape "
            f"{cyclegan.sample_shape}. Received: size for {sample_shape}. Leave size out, or give "
            "the model's"
        )


def check_needs(needs, counts, pretrained):
    """Return label -> whole number of samples to make; the classes must be learnable."""
    for label, n in needs.items():
        if n != int(n):
            raise ValueError(
                "sampling_strategy must ask for whole numbers of samples. "
                f"Received: {n} more of class {to_python(label)!r}"
            )
        if counts[to_python(label)] < 2 and label not in pretrained:
            raise ValueError(
                f"Class {to_python(label)!r} has 1 sample; at least 2 are needed to learn what the "
                "class looks like. Collect more, or leave it out by sampling_strategy"
            )
    return {label: int(n) for label, n in needs.items()}
