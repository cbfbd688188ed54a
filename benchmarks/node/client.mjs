// @google/genai as its users use it. Does one job for each JSON line of standard input, as benchmarks/peers/_peer.py says; one process.
//
// The SDK hands sound over as base64 text. Like the Python peers, the program decodes it, which is what whoever plays it has to do.

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { GoogleGenAI } from '@google/genai';

const CHUNK = randomBytes(5760);
const HELLO = { turns: [{ role: 'user', parts: [{ text: 'Hello' }] }] };

const now = () => Number(process.hrtime.bigint()) / 1e9; // the clock of Python's time.monotonic()
const stamp = (sound) => sound.readDoubleLE(0);
const sleep = (seconds) => new Promise((done) => setTimeout(done, Math.max(0, seconds * 1000)));

class Meter {
  constructor() {
    this.wall = now();
    this.usage = process.cpuUsage();
  }
  each(count) {
    const used = process.cpuUsage(this.usage);
    return { cpu: (used.user + used.system) / count, wall: ((now() - this.wall) / count) * 1e6 };
  }
}

function quantiles(seconds) {
  const ordered = [...seconds].sort((a, b) => a - b);
  const last = ordered.length - 1;
  return { p50: ordered[last >> 1] * 1e6, p99: ordered[Math.floor(last * 0.99)] * 1e6, max: ordered[last] * 1e6, count: ordered.length };
}

class Conversation {
  static async open(url, model) {
    const conversation = new Conversation();
    const ai = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: url, apiVersion: 'v1beta' } });
    conversation.session = await ai.live.connect({ model, callbacks: { onmessage: (message) => conversation.take(message), onerror: () => {} } });
    return conversation;
  }
  see = () => {};
  turnOver = () => {};
  take(message) {
    const content = message.serverContent;
    if (!content) return;
    for (const part of content.modelTurn?.parts ?? []) {
      if (part.inlineData) this.see(Buffer.from(part.inlineData.data, 'base64'));
    }
    if (content.turnComplete) this.turnOver();
  }
  say() {
    this.session.sendClientContent(HELLO);
  }
  turn(see) {
    this.see = see;
    return new Promise((done) => (this.turnOver = done));
  }
  speak(chunk) {
    this.session.sendRealtimeInput({ audio: { data: chunk.toString('base64'), mimeType: 'audio/pcm;rate=16000' } });
  }
  close() {
    this.session.close();
  }
}

const model = (kind, job) => `models/${kind}_${job.size ?? 0}_${job.count ?? 0}_${job.microseconds ?? 0}`;

const measures = {
  async receive(job) {
    const session = await Conversation.open(job.url, model('flood', job));
    let result, seen;
    for (let round = 0; round < 2; round++) {
      const meter = new Meter();
      seen = 0;
      const over = session.turn((sound) => (seen += sound.length));
      session.say();
      await over;
      result = meter.each(job.count);
    }
    session.close();
    if (seen !== job.size * job.count) throw new Error(`${seen} bytes came`);
    return result;
  },

  async drip(job) {
    const session = await Conversation.open(job.url, model('drip', job));
    let result;
    for (let round = 0; round < 2; round++) {
      const delays = [];
      const meter = new Meter();
      const over = session.turn((sound) => delays.push(now() - stamp(sound)));
      session.say();
      await over;
      result = { ...meter.each(job.count), ...quantiles(delays) };
    }
    session.close();
    return result;
  },

  async send(job) {
    const session = await Conversation.open(job.url, `models/sink_0_${job.count}_0`);
    const chunk = Buffer.alloc(job.size, CHUNK);
    let result;
    for (let round = 0; round < 2; round++) {
      const meter = new Meter();
      const over = session.turn(() => {});
      for (let index = 0; index < job.count; index++) {
        session.speak(chunk);
        if (index % 8 === 7) await new Promise(setImmediate); // the SDK does not wait for the network: whoever sends must let it run
      }
      await over;
      result = meter.each(job.count);
    }
    session.close();
    return result;
  },

  async round_trip(job) {
    const session = await Conversation.open(job.url, 'models/echo_0_0_0');
    const ask = async (count) => {
      const times = [];
      for (let index = 0; index < count; index++) {
        const began = now();
        const over = session.turn(() => {});
        session.say();
        await over;
        times.push(now() - began);
      }
      return times;
    };
    await ask(Math.floor(job.count / 4));
    const meter = new Meter();
    const times = await ask(job.count);
    const result = { ...meter.each(job.count), ...quantiles(times) };
    session.close();
    return result;
  },

  async converse(job) {
    const arrived = [];
    const sessions = [];
    const chunk = Buffer.alloc(1280);
    for (let index = 0; index < job.sessions; index++) {
      const session = await Conversation.open(job.url, `models/talk_${job.size}_0_40000`);
      session.turn((sound) => arrived.push([now(), now() - stamp(sound)]));
      sessions.push(session);
    }
    const start = now();
    let going = true;
    const speak = async (session, offset) => {
      let due = start + offset;
      while (going) {
        await sleep(due - now());
        session.speak(chunk);
        due += 0.04;
      }
    };
    sessions.forEach((session, index) => void speak(session, (0.04 * index) / job.sessions));
    await sleep(1);
    const began = now();
    const meter = new Meter();
    await sleep(job.seconds);
    const ended = now();
    going = false;
    const delays = arrived.filter(([at]) => at >= began && at <= ended).map(([, delay]) => delay);
    const result = { ...quantiles(delays.length ? delays : [9]), ...meter.each(Math.max(1, 2 * delays.length)), began, ended };
    sessions.forEach((session) => session.close());
    return result;
  },

  async memory(job) {
    await measures.receive({ ...job, count: 250 });
    await measures.send({ ...job, count: 250 });
    const pages = Number(readFileSync('/proc/self/statm', 'ascii').split(' ')[1]);
    return { megabytes: (pages * 4096) / 1e6, threads: 0 };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  let result;
  try {
    result = await measures[job.measure](job);
  } catch (error) {
    result = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(result) + '\n');
}
process.exit(0);
