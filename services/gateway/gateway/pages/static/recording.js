// Fills the page of a recording: the transcript with times that can be clicked, and the player at the right second.
// Whatever comes from a recording is set as text, never as markup.
"use strict";

const page = document.getElementById("recording");
const player = document.getElementById("player");
const list = document.getElementById("transcript");
const UNFINISHED = new Set(["pending", "processing"]);
let segments = [];

function clock(seconds) {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  const tail = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function line(segment, names) {
  const item = document.createElement("li");
  const time = element("a", clock(segment.start), "time");
  time.href = `?t=${segment.start.toFixed(1)}`;
  time.addEventListener("click", (event) => {
    event.preventDefault();
    history.replaceState(null, "", time.href);
    if (player.hidden) return mark(segment.start, false);
    player.currentTime = segment.start;
    player.play();
  });
  item.append(time, element("span", names.get(segment.speaker) || "", "speaker"), element("span", segment.text));
  return item;
}

function mark(seconds, scroll) {
  let current = -1;
  segments.forEach((segment, index) => { if (segment.start <= seconds + 0.05) current = index; });
  [...list.children].forEach((item, index) => item.classList.toggle("current", index === current));
  if (scroll && current >= 0) list.children[current].scrollIntoView({ block: "center" });
}

function show(transcript) {
  const names = new Map(transcript.speakers.map((speaker) => [speaker.id, speaker.name || speaker.label]));
  segments = transcript.segments;
  // Subtitles come without sound.
  player.hidden = transcript.engine === "captions";
  list.replaceChildren(...segments.map((segment) => line(segment, names)));
  document.getElementById("engine").textContent = transcript.engine ? `recognised by ${transcript.engine}` : "";
  const warnings = transcript.warnings.map((warning) => element("li", String(warning)));
  document.getElementById("warnings").replaceChildren(...warnings);
}

async function load() {
  const answer = await fetch(`/api/recordings/${page.dataset.id}/transcript?format=json&words=false`);
  if (answer.ok) show(await answer.json());
  return answer.ok;
}

async function follow() {
  const answer = await fetch(`/api/assets/${page.dataset.id}/status`);
  if (!answer.ok) return;
  const status = await answer.json();
  const percent = Math.round(status.progress * 100);
  const words = UNFINISHED.has(status.status) ? `${status.stage}, ${percent} %` : status.status;
  document.getElementById("status").textContent = words;
  await load();
  if (UNFINISHED.has(status.status)) setTimeout(follow, 2000);
  else if (player.readyState === 0) player.load();
}

async function begin() {
  const start = Number(page.dataset.start);
  const seek = () => { if (start > 0) player.currentTime = start; };
  if (player.readyState >= 1) seek();
  else player.addEventListener("loadedmetadata", seek, { once: true });
  player.addEventListener("timeupdate", () => mark(player.currentTime, false));
  await follow();
  mark(start, start > 0);
}

begin();
