"""What tests share: one CPU thread, no network, real data where a folder of it is named.

What hands tests out to other processes imports this file too: fixtures import what they need.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prokd.config import ExperimentConfig, RuntimeConfig

sys.path.insert(0, str(Path(__file__).parent))
gc.disable()  # until all is collected: it would look through all that is imported again and again

# Else each of the many processes would compile all packages anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Figures take seconds: tests of reports ask for them.
os.environ["PROKD_REPORT"] = "0"


LONGEST_FIRST = (
    "tests/cluster/test_chaos.py",
    "tests/search/test_search.py",
    "tests/search/test_pool.py",
    "tests/methods/test_graph.py",
    "tests/search/test_recovery.py",
    "tests/benchmarks/test_table.py",
    "tests/search/",
    "tests/methods/",
    "tests/ablations/",
    "tests/benchmarks/",
    "tests/recipes/",
    "tests/prokd/test_cli.py",
    "tests/prokd/data/test_hub.py",
    "tests/prokd/test_interruption.py",
    "tests/prokd/test_dictionary_command.py",
    "tests/test_dependencies.py",
    "tests/prokd/",
)
"""What takes long begins first, so that no process is left alone with it at the end."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Offer the processes that work side by side one process with the imports for all."""
    from tests import preloaded

    config.add_cleanup(preloaded.offer().close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order modules by `LONGEST_FIRST`; the tests of a module stay in their order."""

    def place(item: pytest.Item) -> int:
        name = item.nodeid
        long = (n for n, start in enumerate(LONGEST_FIRST) if name.startswith(start))
        return next(long, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Let Python's collector of cycles pass over all that stays until the end: it is large."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    if testing := sys.modules.get("typer.testing"):  # it builds all commands anew for each call
        testing._get_command = cache(testing._get_command)


@pytest.fixture(scope="session")
def prokd_data() -> Path:
    """Folder with data/ and encoders/, named by PROKD_DATA; the test is skipped without it."""
    folder = os.environ.get("PROKD_DATA")
    if not folder:
        pytest.skip("set PROKD_DATA to a folder with data/wikiann, data/news and encoders/")
    return Path(folder)


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Put an empty MLflow store into a folder; all processes of the tests copy the same."""
    from tests.mlflow_server import copy_empty_store

    own = tmp_path_factory.getbasetemp()
    return partial(copy_empty_store, own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray for one trial at a time: on small machines that starts faster than two."""
    from search.workers.cluster import Resources, connected
    from search.workers.connection import LOCAL
    from tests import preloaded

    folder = tmp_path_factory.mktemp("ray")
    with ExitStack() as until_the_end:
        with preloaded.quick_workers():
            cluster = until_the_end.enter_context(
                connected(LOCAL, Resources(cpus=1), folder, num_cpus=1)
            )
        yield cluster


@pytest.fixture(scope="session")
def warm_pool(local_ray: Any) -> Iterator[Any]:
    """The process that trains there: it imports what trains once for all tests.

    Whoever needs the one place for a process of their own closes it; it starts anew when needed.
    """
    from search.workers.pool import Pool

    pool = Pool(local_ray)
    yield pool
    pool.close()


@pytest.fixture
def free_ray(local_ray: Any, warm_pool: Any) -> Any:
    """The Ray of the tests while no process of theirs is there."""
    warm_pool.close()
    return local_ray


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 3-layer BERT with the words of the tiny corpus."""
    import tiny

    return tiny.write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def tiny_encoders(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By kind: the same, and a RoBERTa."""
    import tiny

    folder = tmp_path_factory.mktemp("roberta")
    return {"bert": tiny_encoder, "roberta": tiny.write_encoder(folder, kind="roberta")}


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Local corpora of the languages en and xx."""
    import tiny

    return tiny.write_corpus(tmp_path / "data")


@pytest.fixture
def tiny_runtime(tmp_path: Path, tiny_data: Path) -> RuntimeConfig:
    """A runtime whose files all lie in a temporary folder."""
    import tiny

    return tiny.runtime(tmp_path, tiny_data)


@pytest.fixture(scope="module")
def kept_runtime(tmp_path_factory: pytest.TempPathFactory) -> RuntimeConfig:
    """A runtime of all tests of a module: what several of them need is trained once.

    None of them changes its data, or a run that others look at.
    """
    import tiny

    folder = tmp_path_factory.mktemp("kept")
    return tiny.runtime(folder, tiny.write_corpus(folder / "data"))


@pytest.fixture(scope="session")
def tiny_config(tiny_encoder: Path) -> ExperimentConfig:
    """Two epochs of teacher and student on the tiny corpus, en to xx."""
    import tiny

    from prokd.methods import build_config

    return build_config("paper", "stable", tiny.settings(tiny_encoder))


@pytest.fixture(scope="session")
def few_config(tiny_config: ExperimentConfig) -> ExperimentConfig:
    """The same on few sentences: for what need not learn."""
    import tiny

    from prokd.config import with_overrides

    return with_overrides(tiny_config, tiny.FEWER)
