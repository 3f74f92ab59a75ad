"""Class shares of the target that the alignment is not to change."""

import numpy as np
import pytest
import torch

from prokd.prototypes import with_share_floor
from prokd.teacher.shares import TargetShares, entity_share


def _probabilities(num_tokens=40, num_classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(2 * torch.randn(num_tokens, num_classes, generator=generator), dim=-1)


def test_equals_loops():
    p_NC = _probabilities()
    least_C, found_C = torch.tensor([0.1, 0.4, 0.1, 0.3, 0.0]), p_NC.mean(dim=0)
    result = with_share_floor(p_NC, least_C=least_C, found_C=found_C)
    for row, own in zip(p_NC.tolist(), result.tolist(), strict=True):
        raised = [
            p * max(1, least / found)
            for p, least, found in zip(row, least_C.tolist(), found_C.tolist(), strict=True)
        ]
        np.testing.assert_allclose(own, [value / sum(raised) for value in raised], atol=1e-6)


def test_shares_above_the_floor_change_nothing_and_rows_stay_distributions():
    p_NC = _probabilities()
    fifth_C = torch.full((5,), 0.2)
    kept_NC = with_share_floor(p_NC, least_C=0.7 * fifth_C, found_C=fifth_C)
    torch.testing.assert_close(kept_NC, p_NC)
    never_found = with_share_floor(
        torch.tensor([[1.0, 0.0]]), least_C=fifth_C[:2], found_C=torch.tensor([1.0, 0.0])
    )
    assert torch.equal(never_found, torch.tensor([[1.0, 0.0]]))


def test_a_class_that_fades_is_raised_again():
    shares = TargetShares()
    p_NC = torch.tensor([[0.7, 0.3], [0.9, 0.1]])
    assert torch.equal(
        shares.corrected(p_NC, floor=1.0, update_rate=1.0), p_NC
    )  # nothing is known yet
    shares.begin(torch.tensor([0.8, 0.2]), torch.tensor([0.75, 0.25]))
    assert shares.entity_share == pytest.approx(0.25)
    faded_NC = torch.tensor([[0.9, 0.1], [0.98, 0.02]])
    raised_NC = shares.corrected(faded_NC, floor=1.0, update_rate=1.0)
    assert (raised_NC[:, 1] > faded_NC[:, 1]).all()
    torch.testing.assert_close(raised_NC.sum(dim=1), torch.ones(2))


def test_goes_on_where_it_was():
    one, other = TargetShares(), TargetShares()
    one.begin(torch.tensor([0.8, 0.2]), torch.tensor([0.8, 0.2]))
    p_NC = torch.tensor([[0.9, 0.1]])
    one.corrected(p_NC, floor=0.7, update_rate=0.1)
    other.load_state_dict(one.state_dict())
    expected = one.corrected(p_NC, floor=0.7, update_rate=0.1)
    assert torch.equal(other.corrected(p_NC, floor=0.7, update_rate=0.1), expected)
    assert other.entity_share == one.entity_share == entity_share(torch.tensor([0.8, 0.2]))
