"""The base class of every error that a user can cause."""

_MAX_LENGTH = 1000  # characters of a message; most have about 100


class MicroGPTError(Exception):
    """Base class of errors that the user can correct.

    The message is one sentence that says what is wrong and what to do. A page or stderr shows it as
    it is, without a traceback. The middle of a message longer than _MAX_LENGTH is left out.

    for_visitors: the sentence that a page shows. Unlike the message, it holds no path of the server
    and no advice that only its operator can follow. By default, it is the message.
    """

    def __init__(self, message: str = "", for_visitors: str | None = None):
        super().__init__(_one_line(message))
        self.for_visitors = _one_line(for_visitors or message)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that the machine, and not the GPU, has too little free memory."""
    message = str(error)
    found = "DefaultCPUAllocator" in message or "bad_alloc" in message  # from PyTorch
    return found or isinstance(error, MemoryError)


def _one_line(message: str) -> str:
    """A message without line breaks, of at most _MAX_LENGTH characters."""
    line = " ".join(message.splitlines())
    half = (_MAX_LENGTH - 3) // 2
    return line if len(line) <= _MAX_LENGTH else f"{line[:half]} … {line[-half:]}"
