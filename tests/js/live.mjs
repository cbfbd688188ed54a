// Google's JavaScript client against the emulator: one case for each thing it can do. Prints one JSON object with what it saw.
// Arguments: the emulator's base URL, then the names of the cases to run.

import {FunctionResponseScheduling, GoogleGenAI, Modality} from '@google/genai';

const [baseUrl, ...wanted] = process.argv.slice(2);
const PATIENCE = 20_000; // Milliseconds for one case; a hanging client is a failure, not a hanging test.

/** A list of messages that can be waited for. */
class Inbox {
  constructor() {
    this.messages = [];
    this.waiting = [];
    this.closed = null;
  }

  put(message) {
    this.messages.push(message);
    this.waiting.splice(0).forEach((wake) => wake());
  }

  /** Messages from number `from` to the first that `last` accepts. */
  async until(last, from = 0) {
    for (;;) {
      const index = this.messages.findIndex((message, number) => number >= from && last(message));
      if (index >= 0) return this.messages.slice(from, index + 1);
      if (this.closed) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await new Promise((wake) => this.waiting.push(wake));
    }
  }

  turn(from = 0) {
    return this.until((message) => message.serverContent?.turnComplete, from);
  }
}

function client(backend, options = {}) {
  const httpOptions = {baseUrl, ...options.httpOptions};
  if (backend === 'vertex') {
    // An express key: OAuth would ask Google for a token.
    return new GoogleGenAI({vertexai: true, apiKey: 'express', httpOptions});
  }
  // The client's own default, v1, does not serve Live.
  return new GoogleGenAI({apiKey: options.apiKey ?? 'key', httpOptions: {apiVersion: 'v1beta', ...httpOptions}});
}

async function connect(backend, config, options = {}) {
  const inbox = new Inbox();
  const session = await client(backend, options).live.connect({
    model: options.model ?? (backend === 'vertex' ? 'publishers/google/models/emulator' : 'emulator'),
    config,
    callbacks: {
      onmessage: (message) => inbox.put(message),
      onclose: (event) => {
        inbox.closed = {code: event.code, reason: String(event.reason)};
        inbox.put({});
      },
    },
  });
  return {session, inbox};
}

const TEXT = {responseModalities: [Modality.TEXT]};
const AUDIO = {responseModalities: [Modality.AUDIO], inputAudioTranscription: {}, outputAudioTranscription: {}};
const text = (messages) => messages.map((message) => message.text ?? '').join('');
const transcript = (messages, which) => messages.map((message) => message.serverContent?.[which]?.text ?? '').join('');
const seconds = (messages) => messages.reduce((sum, message) => sum + Buffer.from(message.data ?? '', 'base64').length, 0) / 48_000;

/** A square wave of 250 Hz at 16 kHz, or silence. */
function pcm(length, amplitude) {
  const data = Buffer.alloc(Math.round(length * 16_000) * 2);
  for (let n = 0; n < data.length / 2; n++) data.writeInt16LE(n % 64 < 32 ? amplitude : -amplitude, n * 2);
  return data;
}

function stream(session, ...pieces) {
  const data = Buffer.concat(pieces);
  for (let at = 0; at < data.length; at += 1280) {
    session.sendRealtimeInput({audio: {data: data.subarray(at, at + 1280).toString('base64'), mimeType: 'audio/pcm;rate=16000'}});
  }
}

