import re

import pytest
from isic_faults import FAULTS, FETCHED, REJECTED, server, try_fault


@pytest.fixture(scope="module")
def faulty():
    with server() as running:
        yield running


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_overcome_or_rejected_and_leaves_nothing_behind(faulty, name):
    fault = FAULTS[name]
    fetched, errors, wrong = try_fault(faulty, fault)
    assert not wrong
    assert fetched + len(errors) == len(fault.cases)
    if fault.expected == FETCHED:
        assert not errors
    if fault.expected == REJECTED:
        assert fetched == 0
    for error in errors:
        assert re.search(fault.reason, str(error)), error
