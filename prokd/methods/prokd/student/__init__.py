"""The student: distillation and prototypical self-training on target text (Eq. 2, 4, 5, 8-13)."""

from prokd.methods.prokd.student.build import build_student
from prokd.methods.prokd.student.stage import StudentStage

__all__ = ["StudentStage", "build_student"]
