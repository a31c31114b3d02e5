"""Measure throughput and memory of translation beside a bare generator.

Six variants of one generator on the same images, in turn, so that changes of the machine's speed
affect all of them:

- bare: the generator as one compiled function on prepared batches, at several batch sizes; the
  others are compared with the fastest of them;
- translate: ``CycleGAN.translate``;
- fit_resample, translations alone: ``GANOversampler(pretrained=...)`` on 8-bit images, without
  judge, guard, matching and copies; beyond ``translate`` it scales and records provenance;
- fit_resample, matched, half copies: the same with matching, as the default redraws small images,
  which first translates up to 200 images to measure them, and with copies, some of them augmented;
- one at a time, as released: ``predict`` for each image, as in the released notebook, with the
  notebook's layers and the same weights (``ways/released_loop.py``);
- one at a time, our layers: the same loop with the generator of the other variants.

Then separate processes translate images, or fill up a class by the same number, and print their
peak memory above that after a small first translation.

    python examples/benchmarks/translation.py
    python examples/benchmarks/translation.py --side 28 --channels 1 --generator resnet --filters 16
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def build(options):
    from melanet import CycleGAN

    shape = (options.side, options.side, options.channels)
    small = {"discriminator_filters": 2}
    return CycleGAN.from_shape(shape, generator=options.generator, filters=options.filters, **small)


def compiled(generator):
    """Return the generator as one compiled function from array to array."""
    import keras
    import numpy as np

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        function = tf.function(lambda x: generator(x, training=False), reduce_retracing=False)
        return lambda x: function(tf.constant(x)).numpy()
    if backend == "jax":
        import jax

        state = [[v.value for v in generator.variables]]
        n = len(generator.trainable_variables)

        @jax.jit
        def function(values, x):
            return generator.stateless_call(values[:n], values[n:], x, training=False)[0]

        return lambda x: np.asarray(function(state[0], x))
    import torch

    def function(x):
        with torch.no_grad():
            return keras.ops.convert_to_numpy(generator(x, training=False))

    return function


def one_by_one(network, images):
    """Translate image by image, as in the released notebook."""
    return [network.predict(image[None], verbose=0) for image in images]


def measure_memory(options):
    """Print the peak memory of one variant, the size of its data and the memory before, in MiB."""
    import resource

    import numpy as np

    from melanet import GANOversampler

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    gan = build(options)
    shape = gan.sample_shape

    def translate(n):
        x = np.full((n, *shape), 0.25, "float32")
        return x.nbytes + gan.translate(x).nbytes

    def fit_resample(n):
        pixels = np.full((n + 2, *shape), 160, "uint8")
        settings = {"pretrained": {1: gan}, "reject": False, "random_state": 0}
        y = np.repeat([0, 1], [n, 2])
        sampler = GANOversampler(sampling_strategy={1: n + 2}, guard=False, **settings)
        return pixels.nbytes + sampler.fit_resample(pixels, y)[0].nbytes

    way = {"translate": translate, "fit_resample": fit_resample}[options.only_memory]
    way((40 << 20) // (4 * int(np.prod(shape))))  # more than one chunk
    before = peak()
    size = way(options.memory)
    print(f"{peak() - before:.0f} {size / 2**20:.0f} {before:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--generator", default="unet")
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16, 32, 64, 128])
    parser.add_argument(
        "--memory", type=int, default=0, help="images in the memory test (default: 256 MiB)"
    )
    parser.add_argument("--only-memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = 4 * options.side**2 * options.channels
    options.memory = options.memory or (256 << 20) // size
    if options.only_memory:
        measure_memory(options)
        return

    import keras
    import numpy as np
    from ways import released_loop

    from melanet import GANOversampler

    gan = build(options)
    rng = np.random.default_rng(0)
    n = options.images
    pixels = rng.integers(0, 256, (n + 2, *gan.sample_shape), "uint8")
    x = (pixels[:n] / 127.5 - 1).astype("float32")
    y = np.repeat([0, 1], [n, 2])
    bare = compiled(gan.generator_ab)
    settings = {"pretrained": {1: gan}, "reject": False, "guard": False, "random_state": 0}
    plain, full = {"match": False, "copies": 0}, {"match": True, "copies": 0.5}
    samplers = {
        name: GANOversampler(sampling_strategy={1: n + 2}, **settings, **extra)
        for name, extra in (("translations alone", plain), ("matched, half copies", full))
    }

    def by_batches(size):
        return lambda: [bare(x[i : i + size]) for i in range(0, n - n % size or n, size)]

    ways = {f"bare, batch {size}": by_batches(size) for size in options.batches if size <= n}
    counts = {f"bare, batch {size}": n - n % size or n for size in options.batches}
    ways["translate"] = lambda: gan.translate(x)
    for name, sampler in samplers.items():
        ways[f"fit_resample, {name}"] = partial(sampler.fit_resample, pixels, y)
    few = x[: max(4, n // 8)]
    released = released_loop.with_plain_layers(gan.generator_ab)
    for layers, network in (("as released", released), ("our layers", gan.generator_ab)):
        name = f"one at a time, {layers}"
        ways[name] = partial(one_by_one, network, few)
        counts[name] = len(few)
    np.testing.assert_allclose(gan.translate(few), bare(few), atol=1e-4)
    np.testing.assert_allclose(released.predict(few, verbose=0), bare(few), atol=1e-3)

    rates = {name: [] for name in ways}
    for turn in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:  # the first round compiles
                rates[name].append(counts.get(name, n) / (time.perf_counter() - start))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    best = max(value for name, value in middle.items() if name.startswith("bare"))
    print(
        f"keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.1f}; {options.generator}, {options.filters} filters, "
        f"{'x'.join(map(str, gan.sample_shape))}, {n} images, {options.rounds} rounds"
    )
    print(
        "way | images a second, median (lowest .. highest) | share of the best bare | "
        "times one as released"
    )
    for name, values in rates.items():
        print(
            f"{name} | {middle[name]:.1f} ({min(values):.1f} .. {max(values):.1f}) | "
            f"{middle[name] / best:.2f} | {middle[name] / middle['one at a time, as released']:.1f}"
        )
    for way in ("translate", "fit_resample"):
        for count in (options.memory // 2, options.memory):
            words = [*sys.argv[1:], "--only-memory", way, "--memory", str(count)]
            words = [sys.executable, __file__, *words]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            peak, data, before = done.stdout.split()
            print(
                f"memory, {way}: {count} images, input and output {data} MiB, peak {peak} MiB "
                f"above the {before} MiB before"
            )


if __name__ == "__main__":
    main()
