"""The names of the stages of each round; the last student is called ``student``."""

from __future__ import annotations


def tagger_of(number: int) -> str:
    """Return the tagger of a round, from 1."""
    return f"tagger_{number}"


def student_of(number: int, rounds: int) -> str:
    """Return the student of a round, from 1."""
    return "student" if number == rounds else f"student_{number}"


def before(number: int) -> str:
    """Return the stage that a round's tagger asks: the teacher, or the student of the one before.

    >>> before(1), before(3)
    ('teacher', 'student_2')
    """
    return "teacher" if number == 1 else f"student_{number - 1}"


def round_of(name: str) -> int:
    """Return the round in a stage's name.

    >>> round_of("tagger_12")
    12
    """
    return int(name.rsplit("_", 1)[-1])
