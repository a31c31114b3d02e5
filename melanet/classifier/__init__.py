"""MelaNet, an image classifier, and where it looks."""

from melanet.classifier._grad_cam import grad_cam, overlay
from melanet.classifier._melanet import MelaNet, get_model

__all__ = ["MelaNet", "get_model", "grad_cam", "overlay"]
