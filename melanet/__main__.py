"""``python -m melanet``."""

import sys

from melanet.cli import main

sys.exit(main())
