"""Errors and warnings of the package."""


class TrainingDiverged(ArithmeticError):
    """The loss of a training became infinite or not a number."""


class OverlapWarning(UserWarning):
    """Training and test sets share pictures."""
