"""The paper's equations once more, in plain loops over float64 NumPy.

Written from the formulas alone, without a look at the code under test and without a vectorised
operation beyond a dot product: every test that says "equals the reference" compares with these.

Shape suffixes: N tokens, D features, C classes.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(scores: Sequence[float]) -> list[float]:
    """exp(x_k) / sum exp(x_k'), shifted by the largest score."""
    largest = max(scores)
    if largest == -math.inf:
        raise ValueError("softmax of nothing")
    powers = [math.exp(score - largest) for score in scores]
    return [power / sum(powers) for power in powers]


def softmax_rows(logits_NC: Array) -> Array:
    return np.array([softmax([float(x) for x in row]) for row in logits_NC]).reshape(
        logits_NC.shape
    )


def log_softmax_row(row: Array) -> list[float]:
    largest = max(float(x) for x in row)
    log_total = largest + math.log(sum(math.exp(float(x) - largest) for x in row))
    return [float(x) - log_total for x in row]


# Eq. 1 and Eq. 11 ----------------------------------------------------------------------------


def cross_entropy(
    logits_NC: Array,
    labels_N: Sequence[int],
    *,
    reduction: str = "tokens",
    num_sentences: int | None = None,
) -> float:
    """Eq. 1 and Eq. 11: the sum of -log p[label], over the tokens or over the sentences."""
    total = 0.0
    for row, label in zip(logits_NC, labels_N, strict=True):
        total -= log_softmax_row(row)[label]
    if len(labels_N) == 0:
        return 0.0
    return total / (num_sentences if reduction == "sentences" else len(labels_N))


# Eq. 2 ---------------------------------------------------------------------------------------


def distillation(
    teacher_NC: Array,
    logits_NC: Array,
    *,
    class_reduction: str = "sum",
    reduction: str = "tokens",
    num_sentences: int | None = None,
) -> float:
    """Eq. 2: the squared difference of two distributions, p (teacher) and q (student)."""
    num_tokens, num_classes = logits_NC.shape
    if num_tokens == 0:
        return 0.0
    student_NC = softmax_rows(logits_NC)
    total = 0.0
    for i in range(num_tokens):
        of_token = 0.0
        for k in range(num_classes):
            of_token += (float(teacher_NC[i, k]) - float(student_NC[i, k])) ** 2
        total += of_token / num_classes if class_reduction == "mean" else of_token
    return total / (num_sentences if reduction == "sentences" else num_tokens)


# Eq. 3 ---------------------------------------------------------------------------------------


def source_prototypes(
    features_ND: Array, labels_N: Sequence[int], num_classes: int
) -> tuple[Array, list[float]]:
    """Eq. 3: the mean feature of each class, and how many tokens it has."""
    size = features_ND.shape[1]
    means = np.zeros((num_classes, size))
    counts = [0.0] * num_classes
    for k in range(num_classes):
        for row, label in zip(features_ND, labels_N, strict=True):
            if label == k:
                counts[k] += 1
                for d in range(size):
                    means[k, d] += row[d]
        if counts[k] > 0:
            for d in range(size):
                means[k, d] /= counts[k]
    return means, counts


# Eq. 4 ---------------------------------------------------------------------------------------


def class_weights(
    probabilities_NC: Array,
    *,
    kind: str = "soft",
    power: float = 1.0,
    threshold: float = 0.0,
) -> Array:
    """The weights of Eq. 4: p itself, its argmax, or p sharpened; unsure tokens weigh nothing."""
    weights = np.zeros_like(probabilities_NC)
    for i, row in enumerate(probabilities_NC):
        values = [float(x) for x in row]
        if max(values) < threshold:
            continue
        if kind == "soft":
            raised = values
        elif kind == "hard":
            raised = [0.0] * len(values)
            raised[values.index(max(values))] = 1.0
        elif kind == "sharpened":
            raised = [value**power for value in values]
            raised = [value / sum(raised) for value in raised]
        else:
            raise ValueError(kind)
        weights[i] = raised
    return weights


def target_prototypes(features_ND: Array, weights_NC: Array) -> tuple[Array, list[float]]:
    """Eq. 4: the mean feature weighted by each class, and the total weight of each class."""
    num_classes, size = weights_NC.shape[1], features_ND.shape[1]
    means = np.zeros((num_classes, size))
    totals = [0.0] * num_classes
    for k in range(num_classes):
        for i in range(len(features_ND)):
            totals[k] += weights_NC[i, k]
            for d in range(size):
                means[k, d] += weights_NC[i, k] * features_ND[i, d]
        if totals[k] > 0:
            for d in range(size):
                means[k, d] /= totals[k]
    return means, totals


# Eq. 5 ---------------------------------------------------------------------------------------


def moving_average(new_CD: Array, old_CD: Array, rate: float, *, rate_weighs: str) -> Array:
    """Eq. 5 as printed (the rate weighs the new value), and the other way round."""
    result = np.zeros_like(old_CD)
    of_new = rate if rate_weighs == "new" else 1.0 - rate
    for k in range(len(old_CD)):
        for d in range(old_CD.shape[1]):
            result[k, d] = of_new * new_CD[k, d] + (1.0 - of_new) * old_CD[k, d]
    return result


# Eq. 6 ---------------------------------------------------------------------------------------


def _unit(vector: Array) -> Array:
    length = math.sqrt(sum(float(x) ** 2 for x in vector))
    return np.array([float(x) / length for x in vector])


def alignment(
    source_CD: Array,
    target_CD: Array,
    temperature: float,
    *,
    sum_inside_log: bool = True,
    negatives: str = "within",
    positive_in_denominator: bool = False,
    classes: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> float:
    """Eq. 6 and its other readings.

    Args:
        source_CD: prototypes of the source language.
        target_CD: prototypes of the target language.
        temperature: tau1.
        sum_inside_log: as printed; otherwise the mean over the classes of each -log.
        negatives: "within" a language as printed (s.s and t.t), "across" (s.t and t.s), or
            "none": the denominator is 1.
        positive_in_denominator: not so as printed.
        classes: the classes that take part, as anchor or as negative; None: all.
        weights: of all classes in the mean outside the logarithm; None: alike.
    """
    chosen = list(range(len(source_CD))) if classes is None else list(classes)
    source = {k: _unit(source_CD[k]) for k in chosen}
    target = {k: _unit(target_CD[k]) for k in chosen}
    ratios = []
    for i in chosen:
        positive = math.exp(float(source[i] @ target[i]) / temperature)
        denominator = positive if positive_in_denominator else 0.0
        if negatives == "none":
            denominator = 1.0
        for j in chosen:
            if j == i or negatives == "none":
                continue
            if negatives == "within":
                denominator += math.exp(float(source[i] @ source[j]) / temperature)
                denominator += math.exp(float(target[i] @ target[j]) / temperature)
            elif negatives == "across":
                denominator += math.exp(float(source[i] @ target[j]) / temperature)
                denominator += math.exp(float(target[i] @ source[j]) / temperature)
            else:
                raise ValueError(negatives)
        ratios.append(positive / denominator)
    if sum_inside_log:
        return -math.log(sum(ratios))
    shares = [1.0 if weights is None else weights[k] for k in chosen]
    return sum(-math.log(r) * share for r, share in zip(ratios, shares, strict=True)) / sum(shares)


# Eq. 7 and Eq. 13 ----------------------------------------------------------------------------


def teacher_objective(tagging: float, aligning: float, weight: float = 1.0) -> float:
    return tagging + weight * aligning


def student_objective(self_training: float, distilling: float, alpha: float) -> float:
    return (1.0 - alpha) * self_training + alpha * distilling


# Eq. 8 ---------------------------------------------------------------------------------------


def distance(feature_D: Array, prototype_D: Array, kind: str = "raw", scale: float = 1.0) -> float:
    """The L2 distance of Eq. 8: raw, over sqrt(D), or between unit vectors times a scale."""
    if kind == "unit":
        feature_D, prototype_D = _unit(feature_D), _unit(prototype_D)
    total = 0.0
    for x, y in zip(feature_D, prototype_D, strict=True):
        total += (float(x) - float(y)) ** 2
    value = math.sqrt(total)
    if kind == "scaled":
        return value / math.sqrt(len(feature_D))
    return value * scale if kind == "unit" else value


def prototype_probabilities(
    features_ND: Array,
    prototypes_CD: Array,
    temperature: float,
    *,
    kind: str = "raw",
    scale: float = 1.0,
    prior_C: Sequence[float] | None = None,
    known_C: Sequence[bool] | None = None,
) -> Array:
    """Eq. 8: nearness to each prototype; a prior multiplies it, an unknown class gets nothing."""
    num_classes = len(prototypes_CD)
    result = np.zeros((len(features_ND), num_classes))
    classes = [k for k in range(num_classes) if known_C is None or known_C[k]]
    for i, feature in enumerate(features_ND):
        scores = []
        for k in classes:
            score = -distance(feature, prototypes_CD[k], kind, scale) / temperature
            if prior_C is not None:
                score += math.log(float(prior_C[k]))
            scores.append(score)
        for k, value in zip(classes, softmax(scores), strict=True):
            result[i, k] = value
    return result


# Eq. 9 and Eq. 10 ----------------------------------------------------------------------------


def hard_labels(scores_NC: Array) -> list[int]:
    """Eq. 9: the index of the largest entry of each row."""
    labels = []
    for row in scores_NC:
        best = 0
        for k in range(1, len(row)):
            if row[k] > row[best]:
                best = k
        labels.append(best)
    return labels


def fuse(prototype_NC: Array, teacher_NC: Array, beta: float) -> Array:
    """Eq. 10: beta times psi, 1 - beta times p."""
    result = np.zeros_like(prototype_NC)
    for i in range(len(prototype_NC)):
        for k in range(prototype_NC.shape[1]):
            result[i, k] = beta * prototype_NC[i, k] + (1.0 - beta) * teacher_NC[i, k]
    return result


# Eq. 12 --------------------------------------------------------------------------------------


def cumulative_weight(epoch: int, num_epochs: int, *, first: int = 0) -> float:
    """Eq. 12 for the epoch-th epoch (counted from 0), where the paper counts from `first`."""
    e = epoch + first
    return 1.0 - (e / num_epochs) ** 2


# MSD, arXiv:2212.03506 -------------------------------------------------------------------------


def mmd_squared(first_ND: Array, second_MD: Array, num_kernels: int) -> float:
    """Mean K(x, x') + mean K(y, y') - 2 mean K(x, y), K a sum of Gaussian kernels."""
    rows = [*first_ND, *second_MD]
    n = len(rows)
    between = [
        [sum(float(u - v) ** 2 for u, v in zip(a, b, strict=True)) for b in rows] for a in rows
    ]
    width = sum(sum(row) for row in between) / (n * n - n) / 4
    if width == 0:
        return 0.0

    def kernel(i: int, j: int) -> float:
        return sum(math.exp(-between[i][j] / (2**u * width)) for u in range(num_kernels))

    first, second = range(len(first_ND)), range(len(first_ND), n)

    def mean(some: range, others: range) -> float:
        return sum(kernel(i, j) for i in some for j in others) / (len(some) * len(others))

    return mean(first, first) + mean(second, second) - 2 * mean(first, second)
