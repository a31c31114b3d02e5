"""Parts of ``does_it_help.py``: tasks, shifts, arms, the classifier, scores and report."""
