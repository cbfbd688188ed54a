// How loud both sides are, drawn as bars that move from right to left. On the page's thread, once for each frame that the screen shows.

const BAR = 3;
const GAP = 3;
const STEP = 70; // milliseconds for each bar
const CALM_STEP = 300; // for whoever wants less motion
const FLOOR = -52; // dBFS that are drawn as silence
const CEILING = -10; // loud speech: a full bar

/** From 0 to 1: the level of what an AnalyserNode heard last. */
export function loudness(analyser) {
  if (!analyser) return 0;
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return heightOf(samples);
}

/** From 0 to 1: samples from -1 to 1 as the height of a bar. */
export function heightOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const level = 10 * Math.log10(sum / samples.length || 1e-12);
  return Math.min(1, Math.max(0, (level - FLOOR) / (CEILING - FLOOR)));
}

/** Draws on a canvas while it runs. */
export class Levels {
  #canvas;
  #levels;
  #bars = []; // [height, colour], newest first
  #next = 0;
  #frame = null;

  /** @param {() => {user: number, model: number}} levels each from 0 to 1 */
  constructor(canvas, levels) {
    this.#canvas = canvas;
    this.#levels = levels;
  }

  start() {
    if (this.#frame !== null) return;
    this.#bars = [];
    this.#frame = requestAnimationFrame((now) => this.#tick(now));
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }

  #tick(now) {
    this.#frame = requestAnimationFrame((later) => this.#tick(later));
    if (now < this.#next) return;
    this.#next = now + (matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM_STEP : STEP);
    const { user, model } = this.#levels();
    this.#bars.unshift(model >= user ? [model, "--_model"] : [user, "--_accent"]);
    this.#draw();
  }

  #draw() {
    const { clientWidth, clientHeight } = this.#canvas;
    const scale = window.devicePixelRatio;
    this.#canvas.width = clientWidth * scale;
    this.#canvas.height = clientHeight * scale;
    const count = Math.ceil(clientWidth / (BAR + GAP));
    this.#bars.length = Math.min(this.#bars.length, count);
    const style = getComputedStyle(this.#canvas);
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    for (let at = 0; at < count; at += 1) {
      const [height, colour] = this.#bars[at] ?? [0, "--_line"];
      const tall = Math.max(BAR, height * clientHeight);
      pen.fillStyle = style.getPropertyValue(height > 0 ? colour : "--_line");
      pen.beginPath();
      pen.roundRect(clientWidth - BAR - at * (BAR + GAP), (clientHeight - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
  }
}
