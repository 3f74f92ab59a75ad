"""How good a finished student looks without any target label: criteria to choose by.

# N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

import torch
from torch import Tensor

from prokd.data import EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring.evaluation import passes
from prokd.terms.prototypes import class_sums, means_of_sums


@torch.no_grad()
def unlabelled_criteria(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int, teacher_NC: Tensor
) -> dict[str, float]:
    """Return what one pass over unlabelled target text says of a student; higher is better.

    Args:
        model: The student.
        encoded: Target text without labels: what was held out, or target train.
        pad_token_id: Of the tokenizer.
        teacher_NC: float, (N, C), p for every kept word of the corpus.

    Returns:
        ``teacher_agreement``: share of tokens with the teacher's likeliest class, in [0, 1].
        ``confidence``: minus the mean entropy of q, nats, in [-log C, 0].
        ``distribution_match``: 1 less the total variation distance between the mean of q and the
        mean of p, in [0, 1].
        ``prototype_separation``: share of the variance of the features that lies between the
        student's prototypes (Eq. 4 with its own q), in [0, 1].
    """
    sums_CD = torch.zeros(model.num_classes, model.num_features, device=model.device)
    mass_C = torch.zeros(model.num_classes, device=model.device)
    squares = torch.zeros((), device=model.device)
    agreeing, entropy = torch.zeros_like(squares), torch.zeros_like(squares)
    for batch, features_ND, logits_NC in passes(model, encoded, pad_token_id):
        log_NC = torch.log_softmax(logits_NC.float(), dim=-1)
        part_CD, part_C = class_sums(features_ND.float(), log_NC.exp())
        sums_CD += part_CD
        mass_C += part_C
        squares += features_ND.float().square().sum()
        entropy -= (log_NC.exp() * log_NC).sum()
        teacher_labels_N = teacher_NC[batch.word_index_N].argmax(dim=-1)
        agreeing += (log_NC.argmax(dim=-1) == teacher_labels_N).sum()
    num_tokens = max(len(teacher_NC), 1)
    mean_D = sums_CD.sum(dim=0) / num_tokens
    around = num_tokens * mean_D.square().sum()
    between = (mass_C * means_of_sums(sums_CD, mass_C).square().sum(dim=-1)).sum() - around
    distance = (mass_C / num_tokens - teacher_NC.mean(dim=0)).abs().sum() / 2
    return {
        "teacher_agreement": float(agreeing / num_tokens),
        "confidence": float(-entropy / num_tokens),
        "distribution_match": float(1 - distance),
        "prototype_separation": float(between / (squares - around).clamp_min(1e-12)),
    }
