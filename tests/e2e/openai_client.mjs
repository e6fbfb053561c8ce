// OpenAI's own client for Node, unmodified: node openai_client.mjs <folder with node_modules> <base URL> <key> <file>
import { File } from "node:buffer";
import { createReadStream } from "node:fs";
import { createRequire } from "node:module";

// Where the client looks for it; Node.js 18 of Debian 12 and Ubuntu 24.04 does not put it there.
globalThis.File ??= File;
const [folder, baseURL, apiKey, path] = process.argv.slice(2);
const OpenAI = createRequire(`${folder}/package.json`)("openai").default;
const { transcriptions } = new OpenAI({ apiKey, baseURL, maxRetries: 0 }).audio;
const ask = (fields) => transcriptions.create({ file: createReadStream(path), model: "whisper-1", ...fields });

const found = {};
for (const format of ["json", "text", "srt", "vtt", "diarized_json"]) {
  found[format] = await ask({ response_format: format });
}
found.verbose_json = await ask({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"] });
found.events = [];
for await (const event of await ask({ stream: true })) found.events.push(event);
try {
  await ask({ model: "grandmother" });
} catch (error) {
  found.refusal = { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
}
console.log(JSON.stringify(found));
