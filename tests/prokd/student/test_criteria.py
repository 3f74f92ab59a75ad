"""Criteria without labels against plain NumPy over all tokens at once."""

from __future__ import annotations

import numpy as np
import torch

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.encoder.classifier import build_classifier
from prokd.scoring.evaluation import passes
from prokd.stages.criteria import unlabelled_criteria
from prokd.training.corpora import Corpora


def test_equals_the_definitions(
    tiny_config: ExperimentConfig, tiny_runtime: RuntimeConfig
) -> None:
    corpora = Corpora(tiny_config, tiny_runtime)
    num_classes = len(corpora.tag_set)
    model = build_classifier(tiny_config.encoder, num_classes, max_length=16, seed=3)
    encoded = corpora.target_train
    num_tokens = int(encoded.word_offsets[-1])
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(num_classes), size=num_tokens)
    features, q = np.zeros((num_tokens, model.num_features)), np.zeros_like(p)
    for batch, features_ND, logits_NC in passes(model, encoded, corpora.pad_token_id):
        rows = batch.word_index_N.numpy()
        features[rows] = features_ND.numpy()
        q[rows] = torch.softmax(logits_NC.double(), dim=-1).numpy()
    found = unlabelled_criteria(
        model, encoded, corpora.pad_token_id, torch.tensor(p, dtype=torch.float32)
    )
    assert np.isclose(found["teacher_agreement"], (p.argmax(1) == q.argmax(1)).mean())
    assert np.isclose(found["confidence"], (q * np.log(q)).sum(1).mean(), atol=1e-5)
    difference = np.abs(q.mean(0) - p.mean(0)).sum() / 2
    assert np.isclose(found["distribution_match"], 1 - difference, atol=1e-5)
    centre = features.mean(0)
    prototypes = q.T @ features / q.sum(0)[:, None]
    between = (q.sum(0) * ((prototypes - centre) ** 2).sum(1)).sum()
    total = ((features - centre) ** 2).sum()
    assert np.isclose(found["prototype_separation"], between / total, atol=1e-4)
