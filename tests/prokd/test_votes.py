"""Labels that teachers agree on, and the loss of those alone."""

import math

import numpy as np
import pytest
import torch

from prokd.terms.votes import voted_cross_entropy, voted_for


@pytest.mark.parametrize("num_teachers", [1, 2, 3, 4])
def test_votes_are_counted_token_by_token(num_teachers):
    random = np.random.default_rng(num_teachers)
    teachers = random.dirichlet(np.ones(3), (num_teachers, 60))
    labels = random.integers(0, 3, 60)
    for rule in ("all", "majority", "none"):
        found = voted_for(torch.tensor(teachers), torch.tensor(labels), rule)
        for token in range(60):
            agreeing = 0
            for teacher in range(num_teachers):
                row = list(teachers[teacher, token])
                agreeing += row.index(max(row)) == labels[token]
            expected = {
                "all": agreeing == num_teachers,
                "majority": agreeing > num_teachers / 2,
                "none": True,
            }[rule]
            assert bool(found[token]) == expected, (rule, token)


def test_teachers_that_are_one_agree_on_all():
    teacher = torch.rand(20, 5).softmax(-1)
    labels = teacher.argmax(-1)
    assert voted_for(torch.stack([teacher] * 3), labels, "all").all()


def test_the_loss_is_the_mean_over_voted_tokens_alone():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(9, 4)), random.integers(0, 4, 9)
    weights = np.where(random.random(9) < 0.5, random.random(9) + 0.1, 0.0)
    total, voted = 0.0, 0
    for token in range(9):
        if weights[token] > 0:
            partition = sum(math.exp(value) for value in logits[token])
            total -= weights[token] * (logits[token, labels[token]] - math.log(partition))
            voted += 1
    given = torch.tensor(logits, requires_grad=True)
    found = voted_cross_entropy(given, torch.tensor(labels), torch.tensor(weights))
    assert float(found.detach()) == pytest.approx(total / voted, abs=1e-6)
    found.backward()
    assert (given.grad[weights == 0] == 0).all()
    assert (given.grad[weights > 0] != 0).any()


def test_no_voted_token_is_no_loss():
    logits = torch.randn(5, 3, requires_grad=True)
    loss = voted_cross_entropy(logits, torch.zeros(5, dtype=torch.int64), torch.zeros(5))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logits.grad == 0).all()
