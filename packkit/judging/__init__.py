"""Asking a language model behind an OpenAI-compatible endpoint, and keeping every answer."""

from packkit.judging.asking import (
    RefusedError,
    RetryPolicy,
    State,
    Task,
    TaskResult,
    UnreadableError,
)
from packkit.judging.chat_model import (
    AccessError,
    AdaptedError,
    ChatError,
    ChatModel,
    FilteredError,
    Messages,
    Reply,
    RetryableError,
    Schema,
)
from packkit.judging.gate import Limit
from packkit.judging.json_text import find_json, without_thoughts
from packkit.judging.log import AnswerLog, LogInUseError, read_answers
from packkit.judging.openai_chat import OpenAIChat
from packkit.judging.pictures import data_url, sent_size
from packkit.judging.runner import RunProgress, TasksReport, run_tasks
from packkit.judging.spending import NOTHING, Limits, Prices, Spending
from packkit.judging.tokens import estimate_image_tokens, estimate_text_tokens

__all__ = [
    "NOTHING",
    "AccessError",
    "AdaptedError",
    "AnswerLog",
    "ChatError",
    "ChatModel",
    "FilteredError",
    "Limit",
    "Limits",
    "LogInUseError",
    "Messages",
    "OpenAIChat",
    "Prices",
    "RefusedError",
    "Reply",
    "RetryPolicy",
    "RetryableError",
    "RunProgress",
    "Schema",
    "Spending",
    "State",
    "Task",
    "TaskResult",
    "TasksReport",
    "UnreadableError",
    "data_url",
    "estimate_image_tokens",
    "estimate_text_tokens",
    "find_json",
    "read_answers",
    "run_tasks",
    "sent_size",
    "without_thoughts",
]
