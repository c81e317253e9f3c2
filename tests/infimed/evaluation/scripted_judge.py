"""A judge in this process, whose replies are a function of what it is asked."""

from packkit.infimed.chat import Reply


class ScriptedJudge:
    """Answers by a script, `messages -> text`, and counts what it was asked."""

    max_tokens = 100

    def __init__(self, model, script):
        self.model, self.script, self.asked = model, script, 0

    async def complete(self, messages, schema):
        self.asked += 1
        return Reply(text=self.script(messages))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass
