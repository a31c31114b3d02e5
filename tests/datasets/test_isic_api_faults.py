import re

import pytest
from isic_api_faults import FAULTS, server, try_case

MOST = 6  # cases of a fault, from the first to the last; the script tries all of them


@pytest.fixture(scope="module")
def faulty():
    with server() as running:
        yield running


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_overcome_named_or_rejected_and_leaves_nothing_behind(faulty, name, tmp_path):
    fault = FAULTS[name]
    step = -(-len(fault.cases) // MOST)
    for i, prepare in enumerate([*fault.cases[:-1:step], fault.cases[-1]]):
        home = tmp_path / str(i)
        home.mkdir()
        outcome, message, said, wrong = try_case(faulty, prepare, home)
        assert not wrong
        assert outcome == fault.expected, message
        assert re.search(fault.reason, message), message
        assert fault.warning in str(said)
        assert fault.warning or outcome != "fetched" or not said
