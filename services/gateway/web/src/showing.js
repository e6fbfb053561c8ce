// What is shown of a conversation. Whatever comes from the library or a model is set as text, never as markup, and a
// citation links to pages of this server only.
const PAGE = /^\/[rdc]\/[0-9a-f-]{8,36}(?:[?#][\w=.&-]*)?$/;
const MARKER = /\[(\d+)\]/g;

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function link(citation, text) {
  if (!PAGE.test(citation.url)) return element("span", text);
  const made = element("a", text);
  made.href = citation.url;
  made.title = citation.quote;
  return made;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const minutes = String(Math.floor(whole / 60) % 60).padStart(whole < 3600 ? 1 : 2, "0");
  return `${whole < 3600 ? "" : `${Math.floor(whole / 3600)}:`}${minutes}:${String(whole % 60).padStart(2, "0")}`;
}

function place({ locator, quote_start_seconds: start }) {
  if (locator.type === "page") return `page ${locator.page}`;
  const seconds = start ?? locator.start_seconds;
  return [seconds == null ? "" : clock(seconds), locator.speaker ?? ""].filter(Boolean).join(", ");
}

// Who reads the end goes on seeing it while it grows; who has scrolled up is left where they are.
export function growing(change) {
  const page = document.documentElement;
  const atEnd = page.scrollHeight - window.innerHeight - window.scrollY < 80;
  change();
  if (atEnd) window.scrollTo(0, page.scrollHeight);
}

// One answer: where it is, its text, and what it rests on.
export class AnswerView {
  constructor(list) {
    this.item = list.appendChild(element("li", "", "answer"));
    this.state = this.item.appendChild(element("p", "", "state"));
    this.body = this.item.appendChild(element("div", "", "text"));
    this.item.setAttribute("aria-busy", "true");
  }

  progress(words) {
    this.state.textContent = words;
  }

  text(text, citations = []) {
    const cited = new Map(citations.map((citation) => [String(citation.index), citation]));
    const pieces = text.split(MARKER);
    growing(() => this.body.replaceChildren(...pieces.map((piece, index) => {
      if (index % 2 === 0) return document.createTextNode(piece);
      return cited.has(piece) ? link(cited.get(piece), `[${piece}]`) : document.createTextNode(`[${piece}]`);
    })));
  }

  sources({ answered, citations, nearest }) {
    const shown = answered ? citations : nearest;
    if (!shown.length) return;
    const list = element("ol", "", "citations");
    for (const citation of shown) {
      const item = element("li");
      item.value = citation.index;
      item.append(link(citation, [citation.title, place(citation)].filter(Boolean).join(" · ")));
      if (citation.stale) item.append(" ", element("span", "(the transcript has changed since)", "stale"));
      item.append(element("q", citation.quote));
      list.append(item);
    }
    growing(() => this.item.append(...(answered ? [] : [element("p", "What comes closest:", "state")]), list));
  }

  end() {
    this.state.textContent = "";
    this.item.removeAttribute("aria-busy");
  }

  problem(message, advice, retry) {
    this.end();
    const told = element("p", [message, advice].filter(Boolean).join(" "), "problem");
    told.setAttribute("role", "alert");
    this.item.append(told);
    if (!retry) return;
    const button = element("button", "Ask again");
    button.type = "button";
    button.addEventListener("click", () => { told.remove(); button.remove(); retry(); });
    this.item.append(button);
  }
}
