"""Time training on a GPU: melanet on torch and JAX beside PyTorch, eager and compiled.

The paper's networks at 256x256 in batches of 1 and 16, in float32 and bfloat16; then stage 1 of the
paper, 100 epochs of 172 pairs, or a share of it, in the larger batch.

    python examples/benchmarks/gpu.py
    python examples/benchmarks/gpu.py --device cpu --quick

The interpreter (``--python``, by default the current one) needs Keras, PyTorch and JAX.
"""

import argparse
import os
import sys

from ways.rounds import OURS, PAPER, TORCH, measure, print_table

STAGE_1 = 17_200  # pairs: 100 epochs of 172


def ways_for(policy, backends, compiled):
    """Return the settings of melanet on every backend, and of PyTorch."""
    ways = {}
    for backend in backends:
        environment = {"KERAS_BACKEND": backend, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        ways[f"melanet on {backend}"] = {**OURS, "policy": policy, "environment": environment}
    ways["torch eager"] = {**TORCH, "policy": policy}
    if compiled:
        ways["torch compiled"] = {**TORCH, "policy": policy, "compiled": True}
    return ways


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter with keras, torch and jax"
    )
    parser.add_argument("--backends", nargs="+", default=["torch", "jax"])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--policies", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="steps per round")
    parser.add_argument(
        "--stage-1", type=float, default=1.0, help="share of stage 1's 17,200 pairs; 0 skips it"
    )
    parser.add_argument("--not-compiled", action="store_true", help="skip torch.compile")
    parser.add_argument("--quick", action="store_true", help="smallest scale, to test the script")
    arguments = parser.parse_args()
    # The initial weights are built in this process; TensorFlow need not be installed.
    os.environ["KERAS_BACKEND"] = arguments.backends[0]
    if arguments.device == "cpu":
        os.environ |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    if arguments.quick:
        arguments.side, arguments.batch_sizes, arguments.policies = 32, [2], ["float32"]
        arguments.rounds, arguments.steps, arguments.stage_1 = 1, 1, 4 / STAGE_1
    settings = {
        **PAPER,
        "side": arguments.side,
        "device": arguments.device,
        "images": [32, arguments.side, arguments.side, 3],
    }
    if arguments.quick:
        settings |= {"filters": 4, "discriminator_filters": 4}
    for policy in arguments.policies:
        for batch_size in arguments.batch_sizes:
            last = batch_size == arguments.batch_sizes[-1]
            share = arguments.stage_1 if last else 0
            stage = max(1, round(share * STAGE_1 / batch_size)) if share else 0
            print(
                f"{arguments.device}, {policy}, {arguments.side}x{arguments.side}, batch "
                f"{batch_size}, {arguments.rounds} rounds of {arguments.steps} steps"
            )
            workers = measure(
                ways_for(policy, arguments.backends, not arguments.not_compiled),
                {**settings, "batch_size": batch_size},
                rounds=arguments.rounds,
                steps=arguments.steps,
                torch_python=arguments.python,
                afterwards=stage,
            )
            print_table(workers, batch_size)
            for worker in workers if stage else ():
                print(
                    f"stage 1 ({stage * batch_size} of {STAGE_1} pairs): {worker.name} | "
                    f"{worker.afterwards:.1f} s"
                )


if __name__ == "__main__":
    main()
