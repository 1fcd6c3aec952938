"""The clock of one stream: when a comment, a heartbeat or an end is due, and what it does then.

Source: Server-sent Events Relay, the times of the command. ``relay/sse_schedule.py`` decides; the
node's timers hold one entry for each stream, whatever it has to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenrelay.relay.sse import HEARTBEAT, PING
from greenrelay.relay.sse_schedule import Schedule
from greenrelay.runtime.timers import Alarm
from greenrelay.transport.target import tell_beat

if TYPE_CHECKING:
    from greenrelay.transport.stream import Stream


class StreamClock:
    """The timers of one stream, from the first time that is set to ``stop``."""

    __slots__ = ("_schedule", "_stream", "alarm", "deadline")

    def __init__(self, stream: Stream) -> None:
        self._stream: Stream | None = stream
        self._schedule = Schedule(stream.opened_at, stream.limits.ping_interval)
        self.deadline: float | None = None
        self.alarm: Alarm | None = None

    def set_heartbeat(self, interval: float | None) -> None:
        """Beat each ``interval`` seconds from now on, or no more."""
        self._schedule.set_heartbeat(interval, self._now())
        self.start()

    def set_idle_timeout(self, timeout: float | None) -> None:
        """End after ``timeout`` seconds without an event, or never."""
        self._schedule.set_idle(timeout, self._now())
        self.start()

    def set_hard_timeout(self, timeout: float | None) -> None:
        """End ``timeout`` seconds after the opening, or never."""
        stream = self._stream
        if stream is not None:
            self._schedule.hard = stream.opened_at + timeout if timeout else None
            self.start()

    def start(self) -> None:
        """Wake up when something is due next, if there is anything."""
        stream, due_at = self._stream, self._schedule.due_at
        if stream is None:
            return
        if due_at is None:
            self.deadline = None
        else:
            stream.node.timers.wake_at(self, due_at)

    def stop(self) -> None:
        """Do nothing any more and let go of the stream: what is over is freed at once."""
        alarm, self.alarm = self.alarm, None
        self._stream = self.deadline = None
        if alarm is not None:
            alarm.cancel()

    def was_active(self) -> None:
        """An event went out: the idle timeout begins anew."""
        if self._schedule.idle:
            self._schedule.active_at = self._now()

    def deadline_passed(self) -> None:
        """Do what is due."""
        stream = self._stream
        if stream is None:
            return
        now = self._now()
        why = self._schedule.end_due(now)
        if why:
            stream.close(why)
            return
        if self._schedule.beat_due(now):
            stream.comment(HEARTBEAT)
            self._beat(stream, now)
        if self._schedule.ping_due(now):
            stream.comment(PING)
        self.start()

    def _beat(self, stream: Stream, now: float) -> None:
        session = stream.session
        if session.target_pid is None or not stream.is_open:
            return
        payload = {
            "client_pid": stream.pid,
            "uptime": now - stream.opened_at,
            "message_count": stream.messages_out,
            "metadata": session.metadata,
            "rtt": None,
            "queued": stream.depth(),
        }
        tell_beat(stream, session.target_pid, "sse.heartbeat", payload)

    def _now(self) -> float:
        stream = self._stream
        return stream.node.timers.now() if stream is not None else 0.0
