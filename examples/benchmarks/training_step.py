"""Time a training step of the paper's networks, melanet beside plain implementations.

Each variant runs in a warmed-up process, on the same images from the same initial weights (compare
the losses of the first step), in alternating rounds:

- melanet: `CycleGAN.fit`, in float32 and under Keras' policy "mixed_bfloat16";
- torch eager: the same networks and losses in idiomatic PyTorch, channels last;
- released loop: three kinds of update in turn, rewritten for Keras 3.

    python examples/benchmarks/training_step.py --torch-python PYTHON_WITH_TORCH
"""

import argparse
import os

from ways.arithmetic import flops_of_a_step, peak_flops, time_by_kind
from ways.melanet_cyclegan import networks
from ways.rounds import OURS, PAPER, RELEASED, TORCH, measure, print_table


def loss_curves(steps, side):
    """Print losses, one per tenth of a training: float32 with two seeds, and bfloat16."""
    from ways.curves import curve

    for name, policy, seed in (
        ("float32", "float32", 0),
        ("float32, another order", "float32", 1),
        ("mixed_bfloat16", "mixed_bfloat16", 0),
    ):
        values = curve(steps, side, policy, seed)
        print(f"loss, {name}: {' '.join(f'{v:.3f}' for v in values)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps per round")
    parser.add_argument("--threads", type=int, help="threads per process (default: all cores)")
    parser.add_argument("--torch-python", help="interpreter with PyTorch (default: skip it)")
    parser.add_argument(
        "--no-bfloat16", action="store_true", help="skip bfloat16, for processors without it"
    )
    parser.add_argument(
        "--profile", action="store_true", help="print the time by kind of operation"
    )
    parser.add_argument(
        "--curves", type=int, default=0, help="steps of the loss curves; 0 skips them"
    )
    arguments = parser.parse_args()
    settings = {
        **PAPER,
        "side": arguments.side,
        "images": [8, arguments.side, arguments.side, 3],
        "batch_size": arguments.batch_size,
        "threads": arguments.threads,
    }
    ways = {"melanet": OURS}
    if not arguments.no_bfloat16:
        ways["melanet bfloat16"] = {**OURS, "policy": "mixed_bfloat16"}
    if arguments.torch_python:
        ways["torch eager"] = TORCH
    ways["released loop"] = RELEASED
    print(
        f"{os.cpu_count()} cores, {arguments.threads or 'all'} threads, {arguments.side}x"
        f"{arguments.side}, batch {arguments.batch_size}, {arguments.rounds} rounds of "
        f"{arguments.steps} steps"
    )
    workers = measure(
        ways,
        settings,
        rounds=arguments.rounds,
        steps=arguments.steps,
        torch_python=arguments.torch_python,
    )
    print_table(workers, arguments.batch_size)
    model = networks(settings)
    needed = flops_of_a_step(model, arguments.batch_size)
    plain = flops_of_a_step(model, arguments.batch_size, plain=True)
    print(
        f"convolutions of a step: {needed / 1e9:.0f} GFLOP here, {plain / 1e9:.0f} with the "
        "up-sampled images"
    )
    for worker in workers:
        if worker.name.startswith("melanet"):
            most = peak_flops(ways[worker.name]["policy"])
            reached = needed / min(worker.seconds)
            print(
                f"{worker.name}: {reached / 1e9:.0f} GFLOP/s in the fastest round, "
                f"{reached / most:.0%} of a large convolution's {most / 1e9:.0f} (eager, all cores)"
            )
    if arguments.profile:
        for policy in dict.fromkeys(way["policy"] for way in ways.values()):
            spent = time_by_kind({**settings, "policy": policy})
            total = sum(spent.values())
            print(f"share of the operations' time, {policy}:")
            for kind, milliseconds in spent.items():
                print(f"{kind} | {milliseconds:.0f} ms | {milliseconds / total:.0%}")
    if arguments.curves:
        loss_curves(arguments.curves, min(arguments.side, 64))


if __name__ == "__main__":
    main()
