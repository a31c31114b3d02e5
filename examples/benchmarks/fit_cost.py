"""Estimate the processor seconds of a default fit at each image size, for one class.

    python examples/benchmarks/fit_cost.py --sides 28 64 128 256 512 --weights WEIGHTS

For each side a sampler is fitted to drawn lesions twice, with few steps and with more. The
difference is the cost of a step, from which the cost of the whole default follows: the shorter fit
(reading, judge, guard, translation, compilation) plus the remaining steps. `--weights` is the file
of VGG16's weights for `features`; without it no pretrained features are used. Run it on one core
(`taskset -c 0`) for figures that do not depend on the number of cores.
"""

import argparse
import os
import resource
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def default_recipe(side):
    """Return the default's settings for images of a side."""
    from melanet.over_sampling import resolve_recipe

    return resolve_recipe("default", (side, side, 3))


def measure(side, steps, n_images, features):
    """Return the processor seconds of a fit, and the sampler."""
    from melanet import GANOversampler
    from melanet.datasets import make_lesions

    X, y = make_lesions(n_images, image_size=side, weights=(0.8, 0.2), random_state=0)
    guide = {"features": features} if default_recipe(side).generator == "edit" else {}
    sampler = GANOversampler(steps=steps, random_state=0, **guide)
    start = time.process_time()
    sampler.fit_resample(X, y)
    return time.process_time() - start, sampler


def main():
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 64, 128, 256])
    parser.add_argument("--images", type=int, default=200, help="a fifth of them is rare")
    parser.add_argument("--steps", type=int, nargs=2, default=[20, 60], metavar=("FEW", "MORE"))
    parser.add_argument("--weights", help="VGG16's weights in a file of Keras")
    arguments = parser.parse_args()
    few, more = arguments.steps
    if not 1 <= few < more:
        parser.error(f"--steps must be two numbers, the first smaller. Received: {few} {more}")
    warnings.simplefilter("ignore")  # such trainings are too short
    print("side, generator, CPU s of a step, CPU s of a default fit, peak MiB so far")
    for side in arguments.sides:
        first, sampler = measure(side, few, arguments.images, arguments.weights)
        second, _ = measure(side, more, arguments.images, arguments.weights)
        again, _ = measure(side, few, arguments.images, arguments.weights)  # without compilation
        step = (second - again) / (more - few)
        total = first + step * (default_recipe(side).steps - few)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        generator = sampler.recipe_.generator
        print(f"{side:4} {generator:7} {step:7.3f} {total:7.0f} {peak:7,}", flush=True)


if __name__ == "__main__":
    main()
