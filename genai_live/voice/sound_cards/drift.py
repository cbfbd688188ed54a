"""Two sound cards whose clocks run apart: told by the times of their blocks, undone by stretching what was played.

A USB microphone and the loudspeaker of the machine count their samples each by its own quartz, which are 50 in a million apart or
more. The echo then moves by 3 ms in a minute, and whenever 4 ms have come together WebRTC's canceller finds it anew, and lets it
through meanwhile (docs/performance.md). Where a sound server counts for both, as on most of Linux, nothing is done.
"""

from __future__ import annotations

import statistics

_EVERY = 0.2
"""Seconds between two distances that count."""
_LEAST = 10
"""Distances after which they are looked at: two seconds, in which a drift of 200 in a million moves the echo by 0.4 ms."""
_MOST = 900
"""Distances of which the older half is forgotten then: three minutes."""
_MOVED, _CERTAIN = 0.0003, 7
"""Seconds by which the distance must have moved otherwise than known; and how many times as much as its moments differ from a
straight line, for clocks of drivers are rough. One step among them, of sound that was lost, makes six."""
_FASTEST = 0.001
"""Beyond it a drift is none: quartzes are right to 200 in a million."""


class Drift:
    """How fast one clock leaves the other behind. Pure: what they say is handed in."""

    def __init__(self) -> None:
        self.pace = 0.0
        """Seconds in each second."""
        self._moments: list[float] = []
        self._distances: list[float] = []

    def note(self, at: float, distance: float) -> None:
        """Takes how far the clocks are apart at a monotonic time, in seconds."""
        moments, distances = self._moments, self._distances
        if moments and at < moments[-1] + _EVERY:
            return
        moments.append(at)
        distances.append(distance)
        if len(moments) % _LEAST:
            return
        slope, start = statistics.linear_regression(moments, distances)
        rough = statistics.pstdev(there - start - slope * then for then, there in zip(moments, distances, strict=True))
        if abs(slope - self.pace) * (moments[-1] - moments[0]) > max(_MOVED, _CERTAIN * rough):
            self.pace = slope if abs(slope) < _FASTEST else 0.0
        if len(moments) >= _MOST:
            del moments[: _MOST // 2], distances[: _MOST // 2]
