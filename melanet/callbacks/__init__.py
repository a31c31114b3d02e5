"""Callbacks for training: progress, image grids, divergence, checkpoints."""

from melanet.callbacks._checkpoint import Checkpoint
from melanet.callbacks._monitoring import (
    PictureGrid,
    Progress,
    StopOnNonFinite,
    TimeEstimate,
    TimeLimit,
)

__all__ = ["Checkpoint", "PictureGrid", "Progress", "StopOnNonFinite", "TimeEstimate", "TimeLimit"]
