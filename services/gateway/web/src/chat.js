// The chat page: the official client of AG-UI, the conversation of this address, and a form.
import "./strict.js";
import { HttpAgent } from "@ag-ui/client";
import { v4 as newId } from "uuid";
import { follow } from "./following.js";
import { AnswerView, element, growing } from "./showing.js";

const at = (id) => document.getElementById(id);
const list = at("messages");
const question = at("question");
const collection = at("collection");
const STEPS = { searching: "Searching the library …", reading: "Reading …", writing: "Writing …" };
const SIGN_IN = "You are not signed in any more. Make a new link with: ./earshot open";

const named = new URLSearchParams(location.search).get("session") ?? undefined;
const agent = new HttpAgent({ url: "/ag-ui", threadId: named, fetch: follow });
let running = null;

function say(words) {
  at("notice").textContent = words;
}

function busy(is) {
  at("send").disabled = is;
  at("stop").hidden = !is;
  if (!is) running = null;
}

function tell(view, error, retry) {
  if (error.status === 401) {
    view.problem(SIGN_IN);
    at("sign-in").hidden = false;
  } else {
    view.problem(error.payload?.detail ?? error.message, error.payload?.advice, retry);
  }
}

// A run that may not have begun is asked for again by its name, so that the question is not asked twice.
async function ask(content, runId = newId(), view = null) {
  if (!view) growing(() => list.append(element("li", content, "question")));
  const shown = view ?? new AnswerView(list);
  const once = { ours: null, done: false, text: "" };
  running = once;
  busy(true);
  say("");
  agent.setMessages([{ id: newId(), role: "user", content }]);
  const anew = () => ask(content);
  try {
    await agent.runAgent({ runId, forwardedProps: wishes() }, {
      onRunStartedEvent: ({ event }) => {
        once.ours = event.metadata.earshot;
        keep(once.ours.session_id);
      },
      onStepStartedEvent: ({ event }) => shown.progress(STEPS[event.stepName] ?? event.stepName),
      onToolCallResultEvent: ({ event }) => shown.progress(found(event.content)),
      onTextMessageContentEvent: ({ event }) => {
        once.text += event.delta;
        shown.text(once.text);
      },
      onCustomEvent: ({ event }) => {
        if (event.name !== "earshot.citations") return;
        shown.text(once.text, event.value.citations);
        shown.sources(event.value);
      },
      onRunFinishedEvent: ({ outcome }) => {
        once.done = true;
        if (outcome === "cancelled") shown.problem("You stopped this answer.", "", anew);
        else shown.end();
      },
      onRunErrorEvent: ({ event }) => {
        once.done = true;
        shown.problem(event.message, event.metadata?.earshot?.advice, anew);
      },
    });
    if (!once.done) shown.end();
  } catch (error) {
    tell(shown, error, once.ours || error.status ? anew : () => ask(content, runId, shown));
  } finally {
    busy(false);
    question.focus();
  }
}

// A session is about one collection from its beginning on.
function wishes() {
  return collection.value && !collection.disabled ? { collection_id: collection.value } : {};
}

function keep(sessionId) {
  collection.disabled = true;
  const address = `/ag-ui?session=${sessionId}`;
  if (location.pathname + location.search !== address) history.replaceState(null, "", address);
}

function found(content) {
  const { length } = JSON.parse(content).passages;
  return length === 1 ? "1 passage found" : `${length} passages found`;
}

async function stop() {
  const stopped = running;
  if (!stopped?.ours) return agent.abortRun();
  const { session_id: session, message_id: message } = stopped.ours;
  const answer = await fetch(`/api/chat/sessions/${session}/messages/${message}/cancel`, { method: "POST" });
  if (!answer.ok) say("It could not be stopped. Try again.");
}

async function read(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (answer.ok) return body;
  throw Object.assign(new Error(body.detail), { status: answer.status, payload: body });
}

function show(message, asked) {
  const view = new AnswerView(list);
  const reason = message.answered === false ? message.reason ?? "" : "";
  view.text([message.content, reason].filter(Boolean).join("\n\n"), message.citations);
  view.end();
  if (message.status === "done") view.sources(message);
  else if (message.status === "running") wait(view, message, asked);
  else if (message.status === "removed") view.problem("This answer was removed: something behind it is gone or closed.");
  else view.problem(message.error?.message ?? message.status, message.error?.advice, () => ask(asked));
}

// An answer that was being written when the page was opened.
async function wait(view, { session_id: session, id }, asked) {
  view.progress(STEPS.writing);
  busy(true);
  running = { ours: { session_id: session, message_id: id } };
  while (true) {
    const message = await read(`/api/chat/sessions/${session}/messages/${id}`);
    if (message.status !== "running") {
      view.item.remove();
      busy(false);
      return show(message, asked);
    }
    view.text(message.content);
    await new Promise((resume) => setTimeout(resume, 1000));
  }
}

async function restore() {
  const { messages, collection_id: about } = await read(`/api/chat/sessions/${named}`);
  if (about) collection.value = about;
  collection.disabled = true;
  let asked = "";
  for (const message of messages) {
    if (message.role === "user") {
      asked = message.content;
      list.append(element("li", asked, "question"));
    } else {
      show(message, asked);
    }
  }
}

async function offer() {
  const { items } = await read("/api/collections?limit=200");
  for (const { id, name } of items) collection.append(new Option(name, id));
}

function submit(event) {
  event?.preventDefault();
  const content = question.value.trim();
  if (!content || running) return;
  question.value = "";
  ask(content);
}

at("ask").addEventListener("submit", submit);
at("stop").addEventListener("click", stop);
at("new").addEventListener("click", () => location.assign("/ag-ui"));
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});

offer()
  .then(() => named && restore())
  .catch((error) => tell(new AnswerView(list), error))
  .finally(() => { at("chat").dataset.ready = "true"; });
