// One WebSocket for each base address. It is opened by the first subscription, comes back by itself when it is lost, and then
// subscribes anew; a watch goes on behind the last change that was seen, or where that is not known any more from now on. A call does not
// wait for that: it fails at once, so that nothing is done minutes after it was asked for.
//
//	const stop = socket.subscribe("metrics", {every_ms: 1000}, (data) => ..., (error) => ...);
//	const {out, prompt} = await socket.call("shell", {line: "get a"}, signal);

import { connect, token } from "./api.js";

const gone = (message) => ({ code: "unreachable", message });

const refused = 1008; // the code of a connection that is closed because its token is none
const pauses = [250, 500, 1000, 2000, 5000]; // milliseconds before the next try

export class Socket {
  constructor(base) {
    this.base = base;
    this.state = "idle"; // idle, connecting, open, lost
    this.next = 1;
    this.running = new Map(); // id -> {what, params, data, failed, once, sent, seen}
    this.listeners = new Set();
    this.tries = 0;
    this.waits = false; // for a token
    addEventListener("tokenchange", () => this.#renew());
  }

  // onState calls f with the state now and whenever it changes; what it returns ends that.
  onState(f) {
    this.listeners.add(f);
    f(this.state);
    return () => this.listeners.delete(f);
  }

  // connect opens the connection before anybody subscribes, so that its state can be seen.
  connect() {
    if (this.state === "idle") this.#open();
  }

  subscribe(what, params, data, failed = () => {}) {
    const id = this.#begin({ what, params, data, failed });
    return () => {
      if (!this.running.delete(id)) return;
      if (this.state === "open") this.#write({ id: this.next++, do: "stop", what: id });
    };
  }

  // call promises the data of the one answer. A call that is under way when the connection is lost fails: it may have been done.
  // With a signal it can be stopped; then the answer says how far it came.
  call(what, params, signal) {
    if (this.state === "lost") return Promise.reject(gone("the server does not answer; nothing was done"));
    return new Promise((data, failed) => {
      const id = this.#begin({ what, params, data, failed, once: true });
      signal?.addEventListener("abort", () => this.#write({ id: this.next++, do: "stop", what: id }), { once: true });
    });
  }

  #begin(job) {
    const id = this.next++;
    this.running.set(id, job);
    if (this.state === "open") this.#send(id, job);
    else if (this.state === "idle") this.#open();
    return id;
  }

  #become(state) {
    this.state = state;
    for (const f of this.listeners) f(state);
  }

  #open() {
    this.#become(this.tries ? "lost" : "connecting");
    const url = new URL(this.base + "/v1/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.#opened();
    this.socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    this.socket.onclose = (event) => this.#closed(event.code === refused);
  }

  #opened() {
    this.tries = 0;
    if (token()) this.#write({ id: this.next++, do: "auth", token: token() });
    this.#become("open");
    for (const [id, job] of this.running) this.#send(id, job);
  }

  async #closed(unknown) {
    const pause = pauses[Math.min(this.tries++, pauses.length - 1)];
    this.#become("lost");
    for (const [id, job] of this.running) {
      if (!job.once) continue;
      this.running.delete(id);
      job.failed(gone(job.sent ? "the connection was lost; what was asked may have been done" : "the server does not answer; nothing was done"));
    }
    if (unknown) { // this asks for the token; whoever has none is not asked again and again
      const failure = await connect(this.base).stats().catch((e) => e);
      if (failure?.status === 401) {
        this.waits = true;
        return;
      }
    }
    setTimeout(() => this.#open(), pause);
  }

  // #renew opens the connection anew, with the token as it is now.
  #renew() {
    if (this.waits) {
      this.waits = false;
      this.#open();
    } else {
      this.socket?.close();
    }
  }

  #send(id, job) {
    job.sent = true;
    this.#write({ id, do: job.what, ...job.params, ...(job.seen ? { since: job.seen } : {}) });
  }

  #write(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #receive({ kind, id, data, error }) {
    const job = this.running.get(id);
    if (!job) return;
    if (kind === "error" && job.seen) {
      job.seen = 0;
      this.#send(id, job);
    } else if (kind === "error") {
      this.running.delete(id);
      job.failed(error);
    } else if (kind === "done") {
      if (!job.once) return; // a subscription has begun, or ended
      this.running.delete(id);
      job.data(null);
    } else {
      if (job.once) this.running.delete(id);
      if (kind === "change" && data.length) job.seen = data[data.length - 1].seq;
      job.data(data);
    }
  }
}
