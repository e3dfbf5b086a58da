"""A TCP proxy that does what networks and peers do: delays, slices, cuts, resets, goes silent; and, since it knows MLLP frames,
loses, repeats, garbles and exchanges acknowledgements. Everything that is left to chance comes from one seed.

    proxy = FaultProxy(target_port, to_server=[Slice(1)], to_client=[Lose(0.1)], seed=7)
    …connect to proxy.port…

A fault is a small object; each connection gets copies of its own, and `proxy.healed = True` ends all faults.
"""
import copy
import random
import select
import socket
import struct
import threading
import time

VT, FS = b"\x0b", b"\x1c\r"


class Cut(Exception):
    """Ends the connection; `reset` without good-bye."""

    def __init__(self, reset=False):
        super().__init__()
        self.reset = reset


class Fault:
    """Takes bytes of one direction and says what goes on. `proxy` and `number` (of the connection, from 0) are set."""
    frames = False  # wants whole frames

    def take(self, data):
        return [data]


class Latency(Fault):
    def __init__(self, seconds, jitter=0.0):
        self.seconds, self.jitter = seconds, jitter

    def take(self, data):
        time.sleep(self.seconds + self.proxy.chance.random() * self.jitter)
        return [data]


class Slice(Fault):
    """Pieces of at most `size` bytes, with a pause between them."""

    def __init__(self, size, pause=0.0):
        self.size, self.pause = size, pause

    def take(self, data):
        for at in range(0, len(data), self.size):
            if at and self.pause:
                time.sleep(self.pause)
            yield data[at:at + self.size]


class CutAfter(Fault):
    """The first `times` connections end after `count` bytes of this direction (chance below `spread` more)."""

    def __init__(self, count, times=3, reset=False, spread=0):
        self.count, self.times, self.reset, self.spread = count, times, reset, spread
        self.left = None

    def take(self, data):
        if self.number >= self.times:
            return [data]
        if self.left is None:
            self.left = self.count + (self.proxy.chance.randrange(self.spread) if self.spread else 0)
        return self.cut(data)

    def cut(self, data):
        part = data[:self.left]
        self.left -= len(part)
        yield part
        if self.left <= 0:
            raise Cut(self.reset)


class CutAtEveryByte(CutAfter):
    """Connection n ends after n bytes, until `last` has been reached."""

    def __init__(self, last, reset=False):
        super().__init__(0, last, reset)

    def take(self, data):
        self.count = self.number
        if self.number == 0 and self.left is None:
            raise Cut(self.reset)
        return super().take(data)


class Silence(Fault):
    """The first `times` connections go silent after `count` bytes, open on both sides."""

    def __init__(self, count, times=2):
        self.count, self.times, self.seen = count, times, 0

    def take(self, data):
        self.seen += len(data)
        if self.number >= self.times or self.seen <= self.count:
            return [data]
        return []


class RefuseFirst(Fault):
    """The first `times` connections are closed as soon as they say something."""

    def __init__(self, times, reset=False):
        self.times, self.reset = times, reset

    def take(self, data):
        if self.number < self.times:
            raise Cut(self.reset)
        return [data]


class Throttle(Fault):
    """Bytes a second."""

    def __init__(self, rate):
        self.rate = rate

    def take(self, data):
        for at in range(0, len(data), 64):
            time.sleep(min(64, len(data) - at) / self.rate)
            yield data[at:at + 64]


class FrameFault(Fault):
    """Happens to a frame with `chance`, at most `times` times in all."""
    frames = True

    def __init__(self, chance=0.3, times=10**9):
        self.chance, self.times = chance, times

    def happens(self):
        with self.proxy.lock:
            count = self.proxy.happened.get(type(self).__name__, 0)
            if count >= self.times or self.proxy.chance.random() >= self.chance:
                return False
            self.proxy.happened[type(self).__name__] = count + 1
            return True

    def take(self, data):
        return self.alter(data) if self.happens() else [data]


class Lose(FrameFault):
    def alter(self, frame):
        return []


class Delay(FrameFault):
    def __init__(self, seconds, chance=0.3, times=10**9):
        super().__init__(chance, times)
        self.seconds = seconds

    def alter(self, frame):
        time.sleep(self.seconds)
        return [frame]


class Repeat(FrameFault):
    def alter(self, frame):
        return [frame, frame]


class Glue(FrameFault):
    """Two of them in one segment."""

    def alter(self, frame):
        return [frame + frame]


