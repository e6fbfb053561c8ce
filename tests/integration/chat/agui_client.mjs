// AG-UI's own client, unmodified: node agui_client.mjs <folder with node_modules> <base URL>; headers and question on stdin.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [folder, base] = process.argv.slice(2);
const { HttpAgent } = createRequire(`${folder}/package.json`)("@ag-ui/client");
const { headers, question } = JSON.parse(readFileSync(0, "utf8"));
const agent = new HttpAgent({ url: new URL("/ag-ui", base).href, headers });

async function ask(content, forwardedProps, more = {}) {
  const seen = { steps: [] };
  agent.addMessage({ id: randomUUID(), role: "user", content });
  const done = await agent.runAgent({ forwardedProps }, {
    onRunStartedEvent: ({ event }) => { seen.ours = event.metadata.earshot; },
    onStepStartedEvent: ({ event }) => { seen.steps.push([event.stepName, event.type]); },
    onCustomEvent: ({ event }) => { seen.citations = event.value.citations; },
    onRunFinishedEvent: ({ outcome, pendingToolCallIds }) => { seen.outcome = outcome; seen.pending = pendingToolCallIds; },
    onRunErrorEvent: ({ event }) => { seen.code = event.code; seen.status = event.metadata.earshot.status_code; },
    onTextMessageContentEvent: ({ textMessageBuffer, event }) => more.onText?.(seen, textMessageBuffer + event.delta),
  });
  return { ...done, ...seen };
}

const found = {};
found.answered = await ask(question, { model: "extractive" });
found.leaning = await ask("When is it due?", { model: "extractive" });
const refused = await ask("Refuse the contract?", { model: "test-model" });
found.refused = { code: refused.code, status: refused.status };
const cancel = ({ ours }) => fetch(
  new URL(`/api/chat/sessions/${ours.session_id}/messages/${ours.message_id}/cancel`, base), { method: "POST", headers });
const cancelled = await ask(question, { model: "test-model" }, { onText: cancel });
found.cancelled = { outcome: cancelled.outcome, text: cancelled.newMessages.at(-1).content };
try {
  // The client prints what goes wrong; here it is meant to.
  console.error = () => {};
  await ask(question, { top_k: 0 });
} catch (error) {
  found.unasked = { status: error.status, error_type: error.payload.error_type };
}
console.log(JSON.stringify(found));
