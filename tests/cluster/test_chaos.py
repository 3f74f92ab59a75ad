"""A few rounds of chaos; `make chaos` plays them all, many times."""

import pytest

from tests.cluster import chaos
from tests.search.conftest import write_corpus

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not chaos.Path("/proc/self/stat").exists(), reason="reads /proc"),
]
FAULTS = ["ctrl_c_once", "checkpoint_damaged", "mlflow_down"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chaos")
    ray = chaos.Ray()
    try:
        yield folder, write_corpus(folder / "corpus"), ray
    finally:
        ray.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_disturbed_search_ends_like_an_undisturbed_one(fault, place, monkeypatch):
    monkeypatch.setenv("PROKD_CHAOS_MLFLOW_SECONDS", "5")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    chaos.play(fault, 100, *place)
