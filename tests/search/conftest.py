"""A tiny bilingual corpus, a tiny search, engines on the Ray of the tests."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from prokd.config import RuntimeConfig
from prokd.data.mini import generate
from prokd.methods import build_config
from search.progress import Progress
from search.space_files import PAPER, load_space
from search.spec import SearchSpec

STORE = "MLFLOW_TRACKING_URI"
TIMED_ELSEWHERE = ("--address", "10.0.0.1:6379")
"""Arguments of a dry run that does not measure how long training takes: it would be elsewhere."""
SIZES = {"train": 32, "dev": 16, "test": 16}
TINY = {
    "encoder.precision": "fp32",
    "encoder.frozen_layers": 2,  # of 3: finds as much in 40 % of the time
    "teacher.epochs": 2,
    "student.epochs": 2,
    "student.collapse_agreement": 0.0,
    "teacher.collapse_fall": 0.0,
    # So few updates find an entity at all: a student that finds none is not exported.
    "teacher.batch_sentences": 8,
    "student.batch_sentences": 8,
    "teacher.learning_rate": 5e-3,
    "student.learning_rate": 5e-3,
}


def write_corpus(folder: Path, *, languages=("en", "ar"), tags=None) -> Path:
    """Write the tiny corpus as columns; ``tags`` replaces the tags of a sentence, if given."""
    for language in languages:
        for split, size in SIZES.items():
            lines = []
            for words, gold in generate(language, split, num_sentences=size):
                own = tags(gold) if tags else gold
                lines += [f"{word} {tag}" for word, tag in zip(words, own, strict=True)] + [""]
            path = folder / language / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines), encoding="utf-8")
    return folder


def tiny_config(**overrides):
    return build_config("mini", overrides=TINY | {"target": "ar"} | overrides)


def tiny_spec(trials=3, *, grid=False, seeds=(0,), space=None, prune=False, **overrides):
    """Return a tiny search, of the paper's grid unless another space is given."""
    config = tiny_config(**overrides)
    return SearchSpec(config, space or load_space(PAPER, config), seeds, grid, trials, prune=prune)


def mirrored(tracker, key):
    """Return the one MLflow run that mirrors something."""
    client = MlflowClient(tracker.uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`prokd.key` = '{key}'")
    return run


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def runtime(corpus, cache, tmp_path):
    return RuntimeConfig(
        data_dirs=(corpus,), cache_dir=cache, runs_dir=tmp_path / "out" / "runs", device="cpu"
    )


@pytest.fixture
def output(tmp_path, new_store):
    """A folder with an empty MLflow store, as an earlier search may have left it."""
    new_store(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(scope="session", autouse=True)
def no_store_of_the_user():
    """Keep a store that the environment names out of fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(STORE, raising=False)
        yield


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    """Take a store away that a test names, by `mlflow.set_tracking_uri` too, when it ends."""
    monkeypatch.setenv(STORE, "")  # recorded, so that what a test leaves behind is undone
    monkeypatch.delenv(STORE)


@pytest.fixture
def open_engine(local_ray, warm_pool, new_store, runtime, output):
    """Make engines on the shared Ray, with the shared process unless they say `max_failures`."""
    from rich.console import Console

    from search.engine import Engine
    from search.records.tracking import Tracker

    made = []

    def make(runtime=runtime, output=output, **arguments):
        progress = Progress(Console(width=200, record=True, quiet=False))
        new_store(output)
        tracker = Tracker(output, "cpu")
        if "max_failures" in arguments:
            warm_pool.close()
        else:
            arguments["pool"] = warm_pool
        for engine in made:  # there is room for one worker
            engine.close()
        made.append(
            Engine(runtime, local_ray, output, tracker=tracker, progress=progress, **arguments)
        )
        return made[-1]

    yield make
    for engine in made:
        engine.close()
