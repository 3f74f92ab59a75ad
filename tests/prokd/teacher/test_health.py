"""What ends a teacher that the alignment has spoilt."""

from __future__ import annotations

import pytest
import torch

from prokd.errors import CollapsedRun
from prokd.methods.prokd.teacher.health import add_gradient_norms, check_fall
from prokd.stages.running_means import RunningMeans


def test_gradient_norms_of_two_terms() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    means = RunningMeans(torch.device("cpu"))
    terms = {"tagging": (3 * weight).sum(), "alignment": torch.tensor(1.0)}
    add_gradient_norms(means, terms, [weight])
    assert means.result() == {"teacher/tagging_gradient_norm": pytest.approx(18**0.5)}


@pytest.mark.parametrize(
    ("token_f1", "entity_share", "sentence"),
    [
        ((0.2, 0.6), (0.3, 0.3), "epoch 2: source-dev token F1 is 0.20, after 0.60"),
        ((0.6, 0.6), (0.001, 0.205), "epoch 2: it finds entities in 0.001 .* after 0.205"),
    ],
)
def test_a_fall_in_either_language(
    token_f1: tuple[float, float], entity_share: tuple[float, float], sentence: str
) -> None:
    with pytest.raises(CollapsedRun, match=sentence):
        check_fall(token_f1=token_f1, entity_share=entity_share, keeps=0.5, epoch=2)
    check_fall(token_f1=token_f1, entity_share=entity_share, keeps=0.0, epoch=2)


def test_without_anything_before_there_is_no_fall() -> None:
    check_fall(token_f1=(0.1, 0.0), entity_share=(0.0, None), keeps=1.0, epoch=1)
