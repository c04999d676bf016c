"""The base class of every error that a user can cause."""


class MicroGPTError(Exception):
    """Base class of errors that the user can correct.

    The message is one sentence that says what is wrong and what to do. A page or stderr shows it as
    it is, without a traceback.
    """
