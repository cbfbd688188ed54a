// What a test asks of a page: violations of its policy, the element's events, and every sample that goes to the loudspeaker.

window.violations = [];
addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));

window.told = [];
for (const type of ["statechange", "words", "interrupted", "turnended", "problem", "serverevent"]) {
  addEventListener(type, ({ detail }) => window.told.push([type, detail]));
}

if (["#unprocessed", "#refusing"].includes(location.hash)) {
  // Levels can be compared only where the browser changes none.
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = () => ask({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
}

if (location.hash === "#silent") AudioContext.prototype.resume = () => new Promise(() => {});

window.tracks = [];
const Source = window.MediaStreamAudioSourceNode;
window.MediaStreamAudioSourceNode = class extends Source {
  constructor(context, options) {
    if (location.hash === "#refusing" && context.sampleRate === 16000) throw new DOMException("another rate", "NotSupportedError");
    super(context, options);
    window.tracks.push(...options.mediaStream.getAudioTracks());
  }
};

window.heard = []; // Int16 samples
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (!(target instanceof AudioDestinationNode) || this.context.sampleRate !== 24000) return connect.call(this, target, ...rest);
  tap(this).then(() => connect.call(this, target, ...rest)); // nothing is played before it is recorded
  return target;
};

async function tap(node) {
  try {
    await node.context.audioWorklet.addModule("/tap-worklet.js");
  } catch (error) {
    if (node.context.state === "closed") return; // the element was faster, and nothing is left to hear
    throw error;
  }
  const recorder = new AudioWorkletNode(node.context, "tap");
  recorder.port.onmessage = ({ data }) => window.heard.push(...data);
  connect.call(node, recorder);
  connect.call(recorder, node.context.destination);
}
