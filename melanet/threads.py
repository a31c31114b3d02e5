"""NumPy's and SciPy's loops on all cores: they let other threads run meanwhile."""

from concurrent.futures import ThreadPoolExecutor

from joblib import cpu_count

_LEAST = 1 << 18  # values: below, starting threads costs what they save


def mapped(function, items, n_values):
    """Return what a function makes of each item, in order, found by threads where it pays.

    Each result hangs on its item alone, so it is the same on any number of threads.

    Parameters
    ----------
    function : callable
        Of one item; spends its time in compiled code that lets other threads run.
    items : sequence
    n_values : int
        Numbers, such as pixels, that all items hold together.

    Returns
    -------
    list

    Examples
    --------
    >>> from melanet.threads import mapped
    >>> mapped(abs, [-1, 2], n_values=2)
    [1, 2]
    """
    n_threads = min(cpu_count(), len(items))
    if n_threads < 2 or n_values < _LEAST:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))
