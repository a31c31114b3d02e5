"""Estimates of memory, so that a request that cannot succeed fails before it is begun."""

import os
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container, on Linux
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def format_bytes(n_bytes: float) -> str:
    """Return a size as text of three digits.

    Examples
    --------
    >>> from melanet.utils._memory import format_bytes
    >>> format_bytes(0), format_bytes(999_999), format_bytes(72_000_000_000)
    ('0 bytes', '1 MB', '72 GB')
    """
    for unit in _UNITS[:-1]:
        if float(f"{n_bytes:.3g}") < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} {_UNITS[-1]}"


def total_memory() -> int | None:
    """Return the bytes of memory of this machine or container, None if the system does not say."""
    sizes = []
    try:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        sizes.append(int(_CGROUP_LIMIT.read_text()))
    except (AttributeError, OSError, ValueError):  # not POSIX; no container; "max"
        pass
    return min(sizes, default=None)


def check_memory(n_bytes: float, purpose: str, remedy: str) -> None:
    """Raise ValueError if something needs more memory than this machine or container has.

    Parameters
    ----------
    n_bytes : float
        Memory that it needs at least.
    purpose : str
        The thing that needs it, as the subject of a sentence.
    remedy : str
        How to need less, as an imperative.
    """
    total = total_memory()
    if total is not None and n_bytes > total:
        raise ValueError(
            f"{purpose} would take {format_bytes(n_bytes)} of memory or more; there are "
            f"{format_bytes(total)}. {remedy}"
        )
