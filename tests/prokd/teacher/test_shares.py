"""Class shares of the target that the alignment is not to change."""

import numpy as np
import pytest
import torch

from prokd.methods.prokd.teacher.shares import TargetShares, entity_share
from prokd.terms.prototypes import with_class_shares


def _probabilities(num_tokens=40, num_classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(2 * torch.randn(num_tokens, num_classes, generator=generator), dim=-1)


def test_equals_loops():
    p_NC = _probabilities()
    expected_C, found_C = torch.tensor([0.6, 0.1, 0.1, 0.2, 0.0]), p_NC.mean(dim=0)
    result = with_class_shares(p_NC, expected_C=expected_C, found_C=found_C)
    for row, own in zip(p_NC.tolist(), result.tolist(), strict=True):
        weighted = [
            p * expected / found
            for p, expected, found in zip(row, expected_C.tolist(), found_C.tolist(), strict=True)
        ]
        np.testing.assert_allclose(own, [w / sum(weighted) for w in weighted], atol=1e-6)


def test_equal_shares_change_nothing_and_rows_stay_distributions():
    p_NC = _probabilities()
    fifth_C = torch.full((5,), 0.2)
    torch.testing.assert_close(with_class_shares(p_NC, expected_C=fifth_C, found_C=fifth_C), p_NC)
    never = {"expected_C": torch.tensor([0.0, 1.0]), "found_C": torch.tensor([1.0, 0.0])}
    certain_NC = torch.tensor([[1.0, 0.0]])
    assert torch.equal(with_class_shares(certain_NC, **never), certain_NC)


def test_only_entities_that_fade_are_raised_again():
    shares = TargetShares()
    p_NC = torch.tensor([[0.7, 0.3], [0.9, 0.1]])
    settings = {"least": 0.8, "update_rate": 1.0}
    assert torch.equal(shares.corrected(p_NC, **settings), p_NC)  # nothing is known yet
    shares.begin(torch.tensor([0.8, 0.2]), torch.tensor([0.75, 0.25]))
    assert shares.entity_share == pytest.approx(0.25)
    assert torch.equal(shares.corrected(p_NC, **settings), p_NC)
    slightly_NC = torch.tensor([[0.83, 0.17]])
    assert torch.equal(shares.corrected(slightly_NC, **settings), slightly_NC)
    faded_NC = torch.tensor([[0.9, 0.1], [0.98, 0.02]])
    raised_NC = shares.corrected(faded_NC, **settings)
    assert (raised_NC[:, 1] > faded_NC[:, 1]).all()
    torch.testing.assert_close(raised_NC.sum(dim=1), torch.ones(2))
    assert torch.equal(shares.corrected(faded_NC, least=0.0, update_rate=1.0), faded_NC)


def test_goes_on_where_it_was():
    one, other = TargetShares(), TargetShares()
    one.begin(torch.tensor([0.8, 0.2]), torch.tensor([0.8, 0.2]))
    p_NC = torch.tensor([[0.9, 0.1]])
    one.corrected(p_NC, least=1.0, update_rate=0.1)
    other.load_state_dict(one.state_dict())
    expected = one.corrected(p_NC, least=1.0, update_rate=0.1)
    assert torch.equal(other.corrected(p_NC, least=1.0, update_rate=0.1), expected)
    assert other.entity_share == one.entity_share == entity_share(torch.tensor([0.8, 0.2]))
