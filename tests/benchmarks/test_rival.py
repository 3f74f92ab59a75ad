"""The rival differs from this project in its recipe alone."""

import numpy as np
import pytest
import torch

from benchmarks.rival import Rival
from benchmarks.rival_data import PADDING_LABEL, features_of, viterbi
from prokd.config import with_overrides
from prokd.data import collate
from prokd.encoder.classifier import build_classifier
from prokd.encoder.files import load_tokenizer
from prokd.terms.sequences import Places, likeliest_tags
from prokd.training.corpora import Corpora


@pytest.fixture
def config(tiny_config):
    return with_overrides(tiny_config, {"encoder.dropout": 0.0})


def test_padded_features_hold_the_same_subwords_and_labels(config, tiny_runtime):
    corpora = Corpora(config, tiny_runtime)
    corpus, encoded = corpora.corpus("en", "train"), corpora.source_train
    padded = features_of(corpus, load_tokenizer(config.encoder.name), corpora.tag_set, 32)
    assert torch.equal(
        padded.input_ids[padded.masks.bool()], torch.from_numpy(encoded.input_ids.astype(np.int64))
    )
    assert padded.labels[padded.labels != PADDING_LABEL].tolist() == encoded.labels.tolist()
    assert padded.num_words == np.diff(encoded.word_offsets).tolist()
    assert padded.first_row == encoded.word_offsets[:-1].tolist()


def test_the_same_weights_give_the_same_features_and_logits(config, tiny_runtime):
    rival = Rival(config, tiny_runtime)
    rival.start("teacher")
    corpora = Corpora(config, tiny_runtime)
    ours = build_classifier(config.encoder, len(corpora.tag_set), max_length=32, seed=0).eval()
    ours.classifier.load_state_dict(rival.model.classifier.state_dict())
    rival.model.eval()
    with torch.no_grad():
        features, logits, batch = rival._forward(rival.source_train, [5, 3, 8])
        our_batch = collate(corpora.source_train, [5, 3, 8], corpora.pad_token_id)
        our_features, our_logits = ours(our_batch)
    torch.testing.assert_close(features, our_features, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits, our_logits, atol=1e-5, rtol=1e-4)
    assert batch.rows.tolist() == our_batch.word_index_N.tolist()


def test_viterbi_sentence_by_sentence_equals_ours():
    logits = torch.randn(40, 7, generator=torch.Generator().manual_seed(0)) * 2
    lengths = [1, 7, 12, 20]
    found = [tag for part in logits.split(lengths) for tag in viterbi(part.numpy().tolist())]
    places = Places.of_lengths(lengths)
    assert found == likeliest_tags(torch.softmax(logits, dim=-1), places).tolist()
    assert viterbi([]) == []


def test_a_point_trains_both_stages_with_as_many_updates_as_ours(config, tiny_runtime):
    result = Rival(config, tiny_runtime).run()
    steps = 96 // config.teacher.batch_sentences * config.teacher.epochs
    assert result["teacher_updates"] == result["student_updates"] == steps
    assert result["source_dev"] > 0.2  # of 16 sentences
    assert 0 <= result["target_test_entity_f1"] <= result["target_test_entity_f1_viterbi"] <= 1
