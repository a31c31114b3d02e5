"""The arms: samplers by their parameters, and controls, each of which must fail an aim.

A new candidate is a line in `VARIANTS`.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from measuring.pretrained import keras_vgg16

# Parameters of GANOversampler. Lesions have no upper side; X-rays have.
VGG16 = "<VGG16>"  # stands for the path of its weights
VARIANTS = {
    "default": {"features": VGG16},
    "default, no features": {"features": None},
    "default, no flip": {"features": VGG16, "flip": None},
    "draft": {"features": VGG16, "quality": "draft"},
    "high": {"features": VGG16, "quality": "high"},
    "redrawn": {"generator": "resnet"},  # the default before edits
    "U-Net, 5e-4": {"generator": "unet", "learning_rate": 5e-4},
    "paper": {"preset": "paper"},
}
# Parameters of all arms but the paper's, by data set; other folders get none.
BY_DATA = {"isic2016": {"flip": "both"}, "chest-xray": {"flip": None}}
NOISE = 8  # largest change of the gradient noise, of 255
_NOISE_STEPS = 20


@dataclass
class Made:
    """Translations of an arm.

    Parameters
    ----------
    images : ndarray of shape (n, side, side, c), uint8
        All samples returned as translations.
    source_rows : ndarray of int of shape (n,)
        Rows of the sampler's pictures that they were made from.
    asked : int
        Number of samples asked for.
    facts : dict
        JSON-serializable: processor seconds, the recipe.
    """

    images: np.ndarray
    source_rows: np.ndarray
    asked: int
    facts: dict = field(default_factory=dict)


def make(name, bench, seed, data=""):
    """Return the translations of an arm.

    Parameters
    ----------
    name : str
        A key of `VARIANTS` or of `CONTROLS`.
    bench : measuring.measures.Bench
        Pictures.
    seed : int
        Random state.
    data : str
        Name of the data set, for `BY_DATA`.

    Raises
    ------
    ValueError
        If the sampler used a network that measures it.
    """
    start = time.process_time()
    if name in CONTROLS:
        rows = source_rows(bench, seed)
        made = Made(CONTROLS[name](bench, rows), rows, len(rows))
    else:
        made = _resample(name, bench, seed, data)
    made.facts["cpu_s"] = time.process_time() - start
    return made


def _resample(name, bench, seed, data):
    from melanet import GANOversampler

    options = {**(BY_DATA.get(data, {}) if name != "paper" else {}), **VARIANTS[name]}
    given = dict(options)
    if options.get("features") == VGG16:
        given["features"] = keras_vgg16(bench.weights)
    sampler = GANOversampler(random_state=seed, **given)
    X, _ = sampler.fit_resample(bench.X, bench.y.astype(int))
    recipe = sampler.recipe_.as_dict()
    refuse_inside(recipe, bench.outside)
    translated = np.asarray(sampler.source_kind_) == "translation"
    made = X[len(bench.X) :]
    (report,) = sampler.reports_.values()
    facts = {"recipe": recipe, "options": options, "strength": report.measures.get("strength")}
    return Made(made[translated], sampler.source_indices_[translated], len(made), facts)


def refuse_inside(recipe, outside):
    """Raise ValueError if a recipe names a network that measures it."""
    text = str(recipe).lower()
    for network in outside:
        family = network.partition("-")[0].rstrip("0123456789")  # "vgg", "efficientnet"
        if family in text:
            raise ValueError(
                f"--outside must be a network that the sampler does not use. Received: {network}, "
                "and the recipe names it. Do: --outside with the other network"
            )


def source_rows(bench, seed):
    """Draw as many common pictures as rare ones are missing, each as rarely as possible."""
    common = np.flatnonzero(~bench.y)
    order = np.random.default_rng(seed).permutation(common)
    return np.resize(order, len(common) - bench.y.sum())


def identity(bench, rows):
    """Return the sources unchanged."""
    return bench.X[rows]


def pasted(bench, rows):
    """Return the rare picture that is nearest to each source."""
    from melanet.metrics import nearest_samples

    def flat(images):
        return images.reshape(len(images), -1) / 255.0

    return bench.rare[nearest_samples(flat(bench.X[rows]), flat(bench.rare))[1]]


def blend(bench, rows):
    """Return the mean of each source and the nearest rare picture."""
    parts = (f(bench, rows).astype(np.uint16) for f in (identity, pasted))
    return ((sum(parts) + 1) // 2).astype(np.uint8)


def gradient_noise(bench, rows):
    """Return the sources with small noise that one oracle, a network, takes for the class."""
    network = next(o for o in bench.oracles if hasattr(o, "model"))
    return _climb(network.model, bench.X[rows])


def _climb(model, images):
    import keras
    from keras import layers

    size = int(np.prod(images.shape[1:]))
    model.trainable = False
    row = keras.Input((), dtype="int32")
    noise = layers.Embedding(len(images), size, embeddings_initializer="zeros")
    change = layers.Reshape(images.shape[1:])(noise(row))
    picture = keras.Input(images.shape[1:])
    changed = layers.Rescaling(NOISE)(layers.Activation("tanh")(change))
    changed = layers.Add()([picture, changed])
    climber = keras.Model([picture, row], model(changed, training=False))
    climber.compile(keras.optimizers.Adam(0.3), "binary_crossentropy", jit_compile=False)
    inputs = [images.astype("float32"), np.arange(len(images))]
    ones = np.ones((len(images), 1), "float32")
    climber.fit(inputs, ones, batch_size=len(images), epochs=_NOISE_STEPS, verbose=0)
    model.trainable = True
    change = NOISE * np.tanh(noise.get_weights()[0].reshape(images.shape))
    return np.rint(np.clip(images + change, 0, 255)).astype(np.uint8)


CONTROLS = {
    "identity": identity,
    "pasted": pasted,
    "blend": blend,
    "gradient-noise": gradient_noise,
}
