"""Parts of ``photographs.py``: data, networks, oracles, measures, aims, arms, report."""
