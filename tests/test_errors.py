from microgpt.errors import MicroGPTError


def test_a_message_is_one_line_of_bounded_length():
    error = MicroGPTError("first\nsecond\u2028third" + 10_000 * "x" + "; do this", "for\rvisitors")
    assert str(error).startswith("first second third")
    assert str(error).endswith("x; do this")
    assert len(str(error)) <= 1000
    assert error.for_visitors == "for visitors"


def test_a_short_message_is_unchanged():
    assert str(MicroGPTError("the text is empty")) == "the text is empty"
    assert MicroGPTError("the text is empty").for_visitors == "the text is empty"
