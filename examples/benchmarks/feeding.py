"""Time Keras' own batch reading on TensorFlow beside `melanet.utils._keras`.

Two processes take turns at the same training; every round is one ``fit`` of one epoch. The rounds
are printed one by one, since a wait at the end of an epoch affects only some of them.

    python examples/benchmarks/feeding.py
"""

import argparse

from ways.rounds import OURS, PAPER, measure, print_table

SMALL = {"channels": 1, "generator": "resnet", "filters": 16, "discriminator_filters": 32}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    ways = {"melanet": OURS, "as Keras reads": {**OURS, "module": "ways.keras_reading"}}
    for side, batch_size, steps in ((256, 1, 6), (28, 16, 20), (28, 4, 20)):
        settings = {**PAPER, "batch_size": batch_size}
        if side < 256:
            settings.update(SMALL, side=side, images=[256, side, side, 1])
        print(f"{side}x{side}, batch {batch_size}, {arguments.rounds} epochs of {steps} steps")
        workers = measure(ways, settings, rounds=arguments.rounds, steps=steps)
        print_table(workers, batch_size)
        for worker in workers:
            print(f"{worker.name}, ms a step: {' '.join(f'{1e3 * s:.0f}' for s in worker.seconds)}")


if __name__ == "__main__":
    main()
