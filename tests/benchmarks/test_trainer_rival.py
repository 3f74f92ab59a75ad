"""The strong rival computes what this project computes, and trains by as many updates."""

import csv
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

pytest.importorskip(
    "accelerate", reason="the strong rival needs accelerate: pip install -e .[rival]"
)

from benchmarks.processes import run
from benchmarks.sweep import points_of
from benchmarks.trainer_data import PADDING_LABEL, Data, decode
from benchmarks.trainer_rival import words_of
from benchmarks.trainer_search import TrainerJob
from benchmarks.trainer_student import StudentTrainer, train
from benchmarks.trainer_teacher import TeacherTrainer
from prokd.config import with_overrides
from prokd.data import collate
from prokd.encoder.classifier import build_classifier
from prokd.methods import build_config
from prokd.methods.prokd.student.labelling import Labelling
from prokd.methods.prokd.student.objective import student_objective
from prokd.methods.prokd.student.self_training import self_training_loss
from prokd.methods.prokd.teacher.stage import TeacherStage
from prokd.scoring.evaluation import LabelledSplit
from prokd.stages.running_means import RunningMeans
from prokd.terms.distillation import distillation_loss
from prokd.terms.prototypes import PrototypeBank
from prokd.terms.sequences import Places, likeliest_tags
from prokd.terms.tagging_loss import tagging_loss
from prokd.training.corpora import Corpora
from tests import preloaded

ROOT = Path(__file__).parents[2]
ROWS = [5, 3, 8]


@pytest.fixture(params=["stable", "soft"])
def config(request, tiny_encoder):
    chosen = build_config("paper", request.param, tiny.settings(tiny_encoder))
    return with_overrides(chosen, {"encoder.dropout": 0.0})


@pytest.fixture
def corpora(config, tiny_runtime):
    return Corpora(config, tiny_runtime)


@pytest.fixture
def data(config, corpora):
    return Data.read(config, corpora)


@pytest.fixture
def teacher(config, data, tmp_path):
    return TeacherTrainer(config, data, tmp_path / "trainer")


@pytest.fixture
def ours(config, corpora, teacher):
    model = build_classifier(config.encoder, len(corpora.tag_set), max_length=32, seed=0)
    model.classifier.load_state_dict(teacher.model.classifier.state_dict())
    teacher.model.eval()
    return model.eval()


def theirs_of(trainer, split):
    return trainer.data_collator([split.dataset[row] for row in ROWS])


def ours_of(corpora, encoded, split):
    return collate(encoded, split.order[ROWS], corpora.pad_token_id)


def test_a_split_holds_the_same_subwords_and_labels(data, corpora):
    split, encoded = data.source_train, corpora.source_train
    for row, number in enumerate(split.order):
        begin, end = encoded.offsets[number : number + 2]
        first, last = encoded.word_offsets[number : number + 2]
        sentence = split.dataset[row]
        labels = [label for label in sentence["labels"] if label != PADDING_LABEL]
        assert sentence["input_ids"] == encoded.input_ids[begin:end].tolist()
        assert labels == encoded.labels[first:last].tolist()
    assert sorted(split.order) == list(range(len(encoded)))
    assert len(split.kept) == len(encoded.word_positions)
    lengths = split.dataset["length"][:]
    assert lengths == sorted(lengths, reverse=True)


def test_the_same_weights_give_the_same_features_and_logits(data, corpora, teacher, ours):
    with torch.no_grad():
        found = words_of(teacher.model, theirs_of(teacher, data.source_train))
        batch = ours_of(corpora, corpora.source_train, data.source_train)
        features_ND, logits_NC = ours(batch)
    torch.testing.assert_close(found.features_ND, features_ND, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.logits_NC, logits_NC, atol=1e-5, rtol=1e-4)
    assert torch.equal(found.labels_N, batch.labels_N)
    firsts = np.array(data.source_train.dataset["first_row"][:])[ROWS]
    assert found.rows_N[found.places.position_N == 0].tolist() == firsts.tolist()


