"""The errors that somebody catches."""


class UserError(ValueError):
    """A mistake in the input of a user: one sentence with the place, the rule and the value.

    Command lines print the sentence to standard error and leave with exit status 2.
    """


class MissingSplitError(UserError):
    """A split that is not among the files of its language."""


class UnlabelledError(UserError):
    """A file without any tag, where tags were asked for."""


class CollapsedRun(RuntimeError):  # noqa: N818 - an outcome of a run, not a mistake
    """A training run that collapsed or diverged; its numbers are never a result."""
