"""A program written for the Videos API, with OpenAI's Python SDK as it is: whichever version is first on the path.

Arguments: base URL, key, a folder, a webhook's secret. The folder holds delivery.json, a message as it arrived; what is downloaded goes
there, and what was seen is printed as JSON, in the same words as node_sdk.cjs has.
"""

import json
import sys
from pathlib import Path

import openai

QUICK = {"num_inference_steps": 2}


def main(base_url: str, key: str, folder: Path, secret: str) -> dict:
    client = openai.OpenAI(base_url=base_url, api_key=key, webhook_secret=secret)
    videos, seen = client.videos, {"sdk": openai.__version__}
    created = videos.create(prompt="waves at dusk", model="sora-2", seconds="1", size="256x144", extra_body=QUICK | {"seed": 3})
    finished = videos.create_and_poll(prompt="dunes at noon", seconds="1", size="256x144", extra_body=QUICK)
    seen |= {"created": created.to_dict(), "finished": finished.to_dict(), "polled": videos.poll(created.id).to_dict()}

    seen["files"] = {}
    for variant in ("video", "thumbnail", "spritesheet"):
        content = videos.download_content(finished.id, variant=variant)
        content.write_to_file(folder / variant)
        seen["files"][variant] = content.response.headers["content-type"]
    data = (folder / "video").read_bytes()
    made = {
        "remix": videos.remix(finished.id, prompt="dunes at night", extra_body=QUICK),
        "edit": videos.edit(prompt="dunes in snow", video=data, extra_body=QUICK),
        "extension": videos.extend(prompt="a storm comes", seconds="1", video=data, extra_body=QUICK),
    }
    seen |= {name: videos.poll(video.id).to_dict() for name, video in made.items()}

    character = videos.create_character(name="Mossy", video=data)
    seen["character"] = [character.id, character.name]
    character = videos.get_character(character.id)
    seen["character_again"] = [character.id, character.name]
    seen["retrieved"] = videos.retrieve(finished.id).to_dict()
    seen["listed"] = [video.id for video in videos.list(limit=2)]
    seen["listed_upwards"] = [video.id for video in videos.list(limit=2, order="asc")]

    deleted = videos.delete(created.id)
    seen["deleted"] = [deleted.id, deleted.object, deleted.deleted]
    seen["refused"] = [refused(lambda: videos.retrieve(created.id)), refused(lambda: videos.create(prompt="a", seconds="99"))]

    delivery = json.loads((folder / "delivery.json").read_text())
    event = client.webhooks.unwrap(delivery["body"], delivery["headers"])
    seen["event"] = [event.type, event.data.id, event.id]
    try:
        client.webhooks.unwrap(delivery["body"] + " ", delivery["headers"])
    except openai.InvalidWebhookSignatureError as error:
        seen["tampered"] = type(error).__name__
    return seen


def refused(call) -> list | None:
    try:
        call()
    except openai.APIStatusError as error:
        return [error.status_code, error.code, error.param]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])))
