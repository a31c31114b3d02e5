"""Time training on small images, melanet beside PyTorch.

The default recipe's networks (ResNet generators of 16 filters, discriminators of 32) on 28x28 and
8x8 images, in batches of several sizes. Each variant runs in a warmed-up process on the same images
from the same initial weights, in alternating rounds:

- melanet: with TensorFlow's defaults;
- in tens: one call of TensorFlow runs ten steps (``steps_per_execution``);
- one thread an operation: with ``TF_NUM_INTRAOP_THREADS=1`` in the environment, in float32 and,
  if the processor supports it, under the policy "mixed_bfloat16";
- torch eager: the same training in PyTorch, with all its threads.

    python examples/benchmarks/small_images.py --torch-python PYTHON_WITH_TORCH
"""

import argparse
import os

from ways.rounds import OURS, PAPER, TORCH, measure, print_table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 8])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps per round")
    parser.add_argument("--threads", type=int, help="threads per process (default: all cores)")
    parser.add_argument(
        "--no-bfloat16", action="store_true", help="skip bfloat16, for processors without it"
    )
    parser.add_argument("--torch-python", help="interpreter with PyTorch (default: skip it)")
    arguments = parser.parse_args()
    one = {**OURS, "environment": {"TF_NUM_INTRAOP_THREADS": "1"}}
    ways = {
        "melanet, one thread an operation": one,
        "melanet": OURS,
        "melanet in tens": {**OURS, "steps_per_execution": 10},
    }
    if not arguments.no_bfloat16:
        ways["one thread an operation, bfloat16"] = {**one, "policy": "mixed_bfloat16"}
    if arguments.torch_python:
        ways["torch eager"] = TORCH
    for side in arguments.sides:
        for batch_size in arguments.batch_sizes:
            settings = {
                **PAPER,
                "side": side,
                "channels": 1,
                "generator": "resnet",
                "filters": 16,
                "discriminator_filters": 32,
                "learning_rate": 1e-3,
                "images": [256, side, side, 1],
                "batch_size": batch_size,
                "threads": arguments.threads,
            }
            print(
                f"{os.cpu_count()} cores, {arguments.threads or 'all'} threads, {side}x{side}, "
                f"batch {batch_size}, {arguments.rounds} rounds of {arguments.steps} steps"
            )
            workers = measure(
                ways,
                settings,
                rounds=arguments.rounds,
                steps=arguments.steps,
                torch_python=arguments.torch_python,
            )
            print_table(workers, batch_size)


if __name__ == "__main__":
    main()
