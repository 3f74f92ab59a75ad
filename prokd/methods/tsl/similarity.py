"""Weights of teachers by how like a sentence is to each source language (section 3.2).

# S sentences, K source languages, D feature size, R rank
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Similarity(nn.Module):
    """The bilinear score of a sentence and a language, s(g, k) = (U g + b) . (V mu_k + c).

    Args:
        means_KD: float, (K, D), first language vectors: the mean sentence of each source.
        rank: R.
    """

    def __init__(self, means_KD: Tensor, rank: int) -> None:
        """Make the two maps with random first weights."""
        super().__init__()
        self.languages_KD = nn.Parameter(means_KD.clone())
        self.of_sentence = nn.Linear(means_KD.shape[1], rank)
        self.of_language = nn.Linear(means_KD.shape[1], rank)

    def forward(self, sentences_SD: Tensor) -> Tensor:
        """Return the scores, (S, K), of sentences, (S, D)."""
        scores_SK: Tensor = self.of_sentence(sentences_SD) @ self.of_language(self.languages_KD).T
        return scores_SK


def orthogonality_penalty(languages_KD: Tensor) -> Tensor:
    """Return the squared Frobenius norm of M M^T - I, M the language vectors: scalar."""
    difference_KK = languages_KD @ languages_KD.T - torch.eye(len(languages_KD))
    return difference_KK.square().sum()


def fit_similarity(
    sentences: Sequence[Tensor],
    *,
    rank: int,
    orthogonality: float,
    epochs: int,
    learning_rate: float,
    batch_sentences: int,
    seed: int,
) -> Similarity:
    """Learn to tell the source languages apart by their sentences.

    Args:
        sentences: float, (S_k, D), vectors of each source's training sentences.
        rank: R.
        orthogonality: gamma, weight of `orthogonality_penalty`.
        epochs: Passes over all sentences.
        learning_rate: Of Adam.
        batch_sentences: Sentences of a step.
        seed: Of first weights and order.
    """
    vectors_SD = torch.cat(list(sentences))
    languages_S = torch.repeat_interleave(torch.tensor([len(part) for part in sentences]))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        means_KD = torch.stack([part.mean(dim=0) for part in sentences])
        model = Similarity(means_KD, rank)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(epochs):
        order_S = torch.randperm(len(vectors_SD), generator=generator)
        for chosen in torch.split(order_S, batch_sentences):
            scores_SK = model(vectors_SD[chosen])
            loss = nn.functional.cross_entropy(scores_SK, languages_S[chosen])
            loss = loss + orthogonality * orthogonality_penalty(model.languages_KD)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval()


@torch.no_grad()
def teacher_weights(model: Similarity, target_SD: Tensor, *, by_sentence: bool) -> Tensor:
    """Return the weight of each source's teacher for each target sentence.

    a_k(x) = softmax_k(t s(g, k)), t = 1 / Var(all s on the target).

    Args:
        model: As `fit_similarity` returns it.
        target_SD: float, (S, D), vectors of target sentences.
        by_sentence: Whether each sentence has its own weights; else all have their mean.

    Returns:
        float, (S, K), rows sum to 1.
    """
    scores_SK = model(target_SD)
    temperature = 1 / scores_SK.var(correction=0).clamp_min(1e-12)
    weights_SK = torch.softmax(temperature * scores_SK, dim=-1)
    return weights_SK if by_sentence else weights_SK.mean(dim=0).expand_as(weights_SK)


def weighted_probabilities(probabilities: Sequence[Tensor], weights_NK: Tensor) -> Tensor:
    """Return sum_k a_k p_k.

    Args:
        probabilities: float, (N, C), p of each of the K teachers.
        weights_NK: float, (N, K), a: rows sum to 1.
    """
    stacked_NKC = torch.stack(list(probabilities), dim=1)
    return (weights_NK.unsqueeze(-1) * stacked_NKC).sum(dim=1)
