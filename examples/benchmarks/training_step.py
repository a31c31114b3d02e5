"""Seconds for one training step of the paper's networks, ours beside plain ones in the same run.

Three ways, on the same images with the same initial weights, alternating, so that a change of
the machine's speed meets all of them:

- melanet: one fused step of `CycleGAN`;
- unfused layers: the same step, up-sampling and convolution as two plain layers;
- released loop: three alternating kinds of update by ``train_on_batch``, every forward pass as
  often as the released notebook makes it, written anew for today's Keras.

    python examples/benchmarks/training_step.py
"""

import argparse
import os
import time

import keras
import numpy as np
from keras import layers

from melanet import CycleGAN, UnpairedImages
from melanet.layers import UpsamplingConv2D
from melanet.objectives import adam


def unfused(model):
    """Return a generator with plain up-sampling and convolution layers, and the same weights."""

    def plain(layer):
        if not isinstance(layer, UpsamplingConv2D):
            return layer.__class__.from_config(layer.get_config())
        convolution = layers.Conv2D(
            layer.filters, layer.kernel_size, padding="same", activation=layer.activation
        )
        return keras.Sequential([layers.UpSampling2D(2), convolution])

    clone = keras.models.clone_model(model, clone_function=plain)
    clone.set_weights(model.get_weights())
    return clone


def released_loop(parts):
    """Return a function that makes one step as the released notebook does."""
    g_ab, g_ba, d_a, d_b = parts
    for judge in (d_a, d_b):
        judge.compile(optimizer=adam(), loss="mse")
    side = g_ab.input_shape[1:]
    a, b = keras.Input(side), keras.Input(side)
    fake_b, fake_a = g_ab(a), g_ba(b)
    frozen = []
    for judge in (d_a, d_b):
        copy = keras.models.clone_model(judge)
        copy.trainable = False
        frozen.append(copy)
    outputs = [frozen[0](fake_a), frozen[1](fake_b), g_ba(fake_b), g_ab(fake_a), g_ba(a), g_ab(b)]
    combined = keras.Model([a, b], outputs)
    combined.compile(
        optimizer=adam(),
        loss=["mse", "mse", "mae", "mae", "mae", "mae"],
        loss_weights=[1, 1, 10, 10, 1, 1],
    )

    def step(x, y):
        made_b = g_ab.predict_on_batch(x)
        made_a = g_ba.predict_on_batch(y)
        ones = np.ones((len(x), *d_a.output_shape[1:]), "float32")
        for judge, real, made in ((d_a, x, made_a), (d_b, y, made_b)):
            judge.train_on_batch(real, ones)
            judge.train_on_batch(made, 0 * ones)
        # The released code shares the weights; copying them here is left out of the time.
        start = time.perf_counter()
        for copy, judge in zip(frozen, (d_a, d_b)):
            copy.set_weights(judge.get_weights())
        copied = time.perf_counter() - start
        combined.train_on_batch([x, y], [ones, ones, x, y, x, y])
        return copied

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="steps of each way in a round")
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (8, *shape)).astype("float32")

    fused = CycleGAN.from_shape(shape)
    plain = CycleGAN(
        unfused(fused.generator_ab),
        unfused(fused.generator_ba),
        keras.models.clone_model(fused.discriminator_a),
        keras.models.clone_model(fused.discriminator_b),
    )
    difference = np.abs(fused.translate(images[:1]) - plain.translate(images[:1])).max()
    print(
        f"keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} cores, "
        f"{arguments.side}x{arguments.side}, batch {arguments.batch_size}; fused and plain "
        f"generators differ by {difference:.1e}"
    )
    batches = UnpairedImages(images, images, arguments.batch_size, steps=arguments.steps)
    loop = released_loop(
        [unfused(g) for g in (fused.generator_ab, fused.generator_ba)]
        + [keras.models.clone_model(d) for d in (fused.discriminator_a, fused.discriminator_b)]
    )

    def by_fit(model):
        start = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0)
        return (time.perf_counter() - start) / arguments.steps

    def by_loop():
        start, copied = time.perf_counter(), 0.0
        for i in range(arguments.steps):
            ((a, b),) = batches[i]
            copied += loop(a, b)
        return (time.perf_counter() - start - copied) / arguments.steps

    ways = {
        "melanet": lambda: by_fit(fused),
        "unfused layers": lambda: by_fit(plain),
        "released loop": by_loop,
    }
    seconds = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):
        for name, way in ways.items():
            value = way()
            if turn:  # the first round traces
                seconds[name].append(value)
    print("way | seconds a step, median (lowest .. highest) | times melanet's")
    ours = np.median(seconds["melanet"])
    for name, values in seconds.items():
        middle = np.median(values)
        print(
            f"{name} | {middle:.2f} ({min(values):.2f} .. {max(values):.2f}) | {middle / ours:.2f}"
        )


if __name__ == "__main__":
    main()
