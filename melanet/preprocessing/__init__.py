"""Between the user's form of the data and float32 samples in [-1, 1]."""

from melanet.preprocessing._forms import as_samples, form_from_config, read_form
from melanet.preprocessing._image_form import (
    EncodedImages,
    ImageForm,
    PictureFiles,
    infer_value_range,
)
from melanet.preprocessing._table_form import TableForm

__all__ = [
    "EncodedImages",
    "ImageForm",
    "PictureFiles",
    "TableForm",
    "as_samples",
    "form_from_config",
    "infer_value_range",
    "read_form",
]
