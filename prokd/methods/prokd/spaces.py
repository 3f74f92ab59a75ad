"""What a search of ProKD varies."""

from __future__ import annotations

from typing import Any

_TEMPERATURES = [0.5, 0.6, 0.7, 0.8, 0.9]

SPACES: dict[str, dict[str, Any]] = {
    # What moves entity F1 on the target, by importance (fANOVA) over 60 students of the reading
    # `stable` on a real encoder: docs/log/real-encoder.md, "What a search should vary". λ, τ1, the
    # length of Eq. 8's vectors, dropout, the first aligned epoch, the class prior and the numbers
    # of epochs moved it less and stay where the preset has them. Two settings are judged by single
    # comparisons of other readings. A student from the teacher's weights costs 5 points ("Which
    # reading"), which source dev does not see ("Choosing without labels"): it is left out. τ2 says
    # with β how much the teacher's prior corrects, worth up to 4 ("More unlabelled text").
    "default": {
        "teacher.learning_rate": {"times": [0.25, 4], "log": True},
        "teacher.head_learning_rate_factor": {"low": 1, "high": 10, "log": True},
        "teacher.alignment.weight": {"low": 0.1, "high": 10, "log": True},
        "prototypes.sharpness": {"low": 1, "high": 12, "log": True},
        "student.learning_rate": {"times": [0.25, 4], "log": True},
        "student.head_learning_rate_factor": {"low": 1, "high": 10, "log": True},
        "student.prototype_temperature": {"low": 0.2, "high": 1, "log": True},
        "student.fusion_weight": {"low": 0.5, "high": 1},
    },
    # The printed grid of lambda, tau1, tau2 and beta. lambda acts on the student and, where the
    # alignment compares moving averages (the literal reading), on the teacher: the 300 points then
    # have 20 distinct teachers. Where it compares the prototypes of batches (the stable reading),
    # they have 5.
    "paper": {
        "prototypes.update_rate": [0.001, 0.005, 0.0001, 0.0005],
        "teacher.alignment.temperature": _TEMPERATURES,
        "student.prototype_temperature": _TEMPERATURES,
        "student.fusion_weight": [0.7, 0.8, 0.9],
    },
}