class Garble(FrameFault):
    """A byte in the middle becomes another."""

    def alter(self, frame):
        at = self.proxy.chance.randrange(1, len(frame) - 2)
        return [frame[:at] + bytes([frame[at] ^ 0x15]) + frame[at + 1:]]


class Noise(FrameFault):
    """Bytes that are no frame before it."""

    def alter(self, frame):
        return [b"\x00\xffnoise\n" + frame]


class Replace(FrameFault):
    """Something else in its place."""

    def __init__(self, by, chance=0.3, times=10**9):
        super().__init__(chance, times)
        self.by = by

    def alter(self, frame):
        return [self.by]


class Foreign(FrameFault):
    """The acknowledgement is for another message."""

    def alter(self, frame):
        head, mark, rest = frame.partition(b"\rMSA|")
        if not mark:
            return [frame]
        parts = rest.split(b"|", 1)
        control = parts[1].split(b"\r")[0].split(b"|")[0]
        return [head + mark + parts[0] + b"|" + parts[1].replace(control, b"OTHER" + control, 1)]


class NoTrailer(FrameFault):
    """Without the byte behind the frame end."""

    def alter(self, frame):
        return [frame[:-1]]


class NoEnd(FrameFault):
    """The end of the frame never comes."""

    def alter(self, frame):
        return [frame[:-2]]


class Hold(FrameFault):
    """Comes late, behind a cut of the connection: then never, or into the next question."""

    def alter(self, frame):
        self.proxy.held.append(frame)
        return []


class Late(FrameFault):
    """What Hold held comes before the answer to the next question."""

    def take(self, data):
        held, self.proxy.held[:] = list(self.proxy.held), []
        return held + ([] if not held and self.happens() and not self.proxy.held.append(data) else [data])


class CutBefore(FrameFault):
    """The connection ends in the place of the frame."""

    def alter(self, frame):
        raise Cut(False)


class ResetBefore(FrameFault):
    def alter(self, frame):
        raise Cut(True)


class CutBehind(FrameFault):
    """The frame goes through, then the connection ends."""

    def alter(self, frame):
        yield frame
        raise Cut(False)


class FaultProxy:
    def __init__(self, target, to_server=(), to_client=(), seed=0, port=0):
        self.target = target
        self.faults = {"to_server": list(to_server), "to_client": list(to_client)}
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.happened, self.held = {}, []
        self.healed = False
        self.connections = 0
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            number = self.connections
            self.connections += 1
            pair = Pair(self, client, server, number)
            self.pairs.add(pair)
            pair.start()

    def heal(self):
        """No faults from now on; connections with faults in them end."""
        self.healed = True
        for pair in list(self.pairs):
            pair.end()

    def close(self):
        self.listener.close()
        for pair in list(self.pairs):
            pair.end()


class Pair:
    def __init__(self, proxy, client, server, number):
        self.proxy, self.client, self.server, self.number = proxy, client, server, number
        for one in (client, server):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.done = threading.Event()

    def start(self):
        threading.Thread(target=self.pump, args=(self.client, self.server, "to_server"), daemon=True).start()
        threading.Thread(target=self.pump, args=(self.server, self.client, "to_client"), daemon=True).start()

    def end(self, reset=False):
        self.proxy.pairs.discard(self)
        self.done.set()
        for one in (self.client, self.server):
            try:
                if reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            except OSError:
                pass

    def pump(self, source, sink, direction):
        faults = []
        for fault in self.proxy.faults[direction]:
            fault = copy.copy(fault)
            fault.proxy, fault.number = self.proxy, self.number
            faults.append(fault)
        buffer = b""
        try:
            while not self.done.is_set():
                ready, _, _ = select.select([source], [], [], 0.5)
                if not ready:
                    continue
                data = source.recv(65536)
                if not data:
                    break
                if self.proxy.healed:
                    sink.sendall(data)
                    continue
                if any(fault.frames for fault in faults):
                    buffer += data
                    *whole, buffer = buffer.split(FS)
                    pieces = [frame + FS for frame in whole]
                else:
                    pieces = [data]
                for piece in pieces:
                    self.pass_on(faults, piece, sink)
        except Cut as cut:
            self.end(cut.reset)
        except (OSError, ValueError):
            pass
        self.end()

    def pass_on(self, faults, data, sink):
        if not faults:
            sink.sendall(data)
            return
        for part in faults[0].take(data):
            self.pass_on(faults[1:], part, sink)
