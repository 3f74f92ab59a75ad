"""Entity F1 without labels: what a model expects of itself, held against labelled source text.

A model's probabilities say which F1 it expects of its tags. On the source, where labels tell the
truth, the same sum is off by some amount. Two readings of that amount bound the estimate: it is an
error of the sum that the target does not share (`F1Estimate.expected`), or one that the target
shares in full, the "difference of confidences" of Guillory et al. (ICCV 2021,
`F1Estimate.shifted`). The estimate is the middle of the two. Neither knows what a model does not
know that it does not know: the interval also reaches as far as estimates of known languages were
off (docs/text.md).

# W words of a corpus, S sentences, C classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data.labels import TagSet
from prokd.data.windows import likeliest_tags_of_long
from prokd.scoring.metrics import entity_f1, f1_score, strict_spans

Float = npt.NDArray[np.float64]
TEMPERATURES = np.geomspace(0.5, 6.0, 40)
"""Those that `fitted_temperature` tries."""
SAMPLES = 1000
"""Bootstrap samples of sentences behind an interval."""
BLOCK = 4_000_000
"""Sentences that are drawn at a time, of all samples together."""
COVERAGE = 0.95
"""Share of the samples in the interval."""
TOO_HIGH, TOO_LOW = 0.22, 0.03
"""Most that an estimate was too high, and too low: 59 models, six languages (docs/text.md)."""


@dataclass(frozen=True)
class F1Estimate:
    """Entity F1 of a model's likeliest valid tags on text without labels.

    Args:
        f1: The estimate, in [0, 1].
        low: Lower end of its interval: the lower reading, over samples of the sentences, and
            `TOO_HIGH` below the estimate at least.
        high: Upper end: the higher reading likewise, and `TOO_LOW` above it at least.
        expected: F1 that the model's calibrated probabilities promise on the target.
        shifted: The source's F1, plus what the model promises on the target, less on the source.
        source_f1: True F1 on the labelled source sentences.
        expected_source: F1 that the probabilities promise there.
        temperature: What the probabilities are calibrated by, on the source.
        sentences: S, number of target sentences.
        length_ratio: Mean words of a target sentence over those of a source sentence.
        share_ratio: Share of words that the model finds in entities, target over source.
    """

    f1: float
    low: float
    high: float
    expected: float
    shifted: float
    source_f1: float
    expected_source: float
    temperature: float
    sentences: int
    length_ratio: float
    share_ratio: float

    def measures(self) -> dict[str, float]:
        """Return what a run's report keeps: the estimate, its ends, how the texts differ."""
        return {
            "entity_f1_viterbi": self.f1,
            "entity_f1_viterbi_low": self.low,
            "entity_f1_viterbi_high": self.high,
            "length_ratio": self.length_ratio,
            "share_ratio": self.share_ratio,
        }


@dataclass(frozen=True)
class Expectation:
    """What probabilities say of the likeliest valid tags, by sentence; each float64, (S,).

    Args:
        right: Expected number of predicted entities that are right.
        predicted: Number of predicted entities.
        gold: Expected number of entities that are there.
    """

    right: Float
    predicted: Float
    gold: Float

    @property
    def f1(self) -> float:
        """Expected entity F1: 2 right / (predicted + gold), of the sums over sentences."""
        return f1_score(self.right.sum(), self.predicted.sum(), self.gold.sum())

    @property
    def errors(self) -> Float:
        """Expected number of wrong and missing entities of each sentence, (S,)."""
        return np.asarray(self.predicted + self.gold - 2 * self.right)

    def sampled_f1(self, samples: npt.NDArray[np.int64]) -> Float:
        """Return expected F1 of samples of sentences, int64, (R, S), as float64, (R,)."""
        right, predicted, gold = (
            part[samples].sum(axis=1) for part in (self.right, self.predicted, self.gold)
        )
        return np.asarray(2 * right / np.maximum(predicted + gold, 1e-12))


