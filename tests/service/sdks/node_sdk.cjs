// A program written for the Videos API, with OpenAI's Node SDK as it is. Arguments and report as in python_sdk.py.
const fs = require("node:fs");
const path = require("node:path");
const OpenAI = require("openai");
const { VERSION } = require("openai/version");

const QUICK = { num_inference_steps: 2 };

async function main([baseURL, apiKey, folder, webhookSecret]) {
  const client = new OpenAI({ baseURL, apiKey, webhookSecret });
  const videos = client.videos;
  const created = await videos.create({ prompt: "waves at dusk", model: "sora-2", seconds: "1", size: "256x144", seed: 3, ...QUICK });
  const other = await videos.create({ prompt: "dunes at noon", seconds: "1", size: "256x144", ...QUICK });
  const finished = await poll(videos, other.id);
  const seen = { sdk: VERSION, created, finished, polled: await poll(videos, created.id), files: {} };

  for (const variant of ["video", "thumbnail", "spritesheet"]) {
    const content = await videos.downloadContent(finished.id, { variant });
    fs.writeFileSync(path.join(folder, variant), Buffer.from(await content.arrayBuffer()));
    seen.files[variant] = content.headers.get("content-type");
  }
  const file = () => fs.createReadStream(path.join(folder, "video"));
  const made = {
    remix: await videos.remix(finished.id, { prompt: "dunes at night", ...QUICK }),
    edit: await videos.edit({ prompt: "dunes in snow", video: file(), ...QUICK }),
    extension: await videos.extend({ prompt: "a storm comes", seconds: "1", video: { id: finished.id }, ...QUICK }),
  };
  for (const [name, video] of Object.entries(made)) seen[name] = await poll(videos, video.id);

  const character = await videos.createCharacter({ name: "Mossy", video: file() });
  seen.character = [character.id, character.name];
  const again = await videos.getCharacter(character.id);
  seen.character_again = [again.id, again.name];
  seen.retrieved = await videos.retrieve(finished.id);
  seen.listed = await all(videos.list({ limit: 2 }));
  seen.listed_upwards = await all(videos.list({ limit: 2, order: "asc" }));

  const deleted = await videos.delete(created.id);
  seen.deleted = [deleted.id, deleted.object, deleted.deleted];
  seen.refused = [
    await refused(() => videos.retrieve(created.id)),
    await refused(() => videos.create({ prompt: "a", seconds: "99" })),
  ];

  const delivery = JSON.parse(fs.readFileSync(path.join(folder, "delivery.json"), "utf8"));
  const event = await client.webhooks.unwrap(delivery.body, delivery.headers);
  seen.event = [event.type, event.data.id, event.id];
  try {
    await client.webhooks.unwrap(delivery.body + " ", delivery.headers);
  } catch (error) {
    if (!(error instanceof OpenAI.InvalidWebhookSignatureError)) throw error;
    seen.tampered = "InvalidWebhookSignatureError";
  }
  return seen;
}

// Node's SDK has no poll of its own; this is what Python's does.
async function poll(videos, id) {
  for (;;) {
    const { data, response } = await videos.retrieve(id).withResponse();
    if (data.status !== "queued" && data.status !== "in_progress") return data;
    await new Promise((done) => setTimeout(done, Number(response.headers.get("openai-poll-after-ms") ?? 1000)));
  }
}

async function all(pages) {
  const ids = [];
  for await (const video of pages) ids.push(video.id);
  return ids;
}

async function refused(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return [error.status, error.code, error.param];
  }
}

main(process.argv.slice(2)).then((seen) => console.log(JSON.stringify(seen)));
