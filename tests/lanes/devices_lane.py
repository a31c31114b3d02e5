"""Compare a CycleGAN trained on two virtual CPU devices with one trained on a single device.

The global batch is the same, so the weights must agree up to rounding. The optimizer is SGD, since
Adam would hide gradients of twice the size. The strategies are ``tf.distribute.MirroredStrategy``
on TensorFlow and ``keras.distribution.DataParallel`` on JAX; Keras has none for torch. With
``--processes`` JAX uses two processes of one device each, connected on loopback.

    KERAS_BACKEND=tensorflow python tests/lanes/devices_lane.py
    KERAS_BACKEND=jax python tests/lanes/devices_lane.py
    KERAS_BACKEND=jax python tests/lanes/devices_lane.py --processes
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

BATCH, STEPS = 4, 6


def batches(part=slice(None)):
    """Return the data set; each batch holds the rows `part` of the global batch."""
    import numpy as np

    from melanet import UnpairedImages

    class Part(UnpairedImages):
        def __getitem__(self, index):
            ((a, b),) = super().__getitem__(index)
            return ((a[part], b[part]),)

    rng = np.random.default_rng(0)
    A, B = rng.uniform(-1, 0.5, (9, 8, 8, 1)), rng.uniform(-0.5, 1, (7, 8, 8, 1))
    return Part(A, B, BATCH, seed=1, steps=STEPS)


def fit(data):
    """Train from fixed initial weights; return the weights before and after, and the losses."""
    import keras

    from melanet import CycleGAN

    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2, seed=3)
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    before = model.get_weights()
    history = model.fit(data, epochs=1, verbose=0)
    return before, model.get_weights(), history.history["loss"]


def train(mode, out, place):
    """Train in this process in one of the modes; write the weights."""
    import keras
    import numpy as np

    part = slice(None)
    if mode == "mirrored":
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        with strategy.scope():
            before, after, loss = fit(batches())
    else:
        if mode == "processes":
            address, number = place.rsplit("/", 1)
            # Each process feeds its part of the global batch.
            keras.distribution.initialize(address, 2, int(number))
            part = slice(int(number) * BATCH // 2, (int(number) + 1) * BATCH // 2)
        if mode in ("parallel", "processes"):
            assert len(keras.distribution.list_devices()) == 2
            layout = keras.distribution.DataParallel(auto_shard_dataset=False)
            keras.distribution.set_distribution(layout)
        before, after, loss = fit(batches(part))
    np.savez(out, loss=loss, **{f"b{i}": v for i, v in enumerate(before)})
    np.savez(f"{out}.after.npz", **{f"a{i}": v for i, v in enumerate(after)})


def start(mode, out, place="-"):
    """Start this script in a separate process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if mode == "parallel":
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    words = [sys.executable, __file__, "--mode", mode, "--out", str(out), "--place", place]
    return subprocess.Popen(words, env=environment)


def main():
    """Raise an AssertionError unless both trainings agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", action="store_true")
    for name in ("--mode", "--out", "--place"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    if options.mode:
        train(options.mode, options.out, options.place)
        return

    import numpy as np

    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    mode = {"tensorflow": "mirrored", "jax": "parallel"}.get(backend)
    if mode is None:
        raise SystemExit(f"Keras distributes on tensorflow and jax only. Received: {backend}")
    with tempfile.TemporaryDirectory() as folder:
        places = ["-"]
        if options.processes:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{free.getsockname()[1]}"
            mode, places = "processes", [f"{address}/0", f"{address}/1"]
        outs = [Path(folder, f"two{i}.npz") for i in range(len(places))]
        running = [start(mode, out, place) for out, place in zip(outs, places)]
        running.append(start("one", Path(folder, "one.npz")))
        statuses = [process.wait() for process in running]
        if any(statuses):
            raise SystemExit("a training failed")

        def read(name):
            with np.load(Path(folder, name)) as file:
                return {key: file[key] for key in file.files}

        one, two = read("one.npz"), read("two0.npz")
        after_one, after_two = read("one.npz.after.npz"), read("two0.npz.after.npz")
    change = max(np.abs(after_one[f"a{i}"] - one[f"b{i}"]).max() for i in range(len(after_one)))
    difference = max(np.abs(after_one[key] - after_two[key]).max() for key in after_one)
    for key in one:
        if key != "loss":
            np.testing.assert_array_equal(one[key], two[key])
    assert change > 1e-3, change
    assert difference < 1e-3 * change, (difference, change)
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)
    print(
        f"{backend}, {mode}: after {STEPS} steps of SGD the weights have changed by up to "
        f"{change:.1e}; on two devices they agree within {difference:.1e}"
    )


if __name__ == "__main__":
    main()
