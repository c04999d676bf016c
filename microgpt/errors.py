"""The base class of every error that a person can cause."""


class MicroGPTError(Exception):
    """Something that a person asked for cannot be done.

    The message is one sentence that says what is wrong and what to do; it is shown as it is, on a
    page or on stderr, without a traceback.
    """
