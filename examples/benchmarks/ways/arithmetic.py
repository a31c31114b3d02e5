"""Count the operations of a training step, and measure the peak speed of the machine."""

import time

import keras
import numpy as np
from keras import layers, ops

from melanet.layers import UpsamplingConv2D


def multiplications(model, plain):
    """Count the multiplications of a network per sample, in total and in the first convolution.

    Parameters
    ----------
    model : keras.Model
        Network.
    plain : bool
        Whether to count convolutions of up-sampled images, which are four times as many.
    """
    counts = []
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, UpsamplingConv2D)):
            _, height, width, _ = layer.output.shape
            count = height * width * int(np.prod(layer.kernel.shape))
            quartered = isinstance(layer, UpsamplingConv2D) and not plain
            counts.append(count / 4 if quartered else count)
    return sum(counts), counts[0]


def flops_of_a_step(model, batch_size, plain=False):
    """Count the floating-point operations of a step's convolutions, forward and backward.

    Six translations with both gradients, without that of real inputs; each discriminator on two
    images for its own loss, and once more, without weight gradients, for the generators' loss.
    """
    every, first = multiplications(model.generator_ab, plain)
    generators = 6 * 3 * every - 4 * first
    every, first = multiplications(model.discriminator_a, plain)
    discriminators = 4 * (3 * every - first) + 2 * 2 * every
    return 2 * batch_size * (generators + discriminators)


def peak_flops(policy="float32", repeats=15):
    """Return the peak speed of a large convolution, in operations per second.

    3x3, 256 to 256 channels at 64x64, two images; the fastest of the repeats, since other programs
    slow the others down.
    """
    dtype = "float32" if policy == "float32" else "bfloat16"
    rng = np.random.default_rng(0)
    x = ops.cast(rng.normal(size=(2, 64, 64, 256)), dtype)
    kernel = ops.cast(rng.normal(size=(3, 3, 256, 256)), dtype)

    def once():
        start = time.perf_counter()
        y = ops.conv(x, kernel, padding="same", data_format="channels_last")
        float(ops.cast(y[0, 0, 0, 0], "float32"))
        return time.perf_counter() - start

    return 2 * 2 * 64 * 64 * 9 * 256 * 256 / min(once() for _ in range(repeats))


def time_by_kind(settings, steps=3):
    """Return the time of a step by TensorFlow's trace: kind of operation -> ms."""
    import glob
    import tempfile

    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from ways.melanet_cyclegan import Way, initial_weights

    keras.config.set_dtype_policy(settings["policy"])
    way = Way(settings, initial_weights(settings))
    way.run(2)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        way.run(steps)
        tf.profiler.experimental.stop()
        trace = xplane_pb2.XSpace()
        with open(glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0], "rb") as file:
            trace.ParseFromString(file.read())
    spent = dict.fromkeys((*_KINDS, _REST), 0.0)
    for plane in trace.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                operation = name.rpartition(":")[2]
                # Operations are "name:kind"; "ExecutorState::Process" is their scheduler.
                is_operation = operation[:1].isupper() or operation.startswith("_Mkl")
                if ":" in name and "::" not in name and is_operation:
                    spent[_kind(operation)] += event.duration_ps / 1e9 / steps
    return spent


_REST = "element by element, sums, shapes"
_KINDS = {
    "convolutions, forward": ("Conv2D", "Conv2DWithBias"),
    "convolutions, gradient of the input": ("Conv2DBackpropInput",),
    "convolutions, gradient of the kernel": (
        "Conv2DBackpropFilter",
        "Conv2DBackpropFilterWithBias",
    ),
    "box sums": ("AvgPool", "AvgPoolGrad"),
    "copies": (
        *("ConcatV2", "Slice", "StridedSlice", "Pad", "PadV2", "Transpose", "Cast", "ReverseV2"),
        *("DepthToSpace", "SpaceToDepth", "Split", "SplitV", "Tile", "BroadcastTo", "Pack"),
    ),
}


def _kind(operation):
    operation = operation.removeprefix("_MklNative").removeprefix("_Mkl")
    return next((kind for kind, names in _KINDS.items() if operation in names), _REST)
