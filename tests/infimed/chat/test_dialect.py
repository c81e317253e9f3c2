"""A server teaches by rejecting parameters, and by nothing else."""

import pytest

from packkit.infimed.chat.dialect import Dialect, Rejection

FIRST = Dialect()
OBJECT = Dialect(format="json_object")
PLAIN = Dialect(format=None)


@pytest.mark.parametrize(
    ("rejection", "learned"),
    [
        (
            Rejection(
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
                "this model.",
                "response_format",
            ),
            OBJECT,
        ),
        (Rejection("This response_format type is unavailable now"), OBJECT),
        (Rejection("'response_format.type' must be 'json_object' or 'text'"), OBJECT),
        (Rejection("Invalid schema for response_format 'reply'", "response_format"), OBJECT),
        (Rejection("structured outputs are not supported by this model"), OBJECT),
        (
            Rejection(
                "Unrecognized request argument supplied: max_completion_tokens", None, "invalid"
            ),
            Dialect(limit="max_tokens"),
        ),
        (
            Rejection(
                "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': "
                "'Extra inputs are not permitted'}]"
            ),
            Dialect(limit="max_tokens"),
        ),
        (
            Rejection(
                "Unsupported value: 'temperature' does not support 0 with this model. Only the "
                "default (1) value is supported.",
                "temperature",
                "unsupported_value",
            ),
            Dialect(has_temperature=False),
        ),
        (
            Rejection("Unsupported parameter: 'temperature' is not supported with this model."),
            Dialect(has_temperature=False),
        ),
    ],
)
def test_parameter_that_is_rejected_is_left_out(rejection, learned):
    assert FIRST.adapted_to(rejection) == learned


@pytest.mark.parametrize(
    "rejection",
    [
        Rejection("Invalid image data"),
        Rejection("Could not process image: unsupported image format", "messages", "invalid_image"),
        Rejection(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
            "context length is 4096 tokens and your request has 900 input tokens",
            "max_completion_tokens",
        ),
        Rejection("max_completion_tokens must be at most 16384"),
        Rejection("This model's maximum context length is 4096 tokens, you requested 5000"),
        Rejection("body temperature is not supported by evidence, said the sample"),
        Rejection("unknown role in messages[3]", "messages", "unknown_parameter"),
        Rejection("The model does not support image input"),
    ],
)
def test_other_reasons_teach_nothing(rejection):
    assert FIRST.adapted_to(rejection) == FIRST


def test_formats_weaken_step_by_step():
    rejection = Rejection("response_format is not supported")
    assert FIRST.adapted_to(rejection) == OBJECT
    assert OBJECT.adapted_to(rejection) == PLAIN
    assert PLAIN.adapted_to(rejection) == PLAIN


def test_parameters_of_a_request():
    schema = {"type": "object"}
    parameters = FIRST.parameters(schema, 9)
    assert parameters["max_completion_tokens"] == 9 and parameters["temperature"] == 0
    assert parameters["response_format"]["json_schema"]["schema"] == schema
    bare = Dialect(None, "max_tokens", has_temperature=False)
    assert bare.parameters(schema, 9) == {"max_tokens": 9}
    assert FIRST.parameters(None, 9) == {"max_completion_tokens": 9, "temperature": 0}
