"""A server teaches by turning parameters down, and by nothing else."""

import pytest

from packkit.infimed.chat.dialect import Dialect, Refusal

FIRST = Dialect()
OBJECT = Dialect(format="json_object")
PLAIN = Dialect(format=None)


@pytest.mark.parametrize(
    ("refusal", "learned"),
    [
        (
            Refusal(
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
                "this model.",
                "response_format",
            ),
            OBJECT,
        ),
        (Refusal("This response_format type is unavailable now"), OBJECT),
        (Refusal("'response_format.type' must be 'json_object' or 'text'"), OBJECT),
        (Refusal("Invalid schema for response_format 'reply'", "response_format"), OBJECT),
        (Refusal("structured outputs are not supported by this model"), OBJECT),
        (
            Refusal(
                "Unrecognized request argument supplied: max_completion_tokens", None, "invalid"
            ),
            Dialect(limit="max_tokens"),
        ),
        (
            Refusal(
                "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': "
                "'Extra inputs are not permitted'}]"
            ),
            Dialect(limit="max_tokens"),
        ),
        (
            Refusal(
                "Unsupported value: 'temperature' does not support 0 with this model. Only the "
                "default (1) value is supported.",
                "temperature",
                "unsupported_value",
            ),
            Dialect(has_temperature=False),
        ),
        (
            Refusal("Unsupported parameter: 'temperature' is not supported with this model."),
            Dialect(has_temperature=False),
        ),
    ],
)
def test_parameter_that_is_turned_down_is_left_out(refusal, learned):
    assert FIRST.without(refusal) == learned


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("Invalid image data"),
        Refusal("Could not process image: unsupported image format", "messages", "invalid_image"),
        Refusal(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
            "context length is 4096 tokens and your request has 900 input tokens",
            "max_completion_tokens",
        ),
        Refusal("max_completion_tokens must be at most 16384"),
        Refusal("This model's maximum context length is 4096 tokens, you requested 5000"),
        Refusal("body temperature is not supported by evidence, said the sample"),
        Refusal("unknown role in messages[3]", "messages", "unknown_parameter"),
        Refusal("The model does not support image input"),
    ],
)
def test_other_reasons_teach_nothing(refusal):
    assert FIRST.without(refusal) == FIRST


def test_formats_weaken_step_by_step():
    refusal = Refusal("response_format is not supported")
    assert FIRST.without(refusal) == OBJECT
    assert OBJECT.without(refusal) == PLAIN
    assert PLAIN.without(refusal) == PLAIN


def test_parameters_of_a_request():
    schema = {"type": "object"}
    parameters = FIRST.parameters(schema, 9)
    assert parameters["max_completion_tokens"] == 9 and parameters["temperature"] == 0
    assert parameters["response_format"]["json_schema"]["schema"] == schema
    bare = Dialect(None, "max_tokens", has_temperature=False)
    assert bare.parameters(schema, 9) == {"max_tokens": 9}
    assert FIRST.parameters(None, 9) == {"max_completion_tokens": 9, "temperature": 0}
