"""Property-based tests: one body, few examples in the quick lane and many in the slow one."""

import pytest
from hypothesis import HealthCheck, given, settings

# Fixed seeds and no stored examples: every machine runs the same examples.
_SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _lanes(quick, slow):
    return pytest.mark.parametrize(
        "n_examples", [quick, pytest.param(slow, marks=pytest.mark.slow)]
    )


in_process = _lanes(25, 2000)
starting_processes = _lanes(5, 100)


def for_all(n_examples, **strategies):
    """Run the decorated function on examples of the strategies, at once.

    ::

        @in_process
        def test_sum(n_examples):
            @for_all(n_examples, a=st.integers(), b=st.integers())
            def check(a, b):
                assert a + b == b + a
    """

    def run(check):
        settings(_SETTINGS, max_examples=n_examples)(given(**strategies)(check))()

    return run
