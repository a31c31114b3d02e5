"""Data sets to try melanet on."""

from melanet.datasets.lesions import make_lesions

__all__ = ["make_lesions"]
