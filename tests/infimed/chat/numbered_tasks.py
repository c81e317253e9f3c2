"""Tasks that are numbers, and servers that answer them by a plan."""

from collections import Counter

from loopback_server import reply, user_text

from packkit.infimed.chat import Prices, RefusedError, Task, UnreadableError, find_json

PRICES = Prices(1000.0, 4000.0)


def numbered_tasks(count):
    return [
        Task(str(number), lambda number=number: messages(number), 100) for number in range(count)
    ]


def messages(number):
    return [{"role": "user", "content": f"task {number};"}]


def number_of(request):
    """The number of the task that a request is about."""
    return int(user_text(request).split()[1].rstrip(";"))


def read_number(task, reply):
    """Reads ``{"n": number}``."""
    if reply.refusal is not None:
        raise RefusedError("no")
    value = find_json(reply.text, lambda value: isinstance(value.get("n"), int))
    if value is None:
        raise UnreadableError("no number")
    return value["n"]


class Script:
    """Answers by the task's number and by how often it came; what is not planned is its number."""

    def __init__(self, answers):
        self.answers = answers
        self.came = Counter()

    def __call__(self, request):
        number = number_of(request)
        self.came[number] += 1
        planned = self.answers.get(number, [])
        turn = self.came[number] - 1
        return planned[turn] if turn < len(planned) else reply(f'{{"n": {number}}}')
