"""The base class of every error that a user can cause."""


class MicroGPTError(Exception):
    """Base class of errors that the user can correct.

    The message is one sentence that says what is wrong and what to do. A page or stderr shows it as
    it is, without a traceback.

    for_visitors: the sentence that a page shows. Unlike the message, it holds no path of the server
    and no advice that only its operator can follow. By default, it is the message.
    """

    def __init__(self, message: str = "", for_visitors: str | None = None):
        super().__init__(message)
        self.for_visitors = for_visitors or message
