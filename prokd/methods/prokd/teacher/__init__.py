"""The teacher: tagging on the source, prototypes aligned with the target (Eq. 1, 3-7)."""

from prokd.methods.prokd.teacher.stage import TeacherStage, build_teacher

__all__ = ["TeacherStage", "build_teacher"]
