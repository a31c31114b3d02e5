"""Callbacks for training: progress, image grids, divergence, checkpoints."""

from melanet.callbacks._checkpoint import Checkpoint
from melanet.callbacks._monitoring import PictureGrid, Progress, StopOnNonFinite

__all__ = ["Checkpoint", "PictureGrid", "Progress", "StopOnNonFinite"]
