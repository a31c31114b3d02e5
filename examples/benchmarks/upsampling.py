"""Time the up-sampling convolutions of the paper's U-Net, layer by layer.

"plain" is Keras' UpSampling2D and Conv2D; "ours" is `UpsamplingConv2D`, a transposed convolution
and sums over 2x2 boxes, with a quarter of the multiplications. Forward pass and all gradients, on
one thread, in CPU seconds, which other programs affect less than wall-clock time.

    python examples/benchmarks/upsampling.py
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

from melanet.layers import UpsamplingConv2D

LAYERS = ((16, 256, 128), (32, 256, 64), (64, 128, 32), (128, 64, 3))


def layer_of(way, filters, policy):
    if way == "ours":
        return UpsamplingConv2D(filters, 4, dtype=policy)
    convolution = keras.layers.Conv2D(filters, 4, padding="same", dtype=policy)
    return keras.Sequential([keras.layers.UpSampling2D(2, dtype=policy), convolution])


def seconds(side, channels, filters, way, policy, repeats):
    layer = layer_of(way, filters, policy)
    layer.build((2, side, side, channels))
    rng = np.random.default_rng(0)
    x = tf.constant(
        rng.normal(size=(2, side, side, channels)), keras.dtype_policies.get(policy).compute_dtype
    )

    @tf.function
    def both():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, [x, *(w.value for w in layer.trainable_weights)])

    both()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        both()
        times.append(time.process_time() - start)
    return np.array(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--policy", default="float32")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # As in training: see `melanet.utils._keras`.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    print(f"keras {keras.__version__}, tensorflow {tf.__version__}, {arguments.policy}, batch 2")
    print("layer | plain, ms: median (lowest) | ours, ms: median (lowest) | plain / ours")
    for side, channels, filters in LAYERS:
        plain, ours = (
            1e3 * seconds(side, channels, filters, way, arguments.policy, arguments.repeats)
            for way in ("plain", "ours")
        )
        print(
            f"{side}x{side}, {channels} to {filters} | {np.median(plain):.1f} "
            f"({plain.min():.1f}) | {np.median(ours):.1f} ({ours.min():.1f}) | "
            f"{np.median(plain) / np.median(ours):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
