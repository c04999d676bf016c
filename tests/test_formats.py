import json
from dataclasses import dataclass, field

import pytest

from microgpt.config import ConfigError, GPTConfig, TrainConfig
from microgpt.formats import (
    FORMAT,
    IGNORABLE,
    Document,
    FormatError,
    ignorable_fields,
    parse_json,
    read_json,
    required_fields,
    stamped,
)
from microgpt.sampling import SamplingConfig


@dataclass(frozen=True)
class Fields:
    required: int
    with_default: int = 1
    with_factory: list[int] = field(default_factory=list)
    remark: str = field(default="", metadata=IGNORABLE)


def test_required_fields_have_no_default():
    assert required_fields(Fields) == {"required"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["remark", "with_default"]),
        ({"with_default": 2}, ["remark"]),
        ({"remark": "a try"}, ["remark", "with_default"]),
    ],
    ids=str,
)
def test_a_field_with_its_default_or_declared_ignorable_may_be_ignored(changes, expected):
    value = Fields(required=0, **changes)
    assert sorted(ignorable_fields(value)) == expected
    assert ignorable_fields(value, of_format_1=["remark"]) == set(expected) - {"remark"}


@pytest.mark.parametrize("config", [GPTConfig(), TrainConfig(), SamplingConfig()], ids=type)
def test_the_settings_of_format_1_are_never_optional_and_never_missing(config):
    assert not config.ignorable() & set(config._format_1)
    for name in config._format_1:
        values = {key: value for key, value in config.to_dict().items() if key != name}
        with pytest.raises(ConfigError, match=f"'{name}' is missing"):
            type(config).from_dict(values)


def test_an_unknown_field_is_refused_unless_it_is_optional():
    values = {"a": 1, "b": 2}
    assert Document("a.json", {}).known(values, ["a", "b", "c"]) == values
    with pytest.raises(FormatError, match=r"^unknown setting 'b' in a\.json$"):
        Document("a.json", {}).known(values, ["a"], "setting")
    with pytest.raises(FormatError, match=r"^a\.json has the field 'b', .* update microGPT$"):
        Document("a.json", {}, format=FORMAT + 1).known(values, ["a"])
    assert Document("a.json", {}, optional=["b"]).known(values, ["a"]) == {"a": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.json cannot be read: it is not JSON"),
        (b"\xff\xfe{", "a.json cannot be read: it is not UTF-8 text"),
        ("[" * 100_000, "a.json cannot be read: it is not JSON"),
        ('{"a":' * 100_000, "a.json cannot be read: it is not JSON"),
        ("1" * 5000, "a.json cannot be read: it is not JSON"),
        ("[" * 33 + "]" * 33, "a.json cannot be read: it is nested too deeply"),
        ('{"a":' * 900 + "1" + "}" * 900, "a.json cannot be read: it is nested too deeply"),
        (b"[]", "a.json must hold a JSON object"),
        (b"null", "a.json must hold a JSON object"),
    ],
    ids=range(9),
)
def test_data_that_is_not_a_json_object_is_refused(data, message):
    with pytest.raises(FormatError, match=f"^{message}$"):
        parse_json("a.json", data)


@pytest.mark.parametrize("number", [0, -1, 2.0, True, None, "2", [], 10**400], ids=repr)
def test_a_format_that_is_not_a_whole_number_from_1_is_refused(number):
    with pytest.raises(
        FormatError, match=r"^the format of a.json is .*; it must be a whole number from 1$"
    ):
        Document.of("a.json", {"format": number})


@pytest.mark.parametrize("optional", [None, "name", {"name": 1}, [1]], ids=repr)
def test_optional_fields_that_are_not_a_list_of_names_are_refused(optional):
    with pytest.raises(FormatError, match=r'^"optional" of a.json must be a list of names$'):
        Document.of("a.json", {"optional": optional})


def test_a_file_without_a_format_has_format_1():
    document = read_json("a.json", '{"b": 3}')
    assert (document.format, document.values, set(document.optional)) == (1, {"b": 3}, set())
    again = read_json("a.json", json.dumps(stamped({"b": 3}, ["b"])))
    assert (again.format, again.values, set(again.optional)) == (FORMAT, {"b": 3}, {"b"})


def test_the_error_for_a_long_name_is_short():
    with pytest.raises(FormatError) as caught:
        read_json("a.json", json.dumps({"x" * 10_000: 1})).known({"x" * 10_000: 1}, ())
    assert len(str(caught.value)) < 100
