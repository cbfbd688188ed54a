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

// The tap is there before the element's own worklet, so that both are connected in one step: an analyser without a listener is
// played too, and nobody would record that.
window.heard = []; // Int16 samples
if (window.isSecureContext) {
  const addModule = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (url, ...rest) {
    await addModule.call(this, "/tap-worklet.js");
    return addModule.call(this, url, ...rest);
  };
}
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this.context.sampleRate === 24000) {
    const recorder = new AudioWorkletNode(this.context, "tap");
    recorder.port.onmessage = ({ data }) => window.heard.push(...data);
    connect.call(connect.call(this, recorder), target);
  }
  return connect.call(this, target, ...rest);
};
