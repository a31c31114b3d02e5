"""Published weights, and reading model files without running them."""

from melanet.weights._published import fetch, locate
from melanet.weights._reader import read_model

__all__ = ["fetch", "locate", "read_model"]
