"""The errors that somebody catches."""


class UserError(ValueError):
    """A mistake in the input of a user: one sentence with the place, the rule and the value.

    Command lines print the sentence to standard error and leave with exit status 2.
    """


class MissingSplitError(UserError):
    """A split of a corpus that is not there: a mistake only where the split is needed."""


class MissingLanguageError(UserError):
    """A language that a data set does not have: a mistake only where it is needed."""


class UnlabelledError(UserError):
    """A file without any tag, where tags were asked for."""


class GaveUpWaiting(RuntimeError):  # noqa: N818 - a decision of whoever waited
    """Another process trains a run, and whoever waited for it was told to stop."""


class CollapsedRun(RuntimeError):  # noqa: N818 - an outcome of a run, not a mistake
    """A training run that collapsed or diverged; its numbers are never a result."""
