"""What experiments of one search read: not always the same, and then their runs differ."""

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
from safetensors.torch import load_file, save_file

from ablations.plan import _read_the_same
from prokd.data.mini import ENCODER_PATH
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.methods import build_config
from prokd.runs.within_memory import note
from prokd.training.corpora import Corpora
from prokd.training.run import StageRun
from search.choice import settings_of
from search.experiments import DataDescriptions, Experiment
from search.leaderboard_file import First
from search.plan import need
from search.records.datasets import SELECTION, TRAINING, UNLABELLED, read_by
from search.space_files import load_space
from search.spec import SearchSpec
from tests import tiny
from tests.methods.translated import write_dictionary


@pytest.fixture
def descriptions(tmp_path):
    """Of a tiny corpus in three languages, the third of which is the second's copy."""
    data = tiny.write_corpus(tmp_path / "data")
    train = data / "xx" / "train.txt"
    train.write_text(train.read_text("utf-8").replace("woont", "Woont"), "utf-8")
    shutil.copytree(data / "xx", data / "yy")
    runtime = tiny.runtime(tmp_path, data)
    dictionary = write_dictionary(tmp_path / "en-xx.tsv")
    return DataDescriptions(runtime.model_copy(update={"dictionaries": (dictionary,)}))


def _config(method, **overrides):
    kept = {"encoder.precision": "fp32", "target": "xx", **tiny.FEWER}
    quick = {"encoder.frozen_layers": 2, "teacher.epochs": 1}
    if method in ("prokd", "composed"):
        quick |= {"teacher.epochs": 2, "teacher.collapse_fall": 0, "student.collapse_agreement": 0}
    if method != "baseline":
        quick["student.epochs"] = 1
    return build_config("mini", overrides=kept | quick | overrides, method=method)


def _experiment(config, descriptions):
    return Experiment("x", config, descriptions.training(config), descriptions.runtime.runs_dir)


@pytest.fixture
def other_encoder(tmp_path):
    """The embedded encoder, every weight a little larger."""
    folder = tmp_path / "other"
    shutil.copytree(ENCODER_PATH, folder)
    (path,) = folder.glob("*.safetensors")
    grown = {n: v * 1.01 if v.is_floating_point() else v for n, v in load_file(path).items()}
    save_file(grown, path, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("method", "setting", "alike"),
    [
        ("unitrans", "translation.casing: [source, target]", {"teacher"}),
        ("baseline", "encoder.name: [mini, OTHER]", set()),
        ("tsl", "data.dataset: [phrasebook, conll]", {"teacher", "student"}),
    ],
)
def test_points_that_read_other_things_have_other_runs(
    method, setting, alike, descriptions, other_encoder, tmp_path
):
    config, file = _config(method), tmp_path / "space.yaml"
    file.write_text(setting.replace("OTHER", str(other_encoder)) + "\n")
    space = load_space(str(file), config)
    spec = SearchSpec(config, space, (0,), True, 2)
    name, read, runs_dir = next(iter(space)), descriptions.training, tmp_path / "runs"
    found = [
        spec.experiments("x", {name: value}, read, runs_dir)[0] for value in space[name].choices
    ]
    for one in found:  # they are those that somebody would have who asked for the point alone
        assert [one.key(stage) for stage in one.graph.names] == [
            Experiment("y", one.config, read(one.config), runs_dir).key(stage)
            for stage in one.graph.names
        ]
    first, second = found
    assert {stage for stage in first.graph.names if first.key(stage) == second.key(stage)} == alike


def test_what_says_how_much_is_read_is_a_setting_and_nothing_is_read_for_it(
    descriptions, tmp_path, monkeypatch
):
    config, file = _config("tsl"), tmp_path / "space.yaml"
    file.write_text(
        "encoder.frozen_layers: {low: 0, high: 99}\n"
        "data.source_train_limit: {low: 1, high: 16}\n"
        "data.max_length: [16, 32]\n"
    )
    spec = SearchSpec(config, load_space(str(file), config), (0,), False, 9)
    assert spec.data(descriptions) == descriptions.training(config)
    monkeypatch.setattr(Corpora, "check", None)  # no point is looked at by itself
    more = {"encoder.frozen_layers": 99, "data.source_train_limit": 1, "data.max_length": 16}
    points = ({path: more[path] for path in list(more)[:number]} for number in range(4))
    found = [
        spec.experiments("x", point, descriptions.training, tmp_path)[0] for point in points
    ]  # of which one cannot be trained: that is for a worker to say
    assert len({one.key("student") for one in found}) == 4
    assert all(one.data == found[0].data for one in found)


