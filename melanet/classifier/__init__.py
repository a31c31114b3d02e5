"""MelaNet, an image classifier, and Grad-CAM explanations of its predictions."""

from melanet.classifier._grad_cam import grad_cam, overlay
from melanet.classifier._melanet import MelaNet, get_model, load_classifier

__all__ = ["MelaNet", "get_model", "grad_cam", "load_classifier", "overlay"]
