"""Two ways to convolve an up-sampled image without making it, layer by layer of the paper's U-Net.

"phases" sums the kernel's taps for each phase of the doubling and makes one convolution, 9/16 of
the plain multiplications; "boxes" is a transposed convolution and sums over 2x2 boxes, a quarter.
Forward pass and all gradients, on one thread, in processor seconds, which other programs disturb
less than elapsed ones.

    python examples/benchmarks/upsampling.py
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

from melanet.layers import UpsamplingConv2D

LAYERS = ((16, 256, 128), (32, 256, 64), (64, 128, 32), (128, 64, 3))


def seconds(side, channels, filters, boxes, policy, repeats):
    layer = UpsamplingConv2D(filters, 4, dtype=policy)
    layer.build((2, side, side, channels))
    layer._boxes = boxes
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, side, side, channels)), layer.compute_dtype)

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
    # As in training: see `melanet.reproducibility`.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    print(f"keras {keras.__version__}, tensorflow {tf.__version__}, {arguments.policy}, batch 2")
    print("layer | phases, ms: median (lowest) | boxes, ms: median (lowest) | phases / boxes")
    for side, channels, filters in LAYERS:
        phases, boxes = (
            1e3 * seconds(side, channels, filters, way, arguments.policy, arguments.repeats)
            for way in (False, True)
        )
        print(
            f"{side}x{side}, {channels} to {filters} | {np.median(phases):.1f} "
            f"({phases.min():.1f}) | {np.median(boxes):.1f} ({boxes.min():.1f}) | "
            f"{np.median(phases) / np.median(boxes):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
