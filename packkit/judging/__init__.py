"""Asking a language model behind an OpenAI-compatible endpoint, and keeping every answer."""

from packkit.judging.asking import (
    Outcome,
    RefusedError,
    RetryPolicy,
    State,
    Task,
    UnreadableError,
)
from packkit.judging.gate import Limit
from packkit.judging.json_text import find_json, without_thoughts
from packkit.judging.judge import (
    AccessError,
    AdaptedError,
    FilteredError,
    Judge,
    JudgeError,
    Messages,
    Reply,
    RetryableError,
    Schema,
)
from packkit.judging.log import AnswerLog, LogInUseError, read_answers
from packkit.judging.openai_judge import OpenAIJudge
from packkit.judging.pictures import data_url, sent_size
from packkit.judging.runner import RunProgress, RunReport, run_tasks
from packkit.judging.spending import NOTHING, Limits, Prices, Spending
from packkit.judging.tokens import image_tokens, text_tokens

__all__ = [
    "NOTHING",
    "AccessError",
    "AdaptedError",
    "AnswerLog",
    "FilteredError",
    "Judge",
    "JudgeError",
    "Limit",
    "Limits",
    "LogInUseError",
    "Messages",
    "OpenAIJudge",
    "Outcome",
    "Prices",
    "RefusedError",
    "Reply",
    "RetryPolicy",
    "RetryableError",
    "RunProgress",
    "RunReport",
    "Schema",
    "Spending",
    "State",
    "Task",
    "UnreadableError",
    "data_url",
    "find_json",
    "image_tokens",
    "read_answers",
    "run_tasks",
    "sent_size",
    "text_tokens",
    "without_thoughts",
]