def test_the_same_weights_give_the_same_loss_of_a_teacher(config, data, corpora, teacher, ours):
    teacher.begin_epoch(config.teacher.alignment.start_epoch)
    source = theirs_of(teacher, data.source_train)
    teacher.targets = iter([theirs_of(teacher, data.target_train)])
    found = teacher.compute_loss(teacher.model.eval(), source)

    stage = TeacherStage(
        model=ours,
        config=config,
        source_train=corpora.source_train,
        source_dev=corpora.source_dev,
        target_train=corpora.target_train,
        pad_token_id=corpora.pad_token_id,
    )
    if config.teacher.alignment.is_batchwise:
        stage.shares.begin(*stage._target_class_shares())
    else:
        stage._prepare_prototypes()
    batch = ours_of(corpora, corpora.source_train, data.source_train)
    features_ND, logits_NC = ours.eval()(batch)
    target = ours_of(corpora, corpora.target_train, data.target_train)
    aligned = stage.alignment.loss(target, features_ND, batch.labels_N, RunningMeans("cpu"))
    expected = tagging_loss(logits_NC, batch.labels_N) + aligned
    assert aligned.item() != 0
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_same_weights_give_the_same_loss_of_a_student(
    config, data, corpora, teacher, ours, tmp_path
):
    student = StudentTrainer(config, data, tmp_path / "trainer", teacher)
    student.begin_epoch(0)
    student.alpha = 0.3
    inputs = theirs_of(student, data.target_train)
    rows_N = words_of(student.model.eval(), inputs).rows_N
    teacher_NC = student.teacher_NC[rows_N]
    bank = PrototypeBank(len(corpora.tag_set), ours.num_features)
    bank.load_state_dict(student.bank.state_dict())
    found = student.compute_loss(student.model.eval(), inputs)

    batch = ours_of(corpora, corpora.target_train, data.target_train)
    features_ND, logits_NC = ours(batch)
    student_NC = torch.softmax(logits_NC, dim=-1)
    labelling = Labelling(ours, config, bank=bank, teacher_distribution_C=student.teacher_C)
    labels_N, kept_N = labelling.label(
        batch, features_ND.detach(), student_NC.detach(), teacher_NC, RunningMeans("cpu")
    )
    expected = student_objective(
        self_training_loss(logits_NC, labels_N, kept_N=kept_N),
        distillation_loss(teacher_NC, student_NC),
        distillation_weight=0.3,
    )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(student.bank.prototypes_CD, bank.prototypes_CD)


def test_the_same_weights_give_the_same_scores(config, data, corpora, teacher, ours):
    corpus = corpora.corpus(config.target, "test")
    scores, _ = LabelledSplit(corpus, corpora._encode(corpus)).full_report(
        ours, corpora.pad_token_id
    )
    found = teacher.scores(data.target_test)
    assert found == pytest.approx({name: scores[name] for name in found}, abs=1e-9)


def test_viterbi_over_a_split_equals_ours():
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(4, 20, 7, generator=generator) * 2).numpy()
    lengths = [1, 7, 12, 20]
    labels = np.full((4, 20), PADDING_LABEL)
    for row, length in enumerate(lengths):
        labels[row, 20 - length :] = 0
    independent, valid = decode(logits, labels)
    flat = torch.from_numpy(logits[labels == 0])
    places = Places.of_lengths(lengths)
    assert independent.tolist() == flat.argmax(dim=-1).tolist()
    assert valid.tolist() == likeliest_tags(torch.softmax(flat, dim=-1), places).tolist()


def test_a_point_trains_both_stages_with_as_many_updates_as_ours(config, data, tmp_path):
    _, result = train(config, data, tmp_path / "trainer")
    steps = 96 // config.teacher.batch_sentences * config.teacher.epochs
    assert result["teacher_updates"] == result["student_updates"] == steps
    assert result["source_dev"] > 0.2  # of 16 sentences
    assert 0 <= result["target_test_entity_f1"] <= result["target_test_entity_f1_viterbi"] <= 1


@pytest.mark.ray
def test_a_sweep_tries_its_points_and_keeps_the_best_student(tiny_encoder, tiny_runtime, tmp_path):
    config = build_config("paper", "stable", tiny.settings(tiny_encoder))
    space = {"student.fusion_weight": [0.7, 0.9]}
    job = TrainerJob(
        config.model_dump(mode="json"),
        tiny_runtime.model_dump(mode="json"),
        str(tmp_path / "sweep"),
        space,
        list(points_of(space)),
    )
    found, _ = run("trainer_search", tmp_path / "sweep" / "job.json", asdict(job))
    assert found["complete"] == 2
    assert found["points"] == [json.dumps(point) for point in points_of(space)]
    assert (Path(found["exported"]) / "model.safetensors").exists()
    assert (tmp_path / "sweep" / "mlflow.db").exists()


def test_the_parts_beside_the_strong_rival_run(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PROKD_DATA", None)
    parts = ["trainer_steps", "trainer_quality"]
    done = preloaded.run(
        ["-m", "benchmarks", *parts, "--quick", "--output", str(tmp_path)],
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["part"] for row in rows} == set(parts)
    updates = rows[-1]
    assert updates["what"] == "updates of a run"
    assert updates["ours"] == updates["other"] == "4"
