"""Microphones and loudspeakers: blocks of sound with their times, and the echo taken out of them.

A map, from the bottom up:

=================  ==========================================================================================
forms              which sound cards there are, in which form one is opened, and what to do when there is none
rhythm             when a microphone's next blocks come
card_clock         when a sound is heard, by the card's clock
streams            a microphone and a loudspeaker as streams of PortAudio: callbacks and deques
playback_position  how much of what was given to a loudspeaker is heard
watch              when a stream counts as lost
timeline           where in time blocks belong: what was lost between two
drift              how fast the clocks of two cards run apart
conversion         what was played, as the microphone would count it
pairing            which sound that was played belongs to which that was heard
echo               the loudspeaker's sound taken out of the microphone's
leaving            how a process ends although a sound card hangs
=================  ==========================================================================================

The microphone's way: ``streams`` -> ``pairing`` (gaps filled by ``timeline``) -> ``echo`` -> the end, which is ``Devices``.
What was played goes beside it, through ``conversion``, by as much as ``drift`` says.
"""
