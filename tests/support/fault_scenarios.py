"""Scenarios for the fault proxy: each is a channel whose sender or whose receiver stands behind a proxy with faults. At the end
everything that was acknowledged has arrived once, in order, unaltered, or is marked as in doubt (reliability.md R1 to R5)."""
import faultproxy as f
from kiln_site import *  # noqa: F403

MESSAGES = 12  # of a scenario
FRAME = len(VT + adt("F000M00") + FS)
ACK = 130  # bytes of an acknowledgement, about

CONF = "server {{\n  http {{ listen 127.0.0.1:{http} }}\n}}\n"
CHANNEL = """
channel {name} {{
  source mllp {{ port {port}; frame_timeout 700ms }}
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  to sink: mllp from source {{
    host "127.0.0.1"
    port {sink}
    ack_timeout 400ms
    connect_timeout 1s
    retry forever backoff 10ms..20ms
  }}
}}
"""

# name: (faults towards the server, faults towards the client). Each runs in both places: "in_" between sender and engine, "out_"
# between engine and receiver.
FAULTS = {
    "latency": ([f.Latency(0.02, 0.05)], [f.Latency(0.02, 0.05)]),
    "single_bytes": ([f.Slice(1)], [f.Slice(1)]),
    "slow_pieces": ([f.Slice(40, 0.01)], [f.Slice(20, 0.01)]),
    "slow_line": ([f.Throttle(4000)], [f.Throttle(4000)]),
    "cut_in_the_message": ([f.CutAfter(FRAME // 2, 4)], []),
    "reset_in_the_message": ([f.CutAfter(FRAME // 2, 4, True)], []),
    "cut_anywhere": ([f.CutAfter(1, 8, False, 3 * FRAME)], []),
    "reset_anywhere": ([f.CutAfter(1, 8, True, 3 * FRAME)], []),
    "cut_in_the_acknowledgement": ([], [f.CutAfter(ACK // 2, 4)]),
    "reset_in_the_acknowledgement": ([], [f.CutAfter(ACK // 2, 4, True)]),
    "cut_anywhere_behind": ([], [f.CutAfter(1, 8, False, 3 * ACK)]),
    "cut_at_every_byte": ([f.CutAtEveryByte(FRAME + 1)], []),
    "cut_at_every_byte_of_the_acknowledgement": ([], [f.CutAtEveryByte(ACK + 30)]),
    "refused_at_first": ([f.RefuseFirst(4)], []),
    "reset_at_first": ([f.RefuseFirst(4, True)], []),
    "silent_in_the_message": ([f.Silence(FRAME // 2)], []),
    "silent_before_the_acknowledgement": ([], [f.Silence(0)]),
    "silent_in_the_acknowledgement": ([], [f.Silence(ACK // 2)]),
    "a_hundredth_of_acks_lost": ([], [f.Lose(0.01)]),
    "a_tenth_of_acks_lost": ([], [f.Lose(0.1)]),
    "half_of_acks_lost": ([], [f.Lose(0.5, 10)]),
    "acks_late": ([], [f.Delay(0.6, 0.3, 6)]),
    "acks_into_the_next_answer": ([], [f.Late(0.3, 6)]),
    "acks_twice": ([], [f.Repeat(0.3)]),
    "acks_glued": ([], [f.Glue(0.3)]),
    "acks_garbled": ([], [f.Garble(0.3, 8)]),
    "acks_of_others": ([], [f.Foreign(0.3, 8)]),
    "acks_replaced_by_text": ([], [f.Replace(VT + b"this is no acknowledgement" + FS, 0.3, 8)]),
    "acks_replaced_by_an_empty_frame": ([], [f.Replace(VT + FS, 0.3, 8)]),
    "acks_without_end": ([], [f.NoEnd(0.3, 4)]),
    "acks_without_trailer": ([], [f.NoTrailer(0.3)]),
    "noise_before_acks": ([], [f.Noise(0.3, 8)]),
    "cut_before_acks": ([], [f.CutBefore(0.3, 8)]),
    "reset_before_acks": ([], [f.ResetBefore(0.3, 8)]),
    "cut_behind_acks": ([], [f.CutBehind(0.3)]),
    "everything_a_little": ([f.Slice(7), f.CutAfter(20, 6, True, 4 * FRAME)], [f.Lose(0.1, 5), f.Garble(0.1, 5), f.Slice(3)]),
}
# A sender that is told nonsense does what its maker thought of: what reaches it is altered in the place "out" only.
OUT_ONLY = {"acks_garbled", "acks_of_others", "acks_replaced_by_text", "acks_replaced_by_an_empty_frame", "acks_into_the_next_answer",
            "noise_before_acks", "everything_a_little"}
SCENARIOS = [f"{place}_{name}" for name in FAULTS for place in ("in", "out") if place == "out" or name not in OUT_ONLY]
CI = ["in_cut_anywhere", "in_single_bytes", "in_half_of_acks_lost", "out_cut_at_every_byte", "out_cut_at_every_byte_of_the_acknowledgement",
      "out_a_tenth_of_acks_lost", "out_acks_garbled", "out_acks_of_others", "out_acks_into_the_next_answer", "out_silent_before_the_acknowledgement",
      "out_everything_a_little"]


class Sender(threading.Thread):
    """Sends one message after the other; one without a valid answer is sent again, the same bytes, over a new connection."""

    def __init__(self, number, port, log, lock):
        super().__init__(daemon=True)
        self.number, self.port, self.log, self.lock = number, port, log, lock
        self.left = [f"F{number:03}M{i:02}" for i in range(MESSAGES)]
        self.attempts = 0
        self.start()

    def run(self):
        while self.left:
            try:
                with Mllp(self.port, timeout=5) as connection:
                    while self.left and self.exchange(connection):
                        pass
            except OSError:
                pass
            time.sleep(0.01)

    def exchange(self, connection):
        control = self.left[0]
        body = adt(control)
        self.attempts += 1
        answer = connection.send(body, 0.8)
        if answer is None or ack_control(answer) != control:
            return False
        with self.lock:
            self.log.write(f"{control}\t{hashlib.sha256(body).hexdigest()}\t{ack_code(answer)}\n")
            self.log.flush()
        if ack_code(answer) == "AA":
            self.left.pop(0)
        return True


def run(source, kiln, names, seed):
    """Runs the scenarios side by side on one engine; the findings."""
    folder = temp_folder()
    text, parts, findings = "", {}, []
    for number, name in enumerate(names):
        place, fault = name.split("_", 1)
        to_server, to_client = FAULTS[fault]
        sink = Receiver(log=folder / f"{name}.sink")
        proxy = f.FaultProxy(sink.port, to_server, to_client, seed + number)
        text += CHANNEL.format(name=name, port=0, sink=sink.port if place == "in" else proxy.port)
        parts[name] = (place, sink, proxy)
    site = write_site(folder / "site", {"kiln.conf": CONF.format(http=free_port()), "channels/faults.channel": text})
    engine = Engine(kiln, site).start()
    ports = {}
    for name, (place, sink, proxy) in parts.items():
        ports[name] = engine.port(name)
        if place == "in":
            proxy.target, ports[name] = ports[name], proxy.port
    lock = threading.Lock()
    with open(folder / "sent.log", "w", encoding="utf-8") as log:
        senders = {name: Sender(number, ports[name], log, lock) for number, name in enumerate(names)}
        deadline = time.monotonic() + 120
        for name, sender in senders.items():
            sender.join(max(0.1, deadline - time.monotonic()))
            if sender.is_alive():
                findings.append(f"{name}: the sender still waits for {sender.left[0]} after 120 s")
        engine.wait_drained(120)
    for name in names:
        sink = parts[name][1]
        first = list(dict.fromkeys(sink.controls()))
        if first != [f"F{names.index(name):03}M{i:02}" for i in range(MESSAGES)]:
            findings.append(f"{name}: arrived {first}")
        print(f"  {name}: {senders[name].attempts} attempts in, {len(sink.controls())} arrivals, {parts[name][2].connections} connections", flush=True)
    if engine.stop() != 0:
        findings.append("the engine ended with an error")
    if not run_checker(source, site, folder / "sent.log", {f"{name}/sink": folder / f"{name}.sink" for name in names}):
        findings.append("the checker has findings")
    return findings


ENGINE_TO_ENGINE = """
channel {name} {{
  source mllp {{ port {port} }}
  accept hl7 ADT_A01 2.5.1
  ack original on stored
  to sink: {to}
}}
"""


def lost_between_engines(source, kiln, share, seed, count=200):
    """Engine to engine through a proxy that loses that share of acknowledgements. Everything is in the second one once."""
    folder = temp_folder()
    second = Engine(kiln, write_site(folder / "second", {
        "kiln.conf": CONF.format(http=free_port()),
        "channels/c.channel": ENGINE_TO_ENGINE.format(name="second", port=0, to="drop from source { }")})).start()
    proxy = f.FaultProxy(second.port("second"), (), [f.Lose(share)], seed)
    to = f'mllp from source {{ host "127.0.0.1"; port {proxy.port}; ack_timeout 150ms; retry forever backoff 10ms..20ms }}'
    first = Engine(kiln, write_site(folder / "first", {
        "kiln.conf": CONF.format(http=free_port()),
        "channels/c.channel": ENGINE_TO_ENGINE.format(name="first", port=0, to=to)})).start()
    controls = [f"E{i:04}" for i in range(count)]
    with Mllp(first.port("first")) as client:
        for control in controls:
            assert ack_code(client.send(adt(control))) == "AA"
    if share >= 1:
        wait_for("tried again and again", lambda: proxy.happened.get("Lose", 0) >= 5)
        wait_for("all of them wait", lambda: first.queue("first", "sink")["pending"] == count)
        early = [m["control_id"] for m in second.search()]
        assert early == controls[:1], f"{len(early)} messages have gone on without an acknowledgement"
        proxy.heal()
    first.wait_drained(120)
    second.wait_drained()
    found = [m["control_id"] for m in reversed(second.search("") if count <= 1000 else [])]
    assert sorted(found) == controls, f"{len(found)} messages instead of {count}"
    assert found == controls or found[::-1] == controls, "the order is another"
    lost = proxy.happened.get("Lose", 0)
    print(f"  {share:.0%} lost: {lost} acknowledgements of {count} messages", flush=True)
    assert lost > 0 or share < 0.05, "nothing was lost: the proxy did not do its work"
    for engine in (first, second):
        code = engine.stop()
        assert code == 0, f"the engine ended with {code}"
