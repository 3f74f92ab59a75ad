"""One Ray for commands whose workers find a package from outside; text that is translated."""

import pytest

from tests.cluster import chaos
from tests.methods import outside
from tests.methods.translated import write_dictionary


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


@pytest.fixture
def runtime(tiny_runtime, tmp_path):
    """A runtime of the tiny corpus, with a dictionary."""
    dictionary = write_dictionary(tmp_path / "en-xx.tsv")
    return tiny_runtime.model_copy(update={"dictionaries": (dictionary,)})


@pytest.fixture(scope="module")
def kept(kept_runtime):
    """The same for all tests of a module: what several of them need is trained once."""
    dictionary = write_dictionary(kept_runtime.runs_dir.with_name("en-xx.tsv"))
    return kept_runtime.model_copy(update={"dictionaries": (dictionary,)})
