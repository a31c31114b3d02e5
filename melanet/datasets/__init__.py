"""Example data sets, and utilities for folders of images."""

from melanet.datasets._duplicates import Duplicate, check_overlap, find_duplicates
from melanet.datasets._folders import export_cyclegan_folders, load_image_folder
from melanet.datasets._image_table import load_image_table
from melanet.datasets._isic import (
    fetch_isic,
    fetch_isic2016,
    fetch_isic2017,
    fetch_isic2018,
    fetch_isic2019,
    fetch_isic2020,
)
from melanet.datasets._isic2024 import fetch_isic2024
from melanet.datasets._isic_search import fetch_isic_archive
from melanet.datasets._lesions import make_lesions
from melanet.exceptions import OverlapWarning
from melanet.images import load_images

__all__ = [
    "Duplicate",
    "OverlapWarning",
    "check_overlap",
    "export_cyclegan_folders",
    "fetch_isic",
    "fetch_isic2016",
    "fetch_isic2017",
    "fetch_isic2018",
    "fetch_isic2019",
    "fetch_isic2020",
    "fetch_isic2024",
    "fetch_isic_archive",
    "find_duplicates",
    "load_image_folder",
    "load_image_table",
    "load_images",
    "make_lesions",
]
