"""Conversion between the user's form of the data and float32 samples in [-1, 1]."""

from melanet.preprocessing._containers import (
    Extended,
    append_samples,
    dense,
    is_frame,
    same_kind,
    take,
)
from melanet.preprocessing._forms import as_samples, form_from_config, read_form
from melanet.preprocessing._image_form import ImageForm
from melanet.preprocessing._scale import Scale, infer_value_range
from melanet.preprocessing._sources import EncodedImages, PictureFiles, SampleSource
from melanet.preprocessing._table_form import TableForm
from melanet.preprocessing._targets import Targets
from melanet.preprocessing._validation import as_numbers, categorical_columns, check_samples

__all__ = [
    "EncodedImages",
    "Extended",
    "ImageForm",
    "PictureFiles",
    "SampleSource",
    "Scale",
    "TableForm",
    "Targets",
    "append_samples",
    "as_numbers",
    "as_samples",
    "categorical_columns",
    "check_samples",
    "dense",
    "form_from_config",
    "infer_value_range",
    "is_frame",
    "read_form",
    "same_kind",
    "take",
]
