// fetch for HttpAgent: a stream that breaks off before the end of its run is asked for again, behind the last event that
// came whole. The same run asked for twice is one run, so nothing is lost, doubled or paid for twice.
const WAITS = [200, 500, 2000, 4000, 8000];
const LOST = "The connection was lost. The answer goes on without you: reload the page to see it.";

export async function follow(url, init) {
  const first = await fetch(url, init);
  if (!first.ok || !first.body) return first;
  const reading = events(url, init, first);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reading.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: () => reading.return(),
  });
  return new Response(body, { status: first.status, headers: { "Content-Type": first.headers.get("Content-Type") } });
}

async function* events(url, init, first) {
  let answer = first;
  let lastId = "";
  let tries = 0;
  while (true) {
    try {
      for await (const event of blocks(answer.body)) {
        tries = 0;
        lastId = /^id: ?(.+)$/m.exec(event)?.[1] ?? lastId;
        yield `${event}\n\n`;
        if (/^data: ?\{"type":"RUN_(FINISHED|ERROR)"/m.test(event)) return;
      }
    } catch (error) {
      if (init.signal?.aborted) throw error;
    }
    answer = null;
    while (!answer) {
      if (tries === WAITS.length) throw new Error(LOST);
      await pause(WAITS[tries++]);
      answer = await again(url, init, lastId);
    }
  }
}

// null where the server cannot be reached at the moment.
async function again(url, init, lastId) {
  const headers = lastId ? { ...init.headers, "Last-Event-ID": lastId } : init.headers;
  try {
    const answer = await fetch(url, { ...init, headers });
    if (answer.ok) return answer;
    if (answer.status < 500) throw Object.assign(new Error(LOST), { status: answer.status });
  } catch (error) {
    if (init.signal?.aborted || error.status) throw error;
  }
  return null;
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const whole = (held + value).split("\n\n");
    held = whole.pop();
    yield* whole;
  }
}

const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