const cases = {
  async text(backend) {
    const {session, inbox} = await connect(backend, backend === 'vertex' ? AUDIO : TEXT);
    session.sendClientContent({turns: 'Hello'});
    const first = await inbox.turn();
    session.sendRealtimeInput({text: 'Again'});
    const second = await inbox.turn(inbox.messages.length);
    session.close();
    const said = (turn) => text(turn) || transcript(turn, 'outputTranscription');
    return {said: [said(first), said(second)], usage: first.at(-1).usageMetadata?.totalTokenCount > 0};
  },

  async audio(backend) {
    const {session, inbox} = await connect(backend, AUDIO);
    stream(session, pcm(1, 8000), pcm(1.2, 0));
    const turn = await inbox.turn();
    session.close();
    return {
      seconds: seconds(turn),
      input: transcript(turn, 'inputTranscription'),
      output: transcript(turn, 'outputTranscription'),
    };
  },

  async tools(backend) {
    const declaration = {
      name: 'get_weather',
      parametersJsonSchema: {type: 'object', properties: {city: {type: 'string'}}, required: ['city']},
    };
    const {session, inbox} = await connect(backend, {...AUDIO, tools: [{functionDeclarations: [declaration]}]});
    session.sendClientContent({turns: 'What is the weather in Rome?'});
    const [call] = (await inbox.until((message) => message.toolCall)).at(-1).toolCall.functionCalls;
    const from = inbox.messages.length;
    session.sendToolResponse({
      functionResponses: [{id: call.id, name: call.name, response: {sky: 'blue'}, scheduling: FunctionResponseScheduling.WHEN_IDLE}],
    });
    const turn = await inbox.turn(from);
    session.close();
    return {call: {name: call.name, args: call.args}, output: transcript(turn, 'outputTranscription')};
  },

  async interruption(backend) {
    const {session, inbox} = await connect(backend, AUDIO);
    session.sendClientContent({turns: 'Tell me something that takes a long time to say'});
    await inbox.until((message) => message.data);
    stream(session, pcm(0.5, 8000));
    const turn = await inbox.turn();
    session.close();
    return {interrupted: turn.some((message) => message.serverContent?.interrupted)};
  },

  async activity(backend) {
    const realtimeInputConfig = {automaticActivityDetection: {disabled: true}};
    const {session, inbox} = await connect(backend, {...AUDIO, realtimeInputConfig});
    session.sendRealtimeInput({activityStart: {}});
    stream(session, pcm(0.4, 8000));
    session.sendRealtimeInput({activityEnd: {}});
    const turn = await inbox.turn();
    session.close();
    return {input: transcript(turn, 'inputTranscription')};
  },

  async resumption(backend) {
    const handles = [];
    for (let round = 0; round < 2; round++) {
      const {session, inbox} = await connect(backend, {...AUDIO, sessionResumption: {handle: handles[0]}});
      const update = (await inbox.until((message) => message.sessionResumptionUpdate)).at(-1);
      handles.push(update.sessionResumptionUpdate.newHandle);
      session.close();
      await new Promise((wake) => {
        const poll = () => (inbox.closed ? wake() : inbox.waiting.push(poll));
        poll();
      });
    }
    return {resumed: handles[0] !== handles[1]};
  },

  async token() {
    const maker = client('mldev', {httpOptions: {apiVersion: 'v1alpha'}});
    const token = await maker.authTokens.create({
      config: {uses: 1, liveConnectConstraints: {model: 'emulator', config: TEXT}},
    });
    const options = {apiKey: token.name, httpOptions: {apiVersion: 'v1alpha'}};
    const {session, inbox} = await connect('mldev', AUDIO, options);
    session.sendClientContent({turns: 'Hello'});
    const turn = await inbox.turn();
    session.close();
    return {name: token.name.startsWith('auth_tokens/'), said: text(turn)};
  },

  async music() {
    const inbox = new Inbox();
    const session = await client('mldev', {httpOptions: {apiVersion: 'v1alpha'}}).live.music.connect({
      model: 'models/lyria-realtime-exp',
      callbacks: {onmessage: (message) => inbox.put(message), onclose: () => {}, onerror: () => {}},
    });
    await inbox.until((message) => message.setupComplete);
    await session.setWeightedPrompts({weightedPrompts: [{text: 'Jazz', weight: 1}]});
    await session.setMusicGenerationConfig({musicGenerationConfig: {bpm: 140}});
    session.play();
    const chunk = (await inbox.until((message) => message.audioChunk)).at(-1).audioChunk;
    session.stop();
    session.close();
    return {bytes: Buffer.from(chunk.data, 'base64').length, bpm: chunk.sourceMetadata.musicGenerationConfig.bpm};
  },

  async refusal() {
    try {
      await connect('mldev', TEXT, {apiKey: 'invalid'});
    } catch (error) {
      return {error: String(error)};
    }
    return {error: null};
  },
};

const limit = setTimeout(() => {
  console.error('the client did not finish in time');
  process.exit(3);
}, PATIENCE * Math.max(1, wanted.length));

const seen = {};
for (const name of wanted) {
  const [which, backend] = name.split(':');
  seen[name] = await cases[which](backend ?? 'mldev');
}
clearTimeout(limit);
console.log(JSON.stringify(seen));
process.exit(0);
