"""A round of each fault that strikes files, stores and people's patience."""

import pytest

from tests.cluster import chaos
from tests.cluster.test_chaos import PROCESSES

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not chaos.Path("/proc/self/stat").exists(), reason="reads /proc"),
]


@pytest.mark.parametrize("fault", [name for name in chaos.FAULTS if name not in PROCESSES])
def test_a_disturbed_search_ends_like_an_undisturbed_one(fault, play):
    play(fault)
