// The WebSocket to the desk of this page: questions are promises, and it comes back when it is lost.
//
// Events: "state" (look at .state: connecting, online, waiting), "hello" (detail: who answers),
// "notice" (detail: text).

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
const PATIENCE_MS = 20_000;

export class Link extends EventTarget {
  state = "connecting";
  closed = null;

  #socket = null;
  #number = 0;
  #waiting = new Map();
  #attempt = 0;
  #token;

  constructor(url, token) {
    super();
    this.url = url;
    this.#token = token;
  }

  open() {
    const url = new URL(this.url);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => this.#received(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#socket = socket;
    this.#become("connecting");
  }

  // Returns the answer to a question; rejects with an Error that can be shown.
  ask(name, values = {}) {
    return this.#request({ ask: name, with: values });
  }

  // Has something done, and returns the sentence that says what was.
  async carryOut(name, values = {}) {
    const { said } = await this.#request({ do: name, token: this.#token, with: values });
    return said;
  }

  #request(message) {
    if (this.state !== "online") return Promise.reject(new Error("Not connected."));
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { error: "No answer came in time." }), PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ id, ...message }));
    });
  }

  #received(message) {
    if (message.hello) {
      this.#attempt = 0;
      this.#become("online");
      this.dispatchEvent(new CustomEvent("hello", { detail: message.hello }));
    } else if (message.notice) {
      this.dispatchEvent(new CustomEvent("notice", { detail: message.notice }));
    } else {
      this.#settle(message.id, message);
    }
  }

  #settle(id, answer) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (answer.error !== undefined) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer.data);
  }

  #lost(code, reason) {
    this.closed = { code, reason };
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { error: "The connection was lost." });
    if (code === 1008) {
      // The session is over: the page itself has to ask for another.
      location.reload();
      return;
    }
    const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    setTimeout(() => this.open(), delay);
    this.#become("waiting");
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
