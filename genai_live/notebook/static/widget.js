// The widget of a notebook: finds a way to its kernel, and shows <genai-live-voice>. On the page's thread. The line before this one, which
// the kernel writes, has the element's modules as MODULES: their names and their texts.

const ELEMENT = "genai-live-voice";
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const PATIENCE = 3000; // milliseconds for an answer of the kernel's server
const DETOUR =
  "The page cannot reach its kernel directly, so the sound goes through Jupyter's own messages: while a cell runs, the model does " +
  "not hear you. With jupyter-server-proxy installed beside Jupyter it does.";

// The element's modules. They come with the widget, as a page of Jupyter may load nothing from elsewhere on every front end.

const addresses = new Map();

/** The address of a module, in whose text the addresses of those that it imports stand. */
function addressOf(name) {
  if (!addresses.has(name)) {
    const text = MODULES[name].replace(/"\.\/([\w-]+\.js)"/g, (_, other) => JSON.stringify(addressOf(other)));
    addresses.set(name, URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  }
  return addresses.get(name);
}

let defined;
const define = () => (defined ??= customElements.get(ELEMENT) ? Promise.resolve() : import(addressOf(`${ELEMENT}.js`)));

// The way to the kernel

/** Addresses at which the kernel's server may be, the nearest first. */
function candidates(port) {
  const found = LOOPBACK.has(location.hostname) ? [`http://127.0.0.1:${port}/`] : [];
  const settings = document.getElementById("jupyter-config-data")?.textContent;
  const base = settings ? JSON.parse(settings).baseUrl : document.body.dataset.baseUrl;
  if (base) found.push(new URL(`${base.replace(/\/?$/, "/")}proxy/${port}/`, location.href).href);
  return found;
}

async function answers(address, widget) {
  try {
    const response = await fetch(`${address}hello`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return response.ok && (await response.json()).widget === widget;
  } catch {
    return false;
  }
}

/** The address of the socket to this widget's kernel; null when only Jupyter's messages reach it. */
async function wayTo(port, widget) {
  for (const address of port ? candidates(port) : []) {
    if (await answers(address, widget)) return address.replace(/^http/, "ws");
  }
  return null;
}

/** A socket through Jupyter's messages, with those members of a WebSocket that the element uses. */
class CommSocket {
  static #count = 0;
  #model;
  #number = Date.now() * 1000 + (CommSocket.#count++ % 1000); // no two pages have the same
  #hear = (content, buffers) => this.#take(content, buffers);
  binaryType = "arraybuffer";
  bufferedAmount = 0;
  onopen = null;
  onmessage = null;
  onclose = null;

  constructor(model) {
    this.#model = model;
    model.on("msg:custom", this.#hear);
    model.send({ socket: this.#number, open: true });
    queueMicrotask(() => this.onopen?.());
  }

  #take(content, buffers) {
    if (content.socket !== this.#number) return;
    if ("text" in content) this.onmessage?.({ data: content.text });
    for (const { buffer, byteOffset, byteLength } of buffers ?? []) {
      this.onmessage?.({ data: buffer.slice(byteOffset, byteOffset + byteLength) });
    }
    if ("close" in content) this.#end(content.close);
  }

  send(data) {
    if (typeof data === "string") this.#model.send({ socket: this.#number, text: data });
    else this.#model.send({ socket: this.#number }, undefined, [data]);
  }

  close(code = 1000) {
    this.#model.send({ socket: this.#number, close: code });
    this.#end(code);
  }

  #end(code) {
    this.#model.off("msg:custom", this.#hear);
    this.onclose?.({ code });
    this.onclose = null;
  }
}

// The widget

function note(text) {
  const line = document.createElement("p");
  line.textContent = text;
  line.style.opacity = 0.7;
  return line;
}

async function render({ model, el }) {
  await define();
  const element = document.createElement(ELEMENT);
  const way = await wayTo(model.get("port"), model.get("name"));
  element.setAttribute("src", document.baseURI);
  element.setAttribute("socket", way ?? document.baseURI);
  element.setAttribute("token", model.get("token"));
  element.setAttribute("way", way ? (way.includes("/proxy/") ? "proxy" : "direct") : "comm");
  if (way === null) element.openSocket = () => new CommSocket(model);
  el.replaceChildren(element, ...(way ? [] : [note(DETOUR)]));
  const close = () => element.stop();
  model.on("destroy", close);
  return () => {
    model.off("destroy", close);
    element.stop();
  };
}

export default { render };
