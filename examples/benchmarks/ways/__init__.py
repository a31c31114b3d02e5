"""Ways to train one CycleGAN, each in a process of its own, timed in turns."""
