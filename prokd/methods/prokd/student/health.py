"""Whether self-training is going well: measured every epoch, without any target label.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from prokd.errors import CollapsedRun
from prokd.stages.running_means import RunningMeans
from prokd.terms.prototypes import PrototypeBank

SHARE = "student/pseudo_label_share/"


def add_health(
    means: RunningMeans, prototype_NC: Tensor, labels_N: Tensor, teacher_NC: Tensor
) -> None:
    """Add a batch's signs of health to an epoch's means.

    Args:
        means: The epoch's means; gets ``student/agreement`` (share of pseudo-labels that equal the
            teacher's likeliest class), the same on tokens that the teacher calls "O" and on the
            others (entity or not), ``student/prototype_margin`` (psi of the best class less the
            second), and the share of each class among pseudo-labels.
        prototype_NC: float, (N, C), psi of Eq. (8).
        labels_N: int64, (N,), pseudo-labels.
        teacher_NC: float, (N, C), p.
    """
    num_tokens = len(labels_N)
    teacher_labels_N = teacher_NC.argmax(dim=-1)
    agrees_N = labels_N == teacher_labels_N
    means.add("student/agreement", agrees_N.double().mean(), num_tokens)
    outside_N = teacher_labels_N == 0
    found_N = (labels_N == 0) == outside_N
    for name, chosen_N in (("outside", outside_N), ("entity", ~outside_N)):
        weight = chosen_N.sum().double()
        kept = (found_N & chosen_N).sum() / weight.clamp_min(1)
        means.add(f"student/agreement_on_{name}", kept, weight)
    top_N2 = prototype_NC.topk(2, dim=-1).values
    means.add("student/prototype_margin", (top_N2[:, 0] - top_N2[:, 1]).mean(), num_tokens)
    num_classes = prototype_NC.shape[-1]
    shares_C = torch.nn.functional.one_hot(labels_N, num_classes).double().mean(dim=0)
    for index in range(num_classes):
        means.add(f"{SHARE}{index}", shares_C[index], num_tokens)


def class_distribution_distance(
    metrics: dict[str, float], teacher_distribution_C: Tensor
) -> dict[str, float]:
    """Return the total variation distance of pseudo-labels from the teacher's distribution."""
    expected = teacher_distribution_C.tolist()
    distance = sum(abs(metrics[f"{SHARE}{index}"] - share) for index, share in enumerate(expected))
    return {"student/class_distribution_distance": distance / 2}


def with_tag_names(metrics: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return metrics in which the share of a class goes by its tag instead of its number.

    >>> with_tag_names({"student/pseudo_label_share/1": 0.2}, ("O", "B-PER"))
    {'student/pseudo_label_share/B-PER': 0.2}
    """
    numbers = {f"{SHARE}{index}": f"{SHARE}{name}" for index, name in enumerate(names)}
    return {numbers.get(name, name): value for name, value in metrics.items()}


def prototype_separation(bank: PrototypeBank) -> dict[str, float]:
    """Return the smallest distance between unit vectors of two known prototypes, in [0, 2].

    Empty where fewer than two classes are known.
    """
    known_KD = torch.nn.functional.normalize(bank.prototypes_CD[bank.known_C], dim=-1)
    if len(known_KD) < 2:
        return {}
    return {"student/prototype_separation": float(torch.nn.functional.pdist(known_KD).min())}


def check_health(metrics: dict[str, float], threshold: float, epoch: int) -> None:
    """Raise CollapsedRun where pseudo-labels have left the teacher, or it finds no entity.

    Args:
        metrics: An epoch's means.
        threshold: Least share of all tokens whose pseudo-label must equal the teacher's likeliest
            class, and least share of the teacher's "O" tokens, and of its entity tokens, that
            must keep being "O" or entity; in [0, 1], 0 = no check.
        epoch: Number of the epoch, from 1, for the sentence.
    """
    for name, what in (
        ("", "tokens"),
        ("_on_outside", '"O" tokens'),
        ("_on_entity", "entity tokens"),
    ):
        share = metrics[f"student/agreement{name}"]
        if math.isnan(share) and threshold > 0:
            raise CollapsedRun(
                f"the teacher takes none of the target's tokens for {what}: there is nothing to "
                f"learn from it (epoch {epoch})."
            )
        if share < threshold:
            raise CollapsedRun(
                f"self-training collapsed in epoch {epoch}: pseudo-labels agree with the teacher "
                f"on {share:.2f} of its {what}, below {threshold:.2f}."
            )
