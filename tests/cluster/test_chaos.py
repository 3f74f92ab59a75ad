"""A few rounds of chaos; `make chaos` plays them all, many times."""

import os
import subprocess

import pytest

from tests.cluster import chaos
from tests.search.conftest import write_corpus

# A driver whose head is gone looks for it so long; Ray's own patience is a minute.
os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not chaos.Path("/proc/self/stat").exists(), reason="reads /proc"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, new_store):
    folder = tmp_path_factory.mktemp("chaos")
    new_store(folder)
    ray = chaos.Ray()
    try:
        yield folder, write_corpus(folder / "corpus"), ray
    finally:
        ray.stop()


def _may_mount(folder):
    there = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    return there.returncode == 0


@pytest.mark.parametrize("fault", chaos.FAULTS)
def test_a_disturbed_search_ends_like_an_undisturbed_one(fault, place, tmp_path, monkeypatch):
    if fault == "disk_full" and not _may_mount(tmp_path):
        pytest.skip("fills a disk of its own, which it has not the right to mount")
    monkeypatch.setenv("PROKD_CHAOS_MLFLOW_SECONDS", "5")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    chaos.play(fault, 100, *place)
