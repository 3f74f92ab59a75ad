"""One Ray for the commands of a test, whose workers find a package from outside."""

import pytest

from tests.cluster import chaos
from tests.methods import outside


@pytest.fixture
def ray_with(monkeypatch):
    """Start a Ray in whose workers a folder's packages are there; commands of the test use it."""
    started = []

    def start(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", outside.environment(folder)["PYTHONPATH"])
            started.append(chaos.Ray())
        monkeypatch.setenv("RAY_ADDRESS", started[-1].address)

    yield start
    for ray in started:
        ray.stop()
