"""Write and read measurements, which are dataclasses of numbers and tensors, as JSON files.

Numbers are rounded to four decimals. A field that is None is not written. A field that the file
lacks gets its default.
"""

import json
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin

import torch
from torch import Tensor

from microgpt.formats import Document, ignorable_fields, stamped

_DECIMALS = 4


def to_json(measured: Any) -> str:
    """Convert a dataclass to JSON text of one line."""
    values = _plain(measured)
    return json.dumps(stamped(values, ignorable_fields(measured) & values.keys())) + "\n"


def read(cls: type, document: Document) -> Any:
    """Make a dataclass from what to_json wrote.

    Raises FormatError for an unknown field. A malformed file may raise any exception.
    """
    return _typed(cls, document.values, document)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(each) for name, each in named.items() if each is not None}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return round(value, _DECIMALS)


def _typed(kind: Any, value: Any, document: Document) -> Any:
    """Convert a value of a JSON file to the type of a field."""
    if NoneType in get_args(kind):  # of X | None
        (kind,) = set(get_args(kind)) - {NoneType}
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = {field.name: field.type for field in fields(kind)}
        known = document.known(value, kinds)
        return kind(**{name: _typed(kinds[name], each, document) for name, each in known.items()})
    if get_origin(kind) is dict:
        _, each_kind = get_args(kind)
        return {name: _typed(each_kind, each, document) for name, each in value.items()}
    if get_origin(kind) is list:
        (each_kind,) = get_args(kind)
        return [_typed(each_kind, each, document) for each in value]
    if kind is Tensor:
        return torch.tensor(value, dtype=torch.float32)
    if kind is int and type(value) is not int:
        raise TypeError("not a whole number")
    return kind(value)
