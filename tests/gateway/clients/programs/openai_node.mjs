// The official client of OpenAI for Node. Prints what each scenario gave, as one JSON object.
// The package is imported from a folder of its own: it is no part of this repository.

import path from "node:path";
import { pathToFileURL } from "node:url";

const { GATEWAY_URL: baseURL, GATEWAY_KEY: apiKey, PACKAGES: packages } = process.env;
const openai = await import(pathToFileURL(path.join(packages, "node_modules", "openai", "index.mjs")));
const { default: OpenAI, toFile } = openai;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const { odd_texts: oddTexts, statuses, tools } = JSON.parse(process.env.INPUTS);

const says = (content) => [{ role: "user", content }];
const chat = (model, text, more = {}) => client.chat.completions.create({ model, messages: says(text), ...more });
const asked = async (what) => (await chat("witness", what)).choices[0].message.content;
const callsOf = (message) => message.tool_calls.map((call) => [call.id, call.function.name, call.function.arguments]);

async function failure(action) {
  try {
    await action();
  } catch (error) {
    return [error.constructor.name, error.status ?? null];
  }
  return "nothing was thrown";
}

async function streamed(model, text, more = {}) {
  const texts = {};
  const told = { usages: 0, finish_reasons: [], roles: 0 };
  const asks = { stream: true, stream_options: { include_usage: true }, ...more };
  for await (const chunk of await chat(model, text, asks)) {
    if (chunk.usage) told.usages += 1;
    for (const choice of chunk.choices) {
      texts[choice.index] = (texts[choice.index] ?? "") + (choice.delta.content ?? "");
      if (choice.delta.role) told.roles += 1;
      if (choice.finish_reason) told.finish_reasons.push(choice.finish_reason);
    }
  }
  return { texts: Object.values(texts), ...told };
}

const scenarios = {
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return names.slice(0, 3);
  },
  async model_with_slashes() {
    return (await client.models.retrieve("team/echo:1")).id;
  },
  async chat() {
    const answer = await chat("team/echo:1", "hello");
    const { usage } = answer;
    return {
      text: answer.choices[0].message.content,
      role: answer.choices[0].message.role,
      finish_reason: answer.choices[0].finish_reason,
      model: answer.model,
      usage: usage.total_tokens > 0 && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens,
      request_id: Boolean(answer._request_id),
    };
  },
  stream: () => streamed("team/echo:1", "hello"),
  async two_choices() {
    return (await chat("echo", "hi", { n: 2 })).choices.map((choice) => choice.message.content);
  },
  two_choices_in_a_stream: () => streamed("echo", "hi", { n: 2 }),
  async stop() {
    return (await chat("echo", "one two three", { stop: [" three", " two"] })).choices[0].message.content;
  },
  async tools() {
    const { message, finish_reason } = (await chat("tools", "x", { tools })).choices[0];
    return [callsOf(message), finish_reason];
  },
  async tools_in_a_stream() {
    const runner = client.chat.completions.stream({ model: "tools-in-pieces", messages: says("x"), tools });
    const { message, finish_reason } = (await runner.finalChatCompletion()).choices[0];
    return [callsOf(message), finish_reason];
  },
  async tool_results() {
    const { message } = (await chat("tools", "x", { tools })).choices[0];
    const results = message.tool_calls.map((call) => ({
      role: "tool",
      tool_call_id: call.id,
      content: call.function.name,
    }));
    const messages = [...says("x"), message, ...results];
    return (await client.chat.completions.create({ model: "tools", messages, tools })).choices[0].message.content;
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model: "embedder", input: ["one", "three"] });
    return answer.data.map((one) => Array.from(one.embedding));
  },
  async embeddings_as_numbers() {
    const input = ["one", "three"];
    const answer = await client.embeddings.create({ model: "embedder", input, encoding_format: "float" });
    return answer.data.map((one) => one.embedding);
  },
  async images() {
    const answer = await client.images.generate({ model: "painter", prompt: "an otter", n: 2 });
    return answer.data.map((one) => Buffer.from(one.b64_json, "base64").toString("latin1"));
  },
  async edited_images() {
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const image = await toFile(Buffer.concat([signature, Buffer.from("an otter")]), "a.png", { type: "image/png" });
    const answer = await client.images.edit({ model: "painter", image, prompt: "with a hat" });
    return answer.data.map((one) => Buffer.from(one.b64_json, "base64").toString("latin1"));
  },
  async completions() {
    return (await client.completions.create({ model: "echo", prompt: "one two three", stop: " three" })).choices[0].text;
  },
  async completions_in_a_stream() {
    let text = "";
    const stream = await client.completions.create({ model: "echo", prompt: oddTexts[0], stream: true });
    for await (const chunk of stream) text += chunk.choices[0].text;
    return text;
  },
  async odd_texts() {
    return Promise.all(oddTexts.map(async (text) => (await chat("echo", text)).choices[0].message.content));
  },
  async odd_texts_in_streams() {
    return Promise.all(oddTexts.map(async (text) => (await streamed("echo", text)).texts[0]));
  },
  async errors_of_chats() {
    const one = (status) => failure(() => chat("failing", String(status)));
    return Object.fromEntries(await Promise.all(statuses.map(async (status) => [status, await one(status)])));
  },
  async errors_of_streams() {
    const one = (status) => failure(() => chat("failing", String(status), { stream: true }));
    return Object.fromEntries(await Promise.all(statuses.map(async (status) => [status, await one(status)])));
  },
  async error_in_a_stream() {
    let text = "";
    try {
      for await (const chunk of await chat("failing", "late", { stream: true })) {
        text += chunk.choices[0].delta.content ?? "";
      }
    } catch (error) {
      return [text, error instanceof OpenAI.APIError && error.message.includes("bad luck")];
    }
    return "nothing was thrown";
  },
  async busy() {
    const retrying = new OpenAI({ baseURL, apiKey });
    const answer = await retrying.chat.completions.create({ model: "failing", messages: says("busy node") });
    return [answer.choices[0].message.content, await asked("calls of busy node")];
  },
  wrong_key: () => failure(() => new OpenAI({ baseURL, apiKey: "sk-wrong" }).models.list()),
  unknown_model: () => failure(() => chat("ecko", "x")),
  async timeout() {
    const messages = says("x");
    const thrown = await failure(() =>
      client.chat.completions.create({ model: "waiting", messages }, { timeout: 300 }),
    );
    return [thrown[0], await asked("sync running"), await asked("sync stopped")];
  },
  async cancel_sync() {
    return left("waiting", "sync");
  },
  async cancel_async() {
    return left("waiting-async", "async");
  },
};

async function left(model, kind) {
  const stream = await chat(model, "x", { stream: true });
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content === "first") break;
  }
  return [await asked(`${kind} running`), await asked(`${kind} stopped`)];
}

const outcomes = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    outcomes[name] = { value: await scenario() };
  } catch (error) {
    outcomes[name] = { error: String(error.stack) };
  }
}
console.log(JSON.stringify(outcomes));
