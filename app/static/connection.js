// One WebSocket after another to the same chat: opens, reports, and comes back when it is lost.
//
// States: "closed" -> "connecting" -> "online" -> "closed" or "waiting" -> "connecting" …
// Events: "state" (look at .state, .retryAt, .lastClose), "text" (detail: string),
// "binary" (detail: ArrayBuffer), "closed" (detail: {code, reason, willRetry}).

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
const STABLE_AFTER_MS = 10_000;

// The room meant it: coming back would be an intrusion. All other codes are accidents or restarts.
const CLOSE_KICKED = 4001;

export class Connection extends EventTarget {
  state = "closed";
  room = "";
  nick = "";
  socketsOpened = 0;
  onlineSince = null;
  retryAt = null;
  lastClose = null;

  #socket = null;
  #attempt = 0;
  #timer = null;

  constructor(url) {
    super();
    this.url = url;
  }

  // Opens a socket to the room, closing the one there is.
  open(room, nick) {
    this.room = room;
    this.nick = nick;
    this.#attempt = 0;
    this.#connect();
  }

  // Connects at once instead of waiting for the end of the delay.
  retryNow() {
    if (this.state === "waiting" || this.state === "closed") this.#connect();
  }

  // Sends an object as a text frame; false when there is no open socket.
  sendObject(fields) {
    return this.#send(JSON.stringify(fields));
  }

  // Sends bytes as a binary frame; false when there is no open socket.
  sendBytes(bytes) {
    return this.#send(bytes);
  }

  #send(data) {
    if (this.state !== "online") return false;
    this.#socket.send(data);
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#drop();
    const url = new URL(this.url);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ room: this.room, nick: this.nick });
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
    this.#become("connecting");
  }

  #drop() {
    if (this.#socket === null) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#socket = null;
  }

  #opened() {
    this.socketsOpened += 1;
    this.onlineSince = Date.now();
    this.#become("online");
  }

  #received(data) {
    const kind = typeof data === "string" ? "text" : "binary";
    this.dispatchEvent(new CustomEvent(kind, { detail: data }));
  }

  #closed(code, reason) {
    this.#socket = null;
    // A socket that never opened says 1006 too, but it is not one that was lost.
    const wasOnline = this.state === "online";
    if (wasOnline) this.lastClose = { code, reason, at: Date.now() };
    if (wasOnline && Date.now() - this.onlineSince >= STABLE_AFTER_MS) this.#attempt = 0;
    const willRetry = code !== CLOSE_KICKED;
    if (willRetry) this.#wait();
    else this.#become("closed");
    this.dispatchEvent(new CustomEvent("closed", { detail: { code, reason, wasOnline, willRetry } }));
  }

  // Doubles the delay and takes a random half off it, so that the tabs of a crashed room do not
  // all come back in the same instant.
  #wait() {
    const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    const jittered = delay * (0.5 + Math.random() / 2);
    this.retryAt = Date.now() + jittered;
    this.#timer = setTimeout(() => this.#connect(), jittered);
    this.#become("waiting");
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
