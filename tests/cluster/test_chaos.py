"""A round of each fault that strikes processes; `make chaos` plays all faults, many times."""

import pytest

from tests.cluster import chaos

PROCESSES = ("worker_killed", "node_removed", "driver_killed", "head_killed", "second_driver")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not chaos.Path("/proc/self/stat").exists(), reason="reads /proc"),
]


@pytest.mark.parametrize("fault", PROCESSES)
def test_a_disturbed_search_ends_like_an_undisturbed_one(fault, play):
    play(fault)
