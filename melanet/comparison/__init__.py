"""Compare remedies for imbalanced classes on the user's own data."""

from melanet.comparison._compare import compare
from melanet.comparison._comparison import Comparison
from melanet.comparison._cost import estimate_seconds
from melanet.comparison._remedies import REMEDIES, find_remedy

__all__ = ["REMEDIES", "Comparison", "compare", "estimate_seconds", "find_remedy"]
