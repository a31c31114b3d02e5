"""Implementations of the training of one CycleGAN, timed in turn in separate processes."""
