"""Errors and warnings of the package."""


class TrainingDiverged(ArithmeticError):
    """The loss of a training became infinite or NaN."""


class CostWarning(UserWarning):
    """A request will take far more time or memory than its kind usually does."""


class OverlapWarning(UserWarning):
    """The training set and the test set share images."""


class TranslationWarning(UserWarning):
    """Translations are doubtful: many were replaced by copies, or no pretrained network guides."""


class ScaleWarning(UserWarning):
    """Pixel values are likely to be on another scale than the one that is used for them."""
