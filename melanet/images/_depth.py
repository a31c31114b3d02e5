"""The bits that integers use of those that they have, and the files whose values do not use all."""

import threading
import warnings

from melanet.exceptions import ScaleWarning

# An 8-bit photograph may be dark; radiographs have 10 to 14 bits in 16.
_SPARE_BITS = {8: 3, 16: 1}
_ENOUGH = 16  # files that tell how many bits a set uses


def likely_range(n_bits: int, low: float, high: float) -> tuple[int, int] | None:
    """Return the range of the bits that integers use, or None if they use their bits.

    Parameters
    ----------
    n_bits : int
        Bits that they have, without a sign.
    low, high : float
        Their extremes.

    Examples
    --------
    >>> from melanet.images import likely_range
    >>> likely_range(16, 3, 4001), likely_range(16, 0, 40000)
    ((0, 4095), None)
    """
    used = int(max(high, -1 - low)).bit_length()
    if not used or n_bits - used < _SPARE_BITS[8 if n_bits <= 8 else 16]:
        return None
    return (-(2**used) if low < 0 else 0, 2**used - 1)


class Depth:
    """The largest values of a set of files of more than 8 bits; warns once if they are small.

    Several threads may use it.

    Parameters
    ----------
    n_files : int
        Number of files of the set.
    """

    def __init__(self, n_files: int):
        self._n_files, self._n_read, self._n_deep = n_files, 0, 0
        self._peak, self._bits, self._scalable, self._warned = 0, 0, True, False
        self._lock = threading.Lock()

    def see(self, n_bits: int, peak: int, grey: bool) -> None:
        """Note the bits, the largest value and whether it is grey of a file of more than 8 bits."""
        with self._lock:
            self._n_deep += 1
            self._peak, self._bits = max(self._peak, peak), max(self._bits, n_bits)
            self._scalable &= grey

    @property
    def n_deep(self) -> int:
        """Number of files of more than 8 bits."""
        return self._n_deep

    def check(self, n_read: int) -> None:
        """Warn if the files use a part of their bits, once enough of them, or all, are read.

        Parameters
        ----------
        n_read : int
            Number of files read since the last call.

        Warns
        -----
        melanet.exceptions.ScaleWarning
            With the range to give.
        """
        with self._lock:
            self._n_read += n_read
            enough = self._n_deep >= _ENOUGH or self._n_read >= self._n_files
            if self._warned or not self._n_deep or not enough:
                return
            self._warned = True
            likely = likely_range(self._bits, 0, self._peak)
        if likely is None:
            return
        high = likely[1]
        remedy = (
            f"give value_range=(0, {high}), or --value-range 0,{high} to a command, or the limits "
            "of the device"
            if self._scalable
            else "save the files with values that use all bits, or with 8 bits"
        )
        warnings.warn(
            f"Files of {self._bits} bits use {high.bit_length()} of them: values up to "
            f"{self._peak} in {self._n_deep} files. Their contrast is lost if pixels cannot have "
            f"larger values; if so, {remedy}",
            ScaleWarning,
            stacklevel=3,
        )