def estimate_f1(
    source_WC: Tensor,
    source_lengths: Sequence[int],
    source_gold_W: npt.NDArray[np.integer],
    target_WC: Tensor,
    target_lengths: Sequence[int],
    tag_set: TagSet,
) -> tuple[F1Estimate, Float]:
    """Estimate entity F1 on target text without a label of it.

    Args:
        source_WC: float, probabilities on labelled source sentences that were not trained on.
        source_lengths: Words of each of them.
        source_gold_W: int, (W,), their classes.
        target_WC: float, probabilities on target sentences, best ones that were not trained on.
        target_lengths: Words of each of them.
        tag_set: Gives the classes their meaning.

    Returns:
        The estimate, and the expected number of errors in each target sentence, (S,).
    """
    temperature = fitted_temperature(source_WC, source_gold_W)
    source = expectation(tempered(source_WC, temperature), source_lengths, tag_set)
    target = expectation(tempered(target_WC, temperature), target_lengths, tag_set)
    source_tags_W = likeliest_tags_of_long(source_WC, source_lengths).numpy()
    source_f1 = entity_f1(source_gold_W, source_tags_W, _sentence_of(source_lengths), tag_set)
    target_tags_W = likeliest_tags_of_long(target_WC, target_lengths).numpy()
    found_share = float((target_tags_W > 0).mean())
    shift = source_f1 - source.f1
    random = np.random.default_rng(0)
    number = len(target_lengths)
    block = max(1, BLOCK // number)  # a long text is not drawn from a thousand times at once
    sizes = [min(block, SAMPLES - first) for first in range(0, SAMPLES, block)]
    parts = [target.sampled_f1(random.integers(number, size=(rows, number))) for rows in sizes]
    drawn = np.sort(np.concatenate(parts))
    outside = int(SAMPLES * (1 - COVERAGE) / 2)
    middle = target.f1 + shift / 2
    found = F1Estimate(
        f1=_inside(middle),
        low=_inside(min(drawn[outside] + min(shift, 0.0), middle - TOO_HIGH)),
        high=_inside(max(drawn[-1 - outside] + max(shift, 0.0), middle + TOO_LOW)),
        expected=target.f1,
        shifted=_inside(target.f1 + shift),
        source_f1=source_f1,
        expected_source=source.f1,
        temperature=temperature,
        sentences=len(target_lengths),
        length_ratio=fmean(target_lengths) / fmean(source_lengths),
        share_ratio=found_share / max(float((source_tags_W > 0).mean()), 1e-12),
    )
    return found, target.errors


def expectation(values_WC: Tensor, lengths: Sequence[int], tag_set: TagSet) -> Expectation:
    """Return what probabilities expect of their own likeliest valid tags.

    Words are taken for independent: a predicted entity is right with the product of its tags'
    probabilities and of 1 - P(I-X) at the word behind it; an entity is there for each B- tag.

    Args:
        values_WC: float, (W, C), rows sum to 1.
        lengths: Words of each sentence.
        tag_set: Gives the classes their meaning.
    """
    values = values_WC.double().numpy()
    classes = likeliest_tags_of_long(values_WC, lengths).numpy()
    sentence_of = _sentence_of(lengths)
    spans = strict_spans(classes, sentence_of, tag_set)
    logs = np.log(np.maximum(values[np.arange(len(classes)), classes], 1e-12))
    until = np.concatenate([[0.0], np.cumsum(logs)])
    first, end, kind = spans.T
    goes_on = (end < len(classes)) & (
        sentence_of[np.minimum(end, len(classes) - 1)] == sentence_of[first]
    )
    inside = values[np.minimum(end, len(classes) - 1), 2 * kind + 2]
    is_right = np.exp(until[end] - until[first]) * np.where(goes_on, 1 - inside, 1.0)

    def by_sentence(sentences: npt.NDArray[np.integer], weights: Float | None) -> Float:
        sums = np.bincount(sentences, weights, minlength=len(lengths))
        return np.asarray(sums, dtype=np.float64)

    starts = values[:, 1::2].sum(axis=1)
    return Expectation(
        by_sentence(sentence_of[first], is_right),
        by_sentence(sentence_of[first], None),
        by_sentence(sentence_of, starts),
    )


def fitted_temperature(values_WC: Tensor, gold_W: npt.NDArray[np.integer]) -> float:
    """Return the temperature under which labels are likeliest (Guo et al., ICML 2017).

    Args:
        values_WC: float, (W, C), probabilities.
        gold_W: int, (W,), the true classes.
    """
    gold = torch.from_numpy(np.asarray(gold_W, dtype=np.int64))
    logs_WC = values_WC.clamp_min(1e-6).log()
    losses = [
        float(torch.nn.functional.cross_entropy(logs_WC / temperature, gold))
        for temperature in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def tempered(values_WC: Tensor, temperature: float) -> Tensor:
    """Return the probabilities at a temperature, (W, C): softmax of log p over it."""
    return torch.softmax(values_WC.clamp_min(1e-6).log() / temperature, dim=-1)


def _inside(value: float) -> float:
    return float(min(max(value, 0.0), 1.0))


def _sentence_of(lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(lengths)), lengths)
