"""Data sets to judge, and judges that answer by the number in a sample's text."""

import json
import re

import pytest
from loopback_server import reply, user_text
from packing_inputs import caption, write_lines

NAMES = ("accuracy", "clarity", "completeness", "imaging_relevance", "practicality", "overall")


def scores_text(value=4, **changes):
    """A reply as the prompt asks for it."""
    values = {**dict.fromkeys(NAMES, value), **changes}
    return json.dumps({name: {"comment": f"so {name}", "score": n} for name, n in values.items()})


def case(number, **changes):
    """A record that says its number, with an image where that is even."""
    if number % 2:
        content = [{"type": "text", "text": f"case {number}: a nodule."}]
        return {"id": f"case/{number}", "content": content, **changes}
    return caption(number, f"case {number}: a nodule.", id=f"case/{number}", **changes)


def case_of(request):
    """The number that the sample in a request says."""
    return int(re.search(r"case (\d+):", user_text(request))[1])


@pytest.fixture(scope="session")
def case_number():
    """Tells the number of a request's sample."""
    return case_of


def usage_of(number):
    """Tokens of a reply about a case, other ones for each."""
    return 1000 + 7 * number, 100 + number


@pytest.fixture
def cases():
    """Writes a data set of cases with these numbers."""

    def write(path, numbers):
        return str(write_lines(path, [case(number) for number in numbers]))

    return write


@pytest.fixture
def grade():
    """A script: the answers planned for a case one after the other, then scores."""

    def script_of(planned=None, **options):
        came = {}

        def script(request):
            number = case_of(request)
            came[number] = came.get(number, 0) + 1
            answers = (planned or {}).get(number, [])
            if came[number] <= len(answers):
                return answers[came[number] - 1]
            return reply(scores_text(1 + number % 5), usage=usage_of(number), **options)

        return script

    return script_of
