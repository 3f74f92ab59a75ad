"""Teacher, student, report: whole runs on a tiny corpus."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import tiny

from prokd.config import ExperimentConfig, RuntimeConfig, with_overrides
from prokd.errors import CollapsedRun, UserError
from prokd.method import CRITERIA
from prokd.methods import in_method, without_components
from prokd.methods.prokd.teacher import TeacherStage
from prokd.runs.folder import ORACLE, SOURCE_DEV
from prokd.training.run import StageRun, data_fingerprints

COMPONENTS = ("CA", "ST", "PK", "CL")
SUBSETS = [
    [name for bit, name in enumerate(COMPONENTS) if number >> bit & 1] for number in range(16)
]


@pytest.fixture(scope="module")
def config(few_config: ExperimentConfig) -> ExperimentConfig:
    """What most tests train; its scores are above zero."""
    return with_overrides(few_config, tiny.FAST)


def train(config: ExperimentConfig, runtime: RuntimeConfig) -> list[Path]:
    folders = []
    for kind in ("teacher", "student"):
        with StageRun(kind, config, runtime) as run:
            run.run()
            run.report()
            folders.append(run.folder.path)
    return folders


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def curve(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def moved(runtime: RuntimeConfig, folder: Path) -> RuntimeConfig:
    return runtime.model_copy(update={"runs_dir": folder})


def test_same_seed_gives_the_same_numbers(
    config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    first = train(config, kept_runtime)
    second = train(config, moved(kept_runtime, tmp_path / "again"))
    other = train(with_overrides(config, {"seed": 1}), kept_runtime)
    for one, two, three in zip(first, second, other, strict=True):
        assert one.name == two.name
        assert weights_hash(one) == weights_hash(two) != weights_hash(three)
        assert curve(one) == curve(two)


def test_resumed_run_equals_an_uninterrupted_one(
    config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    whole = train(config, kept_runtime)
    runtime = moved(kept_runtime, tmp_path / "interrupted")
    for kind, reference in zip(("teacher", "student"), whole, strict=True):
        with StageRun(kind, config, runtime) as run:
            run.step()
            assert not run.done
        with StageRun(kind, config, runtime) as run:
            run.run()
            assert run.trained_epochs == 1
            assert weights_hash(run.folder.path) == weights_hash(reference)
            assert curve(run.folder.path) == curve(reference)
            assert not run.folder.checkpoints()


def test_a_resumed_teacher_remembers_the_shares_from_before_the_alignment(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    fades = {"teacher.alignment.least_entity_share": 1.0, "teacher.epochs": 3, **tiny.FEW}
    config = with_overrides(tiny_config, fades)
    free = with_overrides(config, {"teacher.alignment.least_entity_share": 0.0})
    curves = []
    for number, (settings, stop) in enumerate(((config, 3), (config, 2), (free, 3))):
        runtime = moved(tiny_runtime, tmp_path / str(number))
        with StageRun("teacher", settings, runtime) as run:
            for _ in range(stop):
                run.step()
        with StageRun("teacher", settings, runtime) as run:
            run.run()
            curves.append(curve(run.folder.path))
    assert curves[1] == curves[0]
    assert curves[2] != curves[0]  # the correction does act


def test_finished_run_is_never_trained_again(
    config: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    teacher, _ = train(config, kept_runtime)
    before = (teacher / "weights.safetensors").stat().st_mtime_ns
    with StageRun("teacher", config, kept_runtime) as run:
        run.run()
        assert run.done
        assert run.trained_epochs == 0
    assert (teacher / "weights.safetensors").stat().st_mtime_ns == before


def test_scrambled_target_labels_change_nothing_but_the_report(
    config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    honest = train(config, kept_runtime)
    scrambled_data = tiny.write_corpus(tmp_path / "scrambled")
    tiny.scramble_labels(scrambled_data, "xx")
    runtime = kept_runtime.model_copy(
        update={"data_dirs": (scrambled_data,), "runs_dir": tmp_path / "scrambled-runs"}
    )
    poisoned = train(config, runtime)
    for one, two in zip(honest, poisoned, strict=True):
        assert one.name == two.name
        assert weights_hash(one) == weights_hash(two)
        assert curve(one) == curve(two)
        reports = [json.loads((folder / "report.json").read_text()) for folder in (one, two)]
        assert reports[0]["metrics"] != reports[1]["metrics"]
        assert reports[0]["fingerprint"] != reports[1]["fingerprint"]


def test_report_is_made_again_when_test_labels_change(
    config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    folder = train(config, kept_runtime)[1]
    before = json.loads((folder / "report.json").read_text())
    other = tiny.write_corpus(tmp_path / "other")
    tiny.scramble_labels(other, "xx")
    runtime = tiny.copied(kept_runtime, tmp_path / "runs")
    with StageRun("student", config, runtime.model_copy(update={"data_dirs": (other,)})) as run:
        assert run.done
        assert run.report() != before["metrics"]


@pytest.mark.parametrize("removed", SUBSETS, ids=lambda names: "-".join(names) or "full")
def test_every_subset_of_components_runs(
    removed: list[str], few_config: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    quick = {"teacher.epochs": 1, "student.epochs": 1, "teacher.alignment.start_epoch": 0}
    quick["teacher.alignment.least_entity_share"] = 0
    config = with_overrides(few_config, quick | without_components(removed))
    with StageRun("teacher", config, kept_runtime) as run:
        run.run()
        assert ("teacher/alignment_loss" in run.history[-1]) == ("CA" not in removed)
    with StageRun("student", config, kept_runtime) as run:
        run.run()
        row = run.history[-1]
    assert ("student/self_training_loss" in row) == ("ST" not in removed)
    if "ST" not in removed and "PK" in removed:
        assert row["student/changed_by_teacher"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"teacher.alignment.gradient": "none"},
        {"teacher.alignment.gradient": "batch"},
        {"teacher.alignment.gradient": "literal", "prototypes.update_rate_acts_on": "target"},
        {"teacher.alignment.start": "first_batch", "teacher.alignment.refresh": "never"},
        {"teacher.alignment.outside_class": False, "teacher.alignment.negatives": "across"},
        {"prototypes.weights": "hard", "prototypes.confidence": 0.3},
        {"student.start": "teacher", "student.distance": "raw"},
        {"student.prototype_start": "first_batch", "student.distance": "scaled"},
        {"student.prototype_weights_from": "teacher", "student.confidence": 0.3},
        {"student.class_prior": True, "student.first_epoch": 1},
        {"teacher.loss_reduction": "sentences", "student.loss_reduction": "sentences"},
        {"teacher.optimizer": "adamw", "teacher.weight_decay": 0.01},
        {"encoder.freeze_embeddings": False, "encoder.frozen_layers": 0},
    ],
    ids=str,
)
def test_every_reading_runs(
    settings: dict[str, object], few_config: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    train(with_overrides(few_config, settings), kept_runtime)


def test_collapse_ends_the_run_and_stays_known(
    few_config: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    # Constant schedule: self-training acts from the first epoch; nobody agrees on all tokens.
    config = with_overrides(
        few_config,
        {
            "student.schedule": "constant",
            "student.collapse_agreement": 1.0,
            "student.fusion_weight": 1.0,
        },
    )
    with StageRun("teacher", config, kept_runtime) as run:
        run.run()
    for _ in range(2):
        with (
            pytest.raises(CollapsedRun, match=r"collapsed in epoch 1: pseudo-labels agree"),
            StageRun("student", config, kept_runtime) as run,
        ):
            run.run()
    assert not (run.folder.path / "DONE").exists()


def test_alignment_that_undoes_the_tagging_ends_the_run(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    changes = {"teacher.alignment.weight": 1e4, "teacher.collapse_fall": 1.0}
    slow = {"teacher.batch_sentences": 4, "teacher.learning_rate": 5e-3}
    config = with_overrides(tiny_config, changes | slow)
    with (
        pytest.raises(CollapsedRun, match=r"alignment collapsed the teacher in epoch 2: source"),
        StageRun("teacher", config, tiny_runtime) as run,
    ):
        run.run()
    assert run.folder.failure() is not None


def test_alignment_that_empties_the_target_ends_the_run(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    config = with_overrides(few_config, {"teacher.collapse_fall": 0.9})
    with StageRun("teacher", config, tiny_runtime) as run:
        run.step()
        assert isinstance(run.stage, TeacherStage)
        run.stage.best_token_f1 = 0.0
        run.stage.shares.entity_share = 2.0  # more than there are tokens
        with pytest.raises(CollapsedRun, match=r"in 0\.\d+ of the target's tokens, after 2"):
            run.step()


def test_criteria_of_a_student_need_no_target_label(
    config: ExperimentConfig, kept_runtime: RuntimeConfig
) -> None:
    _, student = train(config, kept_runtime)
    criteria = json.loads((student / "result.json").read_text())["criteria"]
    assert set(criteria) == {SOURCE_DEV, *CRITERIA}
    assert not (student / "oracle.json").exists()
    assert 0 <= criteria["teacher_agreement"] <= 1
    assert 0 <= criteria["distribution_match"] <= 1
    assert 0 <= criteria["prototype_separation"] <= 1
    assert criteria["confidence"] <= 0


def test_oracle_scores_labelled_target_dev(
    config: ExperimentConfig, kept_runtime: RuntimeConfig, tmp_path: Path
) -> None:
    train(config, kept_runtime)
    runtime = tiny.copied(kept_runtime, tmp_path / "runs")
    with StageRun("student", config, runtime) as run:
        first = run.oracle()
        assert run.oracle() == first == run.folder.criterion(ORACLE)
    other = tiny.write_corpus(tmp_path / "other")
    tiny.scramble_labels(other, "xx")
    runtime = runtime.model_copy(update={"data_dirs": (other,)})
    with StageRun("student", config, runtime) as run:
        assert run.done
        assert run.oracle() != first


def test_student_without_teacher_says_what_to_do(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    with (
        StageRun("student", tiny_config, tiny_runtime) as run,
        pytest.raises(UserError, match=r"train-teacher"),
    ):
        run.run()


def test_data_is_checked_before_anything_is_trained(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tiny_data: Path
) -> None:
    (tiny_data / "xx" / "test.txt").write_text("amsterdam\tB-CITY\n")
    with pytest.raises(UserError, match=r"CITY"):
        data_fingerprints(tiny_config, tiny_runtime)


def test_a_teacher_is_reported_on_every_target_that_reads_it(
    few_config: ExperimentConfig, tiny_runtime: RuntimeConfig, tiny_data: Path
) -> None:
    shutil.copytree(tiny_data / "xx", tiny_data / "yy")
    tiny.scramble_labels(tiny_data, "yy")
    both = [
        with_overrides(in_method(few_config, "baseline"), {"target": target})
        for target in ("xx", "yy")
    ]
    first = [_report(config, tiny_runtime) for config in both]
    (folder,) = tiny_runtime.runs_dir.glob("teacher-*")
    written = (folder / "report.json").stat().st_mtime_ns
    assert [_report(config, tiny_runtime) for config in both] == first
    assert (folder / "report.json").stat().st_mtime_ns == written
    for target, scores in zip(("xx", "yy"), first, strict=True):
        assert {name.split("/")[1] for name in scores} == {"en", target}
        assert (folder / f"counts-{target}.npz").exists()
    known = json.loads((folder / "report.json").read_text())["metrics"]
    assert {name.split("/")[1] for name in known} == {"en", "xx", "yy"}


def _report(config: ExperimentConfig, runtime: RuntimeConfig) -> dict[str, float]:
    with StageRun("teacher", config, runtime) as run:
        run.run()
        return run.report()
