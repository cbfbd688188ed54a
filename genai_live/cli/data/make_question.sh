#!/usr/bin/env bash
# Makes question.wav, the question that "genai-live demo" asks: synthesized speech, 16 kHz mono, 16 bits, normalised to -3 dB,
# with 200 ms of silence around it. Needs espeak-ng and sox (Debian packages of these names); run it in this directory.
set -euo pipefail
text="Hello, can you hear me, and how long have I been speaking?"
speech=$(mktemp --suffix .wav)
trap 'rm -f "$speech"' EXIT
espeak-ng -v en-us+f3 -s 150 -w "$speech" "$text"
sox -R "$speech" -r 16000 -c 1 -b 16 question.wav gain -n -3 pad 0.2 0.2
