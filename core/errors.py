"""What can go wrong for a reader, and nothing else.

CoreError            caught in one place, pages.parts.frame, and shown as a message
├── DataMissing      nothing prepared for this dataset, or no such case in it
├── DataRefused      a file is broken, hostile or of the wrong kind (uploads too)
├── RunMissing       no such run, or it has no weights yet
├── RunRefused       checksum, network fingerprint or split do not match run.json
├── StudyRefused     a reader study does not allow this: unknown code, second window, locked, answer missing
├── TrainingFailed   a training ended early for a named reason (disk_full, diverged, ...)
└── JobBusy          a training already holds the lock, or too many readers wait for a computation

Every message says what happened, what was expected, what was found, and the command that mends it.
A programming mistake is a ValueError with the argument's name, never one of these.
"""

from __future__ import annotations


class CoreError(Exception):
    """Something a reader can understand and mend; the message is shown as it is."""


class DataMissing(CoreError):
    """Nothing is prepared for this dataset, or the case is not in it."""


class DataRefused(CoreError):
    """A file is broken, hostile or of the wrong kind.

    ``code`` is a short stable word ("truncated", "size", "damaged", ...) that tests and tables use.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class RunMissing(CoreError):
    """No such run, or it has no weights yet."""


class RunRefused(CoreError):
    """The files of a run do not match what its run.json promises."""


class StudyRefused(CoreError):
    """A reader study does not allow this; ``code`` is definition, exists, missing, reader, seat, answers or locked.

    The message never names a network: it may be shown to a reader.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class TrainingFailed(CoreError):
    """A training ended early; ``reason`` is disk_full, out_of_memory, diverged, refused or error."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class JobBusy(CoreError):
    """A training of the same run is already under way, or the networks have enough requests waiting."""
