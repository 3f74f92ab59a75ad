"""The teacher: tagging on the source, prototypes aligned with the target (Eq. 1, 3-7)."""

from prokd.methods.prokd.teacher.build import build_teacher
from prokd.methods.prokd.teacher.stage import TeacherStage

__all__ = ["TeacherStage", "build_teacher"]
