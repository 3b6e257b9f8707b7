"""What can go wrong, as a user sees it: a `QuarryError` is one sentence, bugs keep their tracebacks.

QuarryError
  UsageError        the user asked for something impossible: nothing was done (exit code 2)
  RunFailed         the run stopped at a shard or a preparation; finished shards stay (exit code 1)
    LawBroken       a stage lost, swapped or invented a document
"""


class QuarryError(Exception):
    """Something a user can act on; its text is one sentence."""


class UsageError(QuarryError):
    """The request is impossible as given; nothing was done."""


class RunFailed(QuarryError):
    """The run stopped; what was finished is kept and running again continues."""


class LawBroken(RunFailed):
    """A stage's outcome breaks the conservation law."""
