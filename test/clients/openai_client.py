"""What python.test.ts asks OpenAI's package for Python to do. Prints one JSON object: what came of each task, by its name."""

import json
import os

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0, timeout=30)
messages = [{"role": "user", "content": "hello"}]
tools = [{"type": "function", "function": {"name": "datetime", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}]


class Place(BaseModel):
    city: str


def chat():
    answer = client.chat.completions.create(model="upstream/words-3", messages=messages, seed=7)
    return [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.completion_tokens]


def stream():
    parts = client.chat.completions.create(model="upstream/words-3", messages=messages, stream=True, stream_options={"include_usage": True})
    text, usage = "", None
    for part in parts:
        text += (part.choices[0].delta.content or "") if part.choices else ""
        usage = part.usage or usage
    return [text, usage.completion_tokens]


def agent():
    answer = client.chat.completions.create(model="agent:default", messages=messages)
    parts = client.chat.completions.create(model="agent:default", messages=messages, stream=True)
    text = "".join((part.choices[0].delta.content or "") for part in parts if part.choices)
    return [answer.choices[0].message.content == text, text.startswith("word0")]


def whole(text):
    """Fragments may end within a sign outside the basic plane, whose halves Python does not join by itself."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def call_tools():
    with client.chat.completions.stream(model="upstream/tool-split", messages=messages, tools=tools) as parts:
        message = parts.get_final_completion().choices[0].message
    calls = message.tool_calls
    results = [{"role": "tool", "tool_call_id": call.id, "content": "noon"} for call in calls]
    said = [{"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": whole(call.function.arguments)}} for call in calls]}]
    answer = client.chat.completions.create(model="upstream/words-1", messages=messages + said + results, tools=tools)
    return [[call.function.name for call in calls], json.loads(whole(calls[0].function.arguments)), answer.choices[0].message.content]


def structured():
    answer = client.chat.completions.parse(model="upstream/echo", messages=[{"role": "user", "content": '{"city":"Hanoi"}'}], response_format=Place)
    return answer.choices[0].message.parsed.city


def responses():
    answer = client.responses.create(model="upstream/words-3", input="hello")
    with client.responses.stream(model="upstream/words-3", input="hello") as events:
        kinds = [event.type for event in events]
    return [answer.output_text, kinds[0], kinds[-1]]


def embeddings():
    made = client.embeddings.create(model="upstream/embed", input=["a", "bcd"])
    return sorted((one.index, len(one.embedding)) for one in made.data)


def models():
    return [model.id for model in client.models.list() if model.id.startswith(("agent:", "upstream/"))]


def abort():
    parts = client.chat.completions.create(model="upstream/paced-2000-20", messages=messages, stream=True)
    next(iter(parts))
    parts.close()
    return True


def errors():
    seen = {}
    for model in ["upstream/status-400", "upstream/status-404", "upstream/limited-60", "upstream/status-401", "upstream/status-503", "agent:nobody"]:
        try:
            client.chat.completions.create(model=model, messages=messages)
            seen[model] = None
        except openai.APIStatusError as error:
            seen[model] = [type(error).__name__, error.status_code, bool(error.message)]
    try:
        client.with_options(api_key="goclaw_wrong").models.list()
    except openai.APIStatusError as error:
        seen["a wrong key"] = [type(error).__name__, error.status_code, bool(error.message)]
    try:
        for _ in client.chat.completions.create(model="upstream/cut-after-3", messages=messages, stream=True):
            pass
        seen["a stream that breaks"] = None
    except openai.APIError as error:
        seen["a stream that breaks"] = [type(error).__name__, bool(error.message)]
    return seen


def outcome(task):
    try:
        return {"value": task()}
    except Exception as error:  # The test says which task failed, and shows this.
        return {"error": f"{type(error).__name__}: {error}"}


tasks = [chat, stream, agent, call_tools, structured, responses, embeddings, models, abort, errors]
print(json.dumps({task.__name__: outcome(task) for task in tasks}))
