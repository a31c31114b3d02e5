"""Published weights, and a reader of model files that executes nothing in them.

Examples
--------
>>> from melanet import weights
>>> path = weights.locate("isic2016", "classifier")  # doctest: +SKIP
>>> model = weights.read_model(path)  # doctest: +SKIP
"""

from melanet.weights._published import fetch, locate
from melanet.weights._reader import read_model

__all__ = ["fetch", "locate", "read_model"]
