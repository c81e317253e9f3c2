"""Asking language models behind OpenAI-compatible endpoints, and keeping every answer."""

from packkit.infimed.chat.address import Address
from packkit.infimed.chat.asking import (
    RefusedError,
    RetryPolicy,
    State,
    Task,
    TaskResult,
    UnreadableError,
    failed_reply,
)
from packkit.infimed.chat.chat_model import (
    AccessError,
    AdaptedError,
    ChatError,
    ChatModel,
    FilteredError,
    Messages,
    Reply,
    RetryableError,
    Schema,
    UnreachableError,
)
from packkit.infimed.chat.gate import LimitName
from packkit.infimed.chat.json_text import find_json, without_thoughts
from packkit.infimed.chat.log import AnswerLog, read_answers
from packkit.infimed.chat.openai_chat import OpenAIChat
from packkit.infimed.chat.runner import LARGEST_CONCURRENCY, TasksProgress, TasksReport, run_tasks
from packkit.infimed.chat.sent_images import data_url, sent_size
from packkit.infimed.chat.spending import NOTHING, Limits, Prices, Spending
from packkit.infimed.chat.tokens import estimate_image_tokens, estimate_text_tokens

__all__ = [
    "LARGEST_CONCURRENCY",
    "NOTHING",
    "AccessError",
    "AdaptedError",
    "Address",
    "AnswerLog",
    "ChatError",
    "ChatModel",
    "FilteredError",
    "LimitName",
    "Limits",
    "Messages",
    "OpenAIChat",
    "Prices",
    "RefusedError",
    "Reply",
    "RetryPolicy",
    "RetryableError",
    "Schema",
    "Spending",
    "State",
    "Task",
    "TaskResult",
    "TasksProgress",
    "TasksReport",
    "UnreachableError",
    "UnreadableError",
    "data_url",
    "estimate_image_tokens",
    "estimate_text_tokens",
    "failed_reply",
    "find_json",
    "read_answers",
    "run_tasks",
    "sent_size",
    "without_thoughts",
]
