"""Read the vocabulary file of other programs: a pickle of plain values, which is never executed.

A pickle is a program for a stack machine, and Python's own machine can be made to run any code or
to use any amount of memory. This machine knows only the instructions that build text, numbers,
dicts, lists and tuples.
"""

import io
import pickletools
from typing import Any

from microgpt.interop import InteropError

MAX_BYTES = 2**20  # nanoGPT's meta.pkl has 703 for Tiny Shakespeare
_MARK = object()
_IGNORED = {"PROTO", "FRAME"}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# Instructions that put their argument on the stack.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "BINFLOAT", "FLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
_GET = {"GET", "BINGET", "LONG_BINGET"}


class _Refused(Exception):
    """The pickle has an instruction that builds no plain value."""


def read_pickle(name: str, data: bytes) -> Any:
    """The plain value that a pickle holds. name: the file's name, for messages.

    Raises InteropError for a pickle that is too large, malformed, or holds anything else.
    """
    if len(data) > MAX_BYTES:
        raise InteropError(f"{name} has {len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    try:
        return _Machine().run(data)
    except _Refused as error:
        raise InteropError(
            f"{name} holds more than text, numbers, dicts and lists ({error}), so it could run "
            "code when it is read; pass the characters as a .json or .txt file"
        ) from error
    except Exception as error:  # a malformed file may raise anything
        raise InteropError(f"{name} cannot be read: it is not a pickle, or is damaged") from error


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if opcode.name == "STOP":
                [value] = self.stack
                if value is _MARK:
                    raise ValueError("no value")
                return value
            self.step(opcode.name, argument)
        raise ValueError("no STOP")

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in _PUT:
            self.memo[argument] = stack[-1]
        elif name in _GET:
            stack.append(self.memo[argument])
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _set(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = self.marked()
            _set(stack[-1], items)
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "APPENDS":
            values = self.marked()
            stack[-1].extend(values)
        elif name == "DICT":
            items = self.marked()
            stack.append({})
            _set(stack[-1], items)
        elif name == "LIST":
            stack.append(self.marked())
        elif name not in _IGNORED:
            raise _Refused(name)

    def marked(self) -> list[Any]:
        """Take the values above the last mark from the stack."""
        at = max(i for i, value in enumerate(self.stack) if value is _MARK)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values


def _set(target: dict[Any, Any], items: list[Any]) -> None:
    """Set the entries of a dict from its keys and values in turn."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int):
            raise ValueError("a key must be text or a whole number")
        target[key] = value
