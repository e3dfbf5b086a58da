#include "tests/simulation/peers.h"

#include "engine/base/text.h"

namespace kiln::simulation {

namespace {

std::string acknowledgement(const std::string& code, const std::string& control) {
  return framed("MSH|^~\\&|SINK|S|KILN|T|20260101||ACK^A01^ACK|A" + control + "|P|2.5.1\rMSA|" + code + "|" +
                control + "\r");
}

}  // namespace

bool Frames::next(std::string& frame) {
  const std::size_t end = buffer_.find("\x1c\r");
  if (end == std::string::npos) return false;
  const std::size_t begin = buffer_.rfind('\x0b', end);
  frame = begin == std::string::npos ? std::string() : buffer_.substr(begin + 1, end - begin - 1);
  buffer_.erase(0, end + 2);
  return true;
}

std::string framed(std::string_view message) {
  return "\x0b" + std::string(message) + "\x1c\r";
}

std::string field_of(std::string_view message, std::string_view segment, std::size_t number) {
  while (!message.empty()) {
    std::string_view one = message.substr(0, message.find('\r'));
    message.remove_prefix(std::min(message.size(), one.size() + 1));
    if (!one.starts_with(segment)) continue;
    for (; number > 0 && !one.empty(); --number) {
      const std::size_t bar = one.find('|');
      one = bar == std::string_view::npos ? std::string_view() : one.substr(bar + 1);
    }
    return std::string(one.substr(0, one.find('|')));
  }
  return {};
}

std::string Sender::control(int number) const {
  return "S" + std::to_string(plan_.number) + "M" + std::to_string(number);
}

/// The same bytes each time.
std::string Sender::message(int number) const {
  std::string out = "MSH|^~\\&|SIM|W" + std::to_string(plan_.number) + "|KILN|T|20260101||ADT^A01^ADT_A01|" +
                    control(number) + "|P|2.5.1\rEVN||20260101\rPID|1||" +
                    std::to_string(plan_.number * 100 + number % 3) + "^^^SIM^MR||T^N\rPV1|1|I\r";
  if (number % 4 == 0)
    out += "NTE|1||" + std::string(static_cast<std::size_t>(number * 371 % 2900), 'x') + "\r";
  return out;
}

std::string Sender::first_acknowledgements() const {
  std::string out;
  for (const auto& [number, answer] : answers_)
    out += control(number) + "\t" + base::sha256_hex(message(number)) + "\tAA\n";
  return out;
}

void Sender::start() {
  const auto delay = microseconds(around_.chance().below(200'000));
  around_.scheduler().at(delay, [this] { connect(); });
}

void Sender::connect() {
  if (is_done() || link_) return;
  frames_ = {};
  sent_ = 0;
  link_ = around_.dial(this, "10.0.0." + std::to_string(plan_.number) + ":4000");
  if (!link_) return reconnect();
  go_on();
}

void Sender::reconnect() {
  link_ = nullptr;
  around_.scheduler().at(milliseconds(20 + around_.chance().below(300)), [this] { connect(); });
}

void Sender::go_on() {
  if (!link_ || paused_) return;
  while (waiting_.size() < plan_.at_once && next_ <= plan_.messages) waiting_.push_back(next_++);
  for (; sent_ < waiting_.size(); ++sent_) {
    std::string out;
    if (around_.chance().below(100) < plan_.noise_percent) out = "\r\nnoise|";
    out += framed(message(waiting_[sent_]));
    around_.trace(control(waiting_[sent_]) + " leaves its sender");
    link_->send(out);
  }
  if (waiting_.empty()) return;
  around_.scheduler().at(plan_.patience, [this, turn = ++turn_] { give_up_waiting(turn); });
}

void Sender::give_up_waiting(std::uint64_t turn) {
  if (turn != turn_ || !link_ || waiting_.empty()) return;
  link_->hang_up();
  reconnect();
}

void Sender::closed(Link& link) {
  if (link_.get() == &link) reconnect();
}

void Sender::bytes(Link& link, std::string_view data) {
  if (link_.get() != &link) return;  // of a connection that it has given up
  frames_.push(data);
  std::string ack;
  while (link_.get() == &link && frames_.next(ack)) take(ack);
}

void Sender::take(const std::string& ack) {
  const std::string about = field_of(ack, "MSA", 2), code = field_of(ack, "MSA", 1);
  if (waiting_.empty() || about != control(waiting_.front())) {
    around_.finding("sender " + std::to_string(plan_.number) + " got the acknowledgement of " + about +
                    " instead of " + (waiting_.empty() ? "none" : control(waiting_.front())));
    link_->hang_up();
    return reconnect();
  }
  const int number = waiting_.front();
  around_.trace(about + " was answered " + code);
  log_ += about + "\t" + base::sha256_hex(message(number)) + "\t" + code + "\n";
  ++turn_;
  if (code == "AE") {  // not stored: again, on a new connection when others are out behind it
    link_->hang_up();
    return reconnect();
  }
  if (code != "AA") around_.finding(about + " was answered " + code);
  const auto [first, is_first] = answers_.emplace(number, ack);
  if (!is_first && first->second != ack) around_.finding(about + " was answered otherwise the second time");
  const bool again = is_first && plan_.at_once == 1 && around_.chance().below(100) < plan_.repeats_percent;
  waiting_.pop_front();
  --sent_;
  if (again) waiting_.push_front(number);
  if (plan_.pause_max.count() > 0 && waiting_.empty()) {
    paused_ = true;
    const auto pause = nanoseconds(static_cast<std::int64_t>(
        around_.chance().below(static_cast<std::uint64_t>(plan_.pause_max.count()))));
    around_.scheduler().at(pause, [this] {
      paused_ = false;
      go_on();
    });
    return;
  }
  go_on();
}

void Receiver::bytes(Link& link, std::string_view data) {
  frames_[&link].push(data);
  std::string frame;
  while (frames_[&link].next(frame)) take(link, frame);
}

void Receiver::take(Link& link, const std::string& frame) {
  const std::string control = field_of(frame, "MSH", 9);
  ++arrivals_;
  seen_.insert(control);
  std::string answer = "AA", sent;
  Chance& chance = around_.chance();
  if (base::crc32c(control) % 29 == 0)
    answer = "AR";  // for ever: it is set aside
  else if (chance.below(100) < plan_.refuses_percent && refused_.insert(control).second)
    answer = "AE";
  const std::uint64_t fate = chance.below(100);
  bool is_sent = true;
  if (fate < plan_.lost_percent)
    is_sent = false;
  else if (fate < plan_.lost_percent + plan_.odd_percent && answer == "AA")
    sent = odd_answer(link, control);
  else
    sent = acknowledgement(answer, control);
  around_.trace(control + " at " + std::to_string(plan_.port) + ", answered " +
                (is_sent ? field_of(sent, "MSA", 1) : "nothing"));
  log_ += control + "\t" + base::sha256_hex(frame) + "\t" + answer;
  if (plan_.keyed) log_ += "\t" + field_of(frame, "PID", 3);
  log_ += "\n";
  if (is_sent && !sent.empty()) link.send(sent);
}

/// What no receiver should do. Empty: nothing leaves now.
std::string Receiver::odd_answer(Link& link, const std::string& control) {
  const std::string good = acknowledgement("AA", control);
  switch (around_.chance().below(9)) {
    case 0: {  // late: the engine may have given up
      const auto late = milliseconds(500 + around_.chance().below(4'000));
      around_.scheduler().at(late, [self = link.shared_from_this(), good] { self->send(good); });
      return {};
    }
    case 1:
      return good + good;
    case 2:
      return "no acknowledgement at all\x1c\r";
    case 3:
      return acknowledgement("AA", "X" + control);
    case 4:
      link.hang_up();
      return {};
    case 5:
      link.send(good.substr(0, around_.chance().below(good.size())));
      link.hang_up();
      return {};
    case 6:
      return framed("MSH|^~\\&|SINK");
    case 7:
      return acknowledgement("AA", "X" + control) + good;
    default:
      return good + framed("MSH|^~\\&|SINK|S|KILN|T|20260101||ACK|Z|P|2.5.1\rMSA|AE|X" + control + "\r");
  }
}

}  // namespace kiln::simulation
