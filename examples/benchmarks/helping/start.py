"""The checks before hours of work: the backend, and the files to write."""

import sys
from pathlib import Path

from melanet.cli._common import load_backend
from melanet.utils._files import check_writable


def check_start(*outputs):
    """End the program, with one line and status 2, if work could not be done or written.

    Parameters
    ----------
    *outputs : path-like
        Files that the program writes at its end.
    """
    try:
        check_writable(*outputs)
        load_backend()
    except (OSError, ValueError, ImportError) as error:
        print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
