import pytest

from prokd.errors import UserError
from search.workers.cluster import Resources, connected


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "ray://127.0.0.1:1"])
def test_an_address_that_answers_not(address, tmp_path, monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with (
        pytest.raises(UserError, match="must be that of a running Ray"),
        connected(address, Resources(), tmp_path),
    ):
        pass


@pytest.mark.ray
def test_a_trial_may_not_ask_for_more_than_there_is(local_ray, tmp_path):
    with (
        pytest.raises(UserError, match="at most the 1 CPUs"),
        connected(None, Resources(cpus=64), tmp_path),
    ):
        pass
    with (
        pytest.raises(UserError, match="GPUs of the cluster, but got 1"),
        connected(None, Resources(gpus=1), tmp_path),
    ):
        pass


@pytest.mark.ray
def test_a_ray_that_is_connected_to_is_used_and_kept(local_ray, tmp_path):
    import ray

    with connected(None, Resources(), tmp_path) as cluster:
        assert cluster.width == 1
        assert cluster.threads == 1
        assert cluster.device == "cpu"
    assert ray.is_initialized()
