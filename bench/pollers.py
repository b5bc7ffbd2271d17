"""Clients that poll and clients that listen, light enough to share two cores with what they measure: plain sockets, nothing parsed
that need not be. `python -m bench.pollers`, with a plan as JSON on standard input, prints what was seen as JSON.
"""

import asyncio
import json
import random
import sys
import time


async def _ask(video: str, plan: dict, until: float, took: list[tuple[float, float]]) -> None:
    """What the SDK's `poll` does: GET, wait for as long as the first answer says (or the plan), GET again."""
    await asyncio.sleep(random.random())
    request, start = _request(f"/v1/videos/{video}", plan), until - plan["seconds"]
    pause, writer = plan["pause"], None
    while (began := time.monotonic()) < until:
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(_header(head, b"content-length")))
        took.append((began - start, time.monotonic() - began))
        assert head.startswith(b"http/1.1 200"), head
        pause = pause or int(_header(head, b"openai-poll-after-ms")) / 1000
        if pause > 3:  # servers and clients let a connection go that is idle for five seconds
            writer.close()
            writer = None
        await asyncio.sleep(pause)
    if writer:
        writer.close()


def _request(path: str, plan: dict) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {plan['key']}\r\n\r\n".encode()


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _listen(video: str, plan: dict, until: float, events: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
    writer.write(_request(f"/v1/videos/{video}/events", plan))
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
            while data := await reader.read(65536):
                events[0] += data.count(b"event: ")
    except TimeoutError:
        pass
    writer.close()


async def main() -> None:
    plan = json.load(sys.stdin)
    until, took, events = time.monotonic() + plan["seconds"], [], [0]
    polls = [_ask(video, plan, until, took) for video in plan["polled"]]
    await asyncio.gather(*polls, *(_listen(video, plan, until, events) for video in plan["heard"]))
    print(json.dumps({"took": took, "events": events[0], "cpu": time.process_time()}))


if __name__ == "__main__":
    asyncio.run(main())