def test_a_study_is_another_one_when_any_of_its_encoders_has_other_weights(
    descriptions, other_encoder, tmp_path
):
    config, file = _config("baseline"), tmp_path / "space.yaml"
    file.write_text(f"encoder.name: [mini, {other_encoder}]\n")
    spec = SearchSpec(config, load_space(str(file), config), (0,), True, 2)
    names = [spec.study_name(descriptions)]
    assert len({v for k, v in spec.data(descriptions).items() if k.startswith("encoder")}) == 2
    shutil.copytree(ENCODER_PATH, other_encoder, dirs_exist_ok=True)
    encoder_fingerprint.cache_clear()  # as in a process of its own
    names.append(spec.study_name(DataDescriptions(descriptions.runtime)))
    assert names[0] != names[1]


def test_what_a_run_of_a_further_source_takes_is_told_by_runs_of_that_source(descriptions):
    config = _config("tsl", source="en", more_sources=("yy",))
    trained = _experiment(config, descriptions)
    with StageRun("teacher_yy", config, descriptions.runtime) as run:
        run.run()
    other = replace(trained, config=config.model_copy(update={"seed": 1}))
    assert need([other], "teacher_yy").seconds > 0
    assert need([other], "teacher").seconds is None


def test_a_stage_that_does_not_fit_leaves_those_alone_that_share_its_settings(descriptions):
    config = _config("unitrans")
    asked = _experiment(config, descriptions)
    names = asked.graph.names
    assert names[:3] == ("teacher", "translated_teacher", "finetuned_teacher")
    folders = [asked.folder(name) for name in names]
    note(folders[1], 256)
    led = [asked.folder(name) for name in names]
    moved = [one.path != other.path for one, other in zip(folders, led, strict=True)]
    assert moved == [False, True, False, True]  # the student needs it
    runtime = descriptions.runtime
    for name, folder in zip(names, led, strict=True):
        with StageRun(name, config, runtime, fingerprints=dict(asked.data)) as run:
            assert run.folder.path == folder.path
            assert [run.needed[n].path for n in run.spec.needs] == [
                asked.folder(n).path for n in run.spec.needs
            ]
            assert run.settings.micro_batch_tokens == (256 if name == names[1] else None)
    assert [e.path for e, f in pairwise(led) if e.path == f.path] == []


def test_text_that_is_made_of_the_source_is_recorded_as_what_is_learned_from(descriptions):
    for method, words in (("unitrans", "translated into"), ("concner", "beside its translation")):
        config = _config(method)
        found = read_by(config, Corpora(config, descriptions.runtime))
        (made,) = [item for item in found if words in item.name]
        assert made.name.startswith(f"{config.data.dataset}/en/train, {words}")
        assert made.name.endswith(" xx")
        assert made.context == TRAINING
        assert made.stages
        assert '"entities"' in made.profile  # its labels are the source's
        (chosen_on,) = [item for item in found if item.context == SELECTION]
        assert chosen_on.name == f"{config.data.dataset}/en/dev"
        unlabelled = [item for item in found if item.context == UNLABELLED]
        assert [item.name for item in unlabelled] == [
            f"{config.data.dataset}/xx/train, without labels"
        ]


@pytest.mark.parametrize(
    ("method", "point", "more"),
    [
        ("tsl", {}, {"source": "en", "more_sources": ("yy",)}),
        ("unitrans", {"student.main_teacher": "source", "student.voted_weight": 0}, {}),
        ("unitrans", {"translation.casing": "source"}, {}),
        ("composed", {"teacher.corpora": "paired"}, {}),
        ("prokd", {"student.fusion_weight": 0.7}, {}),
        ("prokd", {"teacher.alignment.weight": 0.0}, {"is_fixed": True}),
    ],
)
def test_a_best_point_may_read_other_text_than_the_settings_it_is_put_into(
    method, point, more, descriptions
):
    is_fixed = more.pop("is_fixed", False)  # by the search, for all of its points
    base = _config(method, **more)
    config = _config(method, **more, **settings_of(point))
    point = {} if is_fixed else point
    best = _experiment(config, descriptions)
    for name in best.graph.names:
        with StageRun(name, config, descriptions.runtime, fingerprints=dict(best.data)) as run:
            run.run()
    first = First(point, 0.0, (best.result.signature,))
    assert _read_the_same(first, base, descriptions)
    other = _config(method, **more | {"data.source_train_limit": 12})
    assert not _read_the_same(first, other, descriptions)
