"""packkit's templates as transformers takes them, for folders that others open.

Each writes what `packkit.encoding.templates` writes for conversations of text and images, an image
as one token, which transformers' processor repeats. A generation prompt is the header of an answer
as it was trained: with ``qwen3`` and a question before it, one with an empty think block.
"""

from __future__ import annotations

_CONTENT = """
{%- macro written(content) -%}
  {%- if content is string -%}{{- content -}}
  {%- else -%}
    {%- for part in content -%}
      {%- if part.type == 'image' -%}{{- 'IMAGE_SLOT' -}}{%- else -%}{{- part.text -}}{%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
"""

_CHATML = """
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' + written(message.content) + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""

_QWEN3 = """
{%- set turns = messages|length + (1 if add_generation_prompt else 0) -%}
{%- set last = namespace(question=-1) -%}
{%- for message in messages -%}
  {%- set body = written(message.content) -%}
  {%- set is_response = body.startswith('<tool_response>') and body.endswith('</tool_response>') -%}
  {%- if message.role == 'user' and not is_response -%}
    {%- set last.question = loop.index0 -%}
  {%- endif -%}
{%- endfor -%}
{%- if last.question < 0 -%}{%- set last.question = turns - 1 -%}{%- endif -%}
{%- for message in messages -%}
  {%- set body = written(message.content) -%}
  {{- '<|im_start|>' + message.role + '\\n' -}}
  {%- if message.role != 'assistant' -%}
    {{- body -}}
  {%- else -%}
    {%- set reasoning = '' -%}
    {%- set answer = body -%}
    {%- if '</think>' in body -%}
      {%- set reasoning = body.split('</think>')[0].split('<think>')[-1].strip('\\n') -%}
      {%- set answer = body.split('</think>')[-1].lstrip('\\n') -%}
    {%- endif -%}
    {%- if loop.index0 > last.question and (loop.index == turns or reasoning) -%}
      {{- '<think>\\n' + reasoning + '\\n</think>\\n\\n' + answer.lstrip('\\n') -}}
    {%- else -%}
      {{- answer -}}
    {%- endif -%}
  {%- endif -%}
  {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\\n' -}}
  {%- if messages|length > last.question -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}
{%- endif -%}
"""

_TEMPLATES = {"chatml": _CHATML, "qwen3": _QWEN3}


def chat_template(name: str, image_slot: str) -> str:
    """Returns a template of packkit in Jinja.

    Args:
        name: ``chatml`` or ``qwen3``.
        image_slot: Token that stands for an image.
    """
    return (_CONTENT + _TEMPLATES[name]).replace("IMAGE_SLOT", image_slot)
