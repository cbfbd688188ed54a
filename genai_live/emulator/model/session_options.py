"""What a setup message asks of a session, read once, with every default filled in. Pure: runs on any thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genai_live.emulator.model.profiles import Profile, profile_for
from genai_live.emulator.model.voice_activity import DetectorSettings
from genai_live.emulator.server.request import Route


@dataclass(frozen=True)
class SessionOptions:
    """The session that a setup message describes."""

    setup: dict[str, Any]
    """The setup object in camelCase."""
    profile: Profile
    activity: DetectorSettings
    version: str
    """API version of the path."""
    declarations: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_setup(cls, setup: dict[str, Any], route: Route, *, strict: bool = True) -> SessionOptions:
        """Reads a setup object that has been checked."""
        realtime = setup.get("realtimeInputConfig") or {}
        return cls(
            setup,
            profile_for(setup.get("model", ""), route.backend, strict=strict),
            DetectorSettings.from_setup(realtime.get("automaticActivityDetection") or {}, route.backend),
            route.version,
            declarations_of(setup.get("tools") or []),
        )

    @property
    def model(self) -> str:
        """The model's name as the client wrote it."""
        return str(self.setup.get("model", ""))

    @property
    def seen_declarations(self) -> list[dict[str, Any]]:
        """The function declarations as the model sees them."""
        if not self.profile.refuses.json_schema_unseen:
            return self.declarations
        return [{key: value for key, value in each.items() if key != "parametersJsonSchema"} for each in self.declarations]

    @property
    def wants_affective_dialog(self) -> bool:
        """generationConfig.enableAffectiveDialog."""
        return bool((self.setup.get("generationConfig") or {}).get("enableAffectiveDialog"))

    @property
    def speaks(self) -> bool:
        """True when answers are audio: the service's default."""
        modalities = (self.setup.get("generationConfig") or {}).get("responseModalities") or ["AUDIO"]
        return "AUDIO" in modalities

    @property
    def language(self) -> str:
        """generationConfig.speechConfig.languageCode in the form of espeak-ng, ``en-us``; English when it does not say."""
        speech = (self.setup.get("generationConfig") or {}).get("speechConfig") or {}
        return str(speech.get("languageCode") or "en-us").lower()

    @property
    def transcribes_input(self) -> bool:
        """True when what the user says comes back as text."""
        return self.setup.get("inputAudioTranscription") is not None

    @property
    def transcribes_output(self) -> bool:
        """True when what the model says comes as text too."""
        return self.setup.get("outputAudioTranscription") is not None

    @property
    def speech_interrupts(self) -> bool:
        """False with activityHandling NO_INTERRUPTION."""
        realtime = self.setup.get("realtimeInputConfig") or {}
        return bool(realtime.get("activityHandling") != "NO_INTERRUPTION")

    @property
    def resumption(self) -> dict[str, Any] | None:
        """setup.sessionResumption, or None when it is not there."""
        found = self.setup.get("sessionResumption")
        return found if isinstance(found, dict) else None

    @property
    def opens_with_history(self) -> bool:
        """historyConfig.initialHistoryInClientContent."""
        return bool((self.setup.get("historyConfig") or {}).get("initialHistoryInClientContent"))

    @property
    def signals_activity(self) -> bool:
        """True when voiceActivity messages were asked for (explicitVadSignal) or the family sends them unasked."""
        return bool(self.setup.get("explicitVadSignal")) or self.profile.voice_activity != "never"


def declarations_of(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every function declaration of a list of tools, in order."""
    return [declaration for tool in tools for declaration in tool.get("functionDeclarations") or []]
