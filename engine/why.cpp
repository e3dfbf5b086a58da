#include "engine/why.h"

#include <algorithm>
#include <map>

#include "engine/admin/message_json.h"
#include "engine/admin/verdict.h"
#include "engine/base/json.h"

namespace kiln::engine {
namespace {

struct Cause {
  const char* code;
  const char* text;  ///< why it was set aside
  const char* can;   ///< what a human does
};

/// The closed list of causes (operations.md §6) and the codes that stand for them.
constexpr Cause kCauses[] = {
    {"poison-crash", "processing it ended the engine several times, so it was set aside",
     "keep the message for the makers of Kiln; do not send it again as it is"},
    {"poison-timeout", "it took too long, several times, so it was set aside",
     "look at its size and at the map"},
    {"limit-exceeded", "it is larger, or its map costs more, than the limits allow",
     "raise the limit, or mend the sender"},
    {"no-header", "it is no HL7 message: there is no header", "ask the sender what it sends"},
    {"bad-charset-bytes", "it holds bytes that are no characters of its character set",
     "correct MSH-18 or the `charset` of the channel"},
    {"unknown-charset", "MSH-18 names a character set that is not known",
     "set `charset default` in the channel"},
    {"mapping-require", "the map demands a value that the message does not have",
     "mend the sender, or make the rule optional"},
    {"cannot-deliver", "it can never be delivered as it is", "correct it and send it again"},
    {"corrupt-record", "its record on disk does not match its checksum",
     "run `kiln verify`; ask the sender for it again"},
    {"sequence", "its number was not the next of the link", "find the missing messages, then let the link go on"},
    {"fragments-missing", "the other parts of the message did not come",
     "ask the sender for the whole message again"},
    {"AE", "the receiver answered that it could not process it (AE)",
     "ask the receiver what was wrong; then replay or correct it"},
    {"AR", "the receiver refused it (AR)", "ask the receiver what was wrong; then replay or correct it"},
    {"CE", "the receiver answered that it could not take it (CE)", "ask the receiver what was wrong"},
    {"CR", "the receiver refused to take it (CR)", "ask the receiver what was wrong"},
    {"accept", "the channel does not take messages of this type",
     "add the type to `accept`, or tell the sender"},
    {"E0914", "no map of the package takes this message", "add a map for its type"},
};

const Cause* find_cause(const std::string& code) {
  const auto* found = std::ranges::find_if(kCauses, [&code](const Cause& one) { return code == one.code; });
  return found == std::end(kCauses) ? nullptr : found;
}

std::string plural(std::uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string short_hash(const std::string& hash) {
  return hash.substr(0, 12);
}

class Teller {
 public:
  explicit Teller(const WhyFacts& facts) : facts_(facts), summary_(facts.summary) {}

  Why tell() {
    out_.state = state();
    out_.since = summary_.received;
    arrival();
    if (summary_.unprocessed) unprocessed();
    for (const DestinationState& one : summary_.destinations) destination(one);
    if (summary_.destinations.empty() && !summary_.unprocessed) {
      sentence("It went nowhere: no destination of the channel was to get it.");
      step("end", "no destination was to get it");
    }
    related();
    return std::move(out_);
  }

 private:
  void sentence(std::string text) { out_.text.push_back(std::move(text)); }
  void step(const char* what, std::string text, std::string place = {}) {
    out_.steps.push_back({what, std::move(text), std::move(place)});
  }
  void advise(std::string text, std::string command, std::string action = {}) {
    const bool there = std::ranges::any_of(
        out_.can, [&](const WhyAdvice& one) { return one.text == text && one.command == command; });
    if (!there) out_.can.push_back({std::move(text), std::move(command), std::move(action)});
  }
  std::string id() const { return std::to_string(summary_.id); }
  static bool is_decided(const DestinationState& state) {
    return state.note && state.note->resolution != Resolution::open;
  }
  /// "pas" of "adt_in/pas".
  static std::string short_name(const std::string& destination) {
    return destination.substr(destination.find('/') + 1);
  }
  std::size_t open_endings() const {
    return static_cast<std::size_t>(std::ranges::count_if(summary_.destinations, [](const DestinationState& one) {
      return !one.pending && one.ending.state == DeliveryState::quarantined && !is_decided(one);
    }));
  }
  /// What somebody has decided about is quarantined no more.
  std::string state() const {
    const std::string worst = summary_.state();
    if (worst != name_of(DeliveryState::quarantined) || open_endings() > 0) return worst;
    for (const DestinationState& one : summary_.destinations)
      if (is_decided(one)) return name_of(one.note->resolution);
    return worst;
  }
  void since(base::WallTime time) { out_.since = std::max(out_.since, time); }

  void arrival() {
    const std::string type =
        summary_.type.empty() ? std::string(channels::name_of(summary_.kind)) : summary_.type;
    std::string text = "Message " + id() + " (" + type + ") came to channel " + summary_.channel;
    if (!summary_.peer.empty()) text += " from " + summary_.peer;
    sentence(text + ".");
    step("listener",
         facts_.channel != nullptr && facts_.channel->source != nullptr
             ? std::string("received by `source ") + facts_.channel->source->name + "`"
             : std::string("received"),
         facts_.channel != nullptr ? facts_.channel->file : std::string());
    if (summary_.same_id_as != 0)
      step("identity", "message " + std::to_string(summary_.same_id_as) +
                           " has the same control id and another body; both were taken");
    else
      step("identity", "no earlier message was the same");
    if (summary_.replay_of != 0)
      sentence("It is a replay of message " + std::to_string(summary_.replay_of) + ".");
    if (summary_.edited_from != 0)
      sentence("An operator made it by editing message " + std::to_string(summary_.edited_from) + ".");
    if (summary_.is_part()) sentence("It is a part of message " + std::to_string(summary_.parent) + ".");
    if (summary_.parent != 0 && !summary_.is_part())
      sentence("It was made of message " + std::to_string(summary_.parent) + ", which " + summary_.peer + " handed on.");
    step("stored",
         "on disk before it was acknowledged, bound to site version " + short_hash(facts_.config_hash));
    if (facts_.channel == nullptr && !facts_.running_hash.empty()) sentence("The site of today has no channel of that name.");
  }

  void unprocessed() {
    sentence("It is on disk and has not been mapped yet.");
    out_.doing = facts_.running_hash.empty() ? "nothing: no engine runs" : "it is mapped in its turn";
    out_.next = facts_.running_hash.empty() ? "the next start maps it before anything else is taken"
                                            : "its outputs are queued";
    if (facts_.running_hash.empty()) advise("start the engine", "kiln run SITE");
  }

  void destination(const DestinationState& state) {
    if (state.destination == kNoDestination) return whole(state);
    attempts(state);
    if (state.pending)
      pending(state);
    else
      ended(state);
  }

  void attempts(const DestinationState& state) {
    for (const auto& [name, list] : facts_.attempts) {
      if (name != state.destination) continue;
      for (const Attempt& one : list) {
        std::string text = "attempt " + std::to_string(one.number) + " at " + state.destination + " failed";
        if (!one.code.empty()) text += ": " + one.code;
        if (!one.detail.empty()) text += ", " + one.detail;
        if (one.in_doubt) text += "; it may have arrived";
        step("attempt", text);
      }
    }
  }

  const QueueFacts* queue_of(const std::string& name) const {
    const auto found = std::ranges::find_if(
        facts_.queues, [&name](const QueueFacts& one) { return one.destination == name; });
    return found == facts_.queues.end() ? nullptr : &*found;
  }

  void pending(const DestinationState& state) {
    const std::string& name = state.destination;
    std::string text = "For " + name + " it waits";
    if (state.attempts > 0) text += ", tried " + plural(state.attempts, "time", "times");
    sentence(text + ".");
    step("queue", "queued for " + name);
    const QueueFacts* queue = queue_of(name);
    if (queue == nullptr) {
      gone(name);
      return;
    }
    if (queue->blocked) {
      blocked(*queue);
    } else if (queue->paused) {
      sentence(queue->held.empty() ? "An operator has paused " + name + "." : name + " is " + queue->held + ".");
      out_.doing = "messages are taken and wait";
      advise("let it go on", queue->resume.empty() ? "kiln destination resume " + name : queue->resume, "resume");
    } else if (!queue->closed.empty()) {
      sentence(name + " is closed at this hour: " + queue->closed + ".");
      out_.doing = "messages are taken and wait, in order";
      out_.next = "it is sent when the destination opens";
    } else if (queue->head == summary_.id) {
      if (!queue->last_error.empty()) sentence("The last try failed: " + queue->last_error + ".");
      out_.doing = "it is tried again, for as long as the policy says, and keeps its place";
      next_try(*queue);
      advise("try it now", "kiln destination retry-now " + name, "retry-now");
    } else {
      sentence("Message " + std::to_string(queue->head) + " is before it, " +
               plural(queue->pending, "message waits", "messages wait") + " there, and the order is kept.");
      out_.doing = "the one before is sent first";
      next_try(*queue);
      if (queue->head != 0)
        advise("look at the one that holds it up", "kiln why " + std::to_string(queue->head));
    }
    if (state.in_doubt) sentence("An earlier try may have arrived: the receiver can get it twice.");
  }

  /// Nobody serves the destination.
  void gone(const std::string& name) {
    if (facts_.running_hash.empty()) {
      out_.doing = "nothing: no engine runs";
      advise("start the engine; it goes on where it stopped", "kiln run SITE");
      return;
    }
    out_.doing = "nothing: this site has no destination " + name;
    out_.next = "it is sent when the site has that destination again; until then it stays in the journal";
    advise("go back to the version of the site that took it", "kiln rollback " + short_hash(facts_.config_hash));
    advise("or look which version had that destination, or add it to the files and reload", "kiln history");
    advise("or give up what waits there: it is set aside", "kiln destination skip " + name);
  }

  const Attempt* last_attempt(const std::string& destination) const {
    for (const auto& [name, list] : facts_.attempts)
      if (name == destination && !list.empty()) return &list.back();
    return nullptr;
  }

  void blocked(const QueueFacts& queue) {
    const std::string& name = queue.destination;
    const Attempt* last = last_attempt(name);
    std::string why = queue.last_error.empty() ? "its receiver refused a message" : queue.last_error;
    if (last != nullptr && !last->code.empty()) {
      const Cause* cause = find_cause(last->code);
      why = cause != nullptr ? cause->text : last->code;
      if (!last->detail.empty()) why += " (" + last->detail + ")";
    }
    sentence(name + " is blocked: " + why + ".");
    out_.doing = "it sends nothing until somebody lets it go on";
    if (queue.head != 0 && queue.head != summary_.id)
      advise("look at the one that it stands at", "kiln why " + std::to_string(queue.head));
    if (last != nullptr && !last->reply.empty())
      advise("see what the receiver answered", "kiln show " + id() + " --response --dest " + short_name(name));
    advise("mend what the receiver complained about, then let it go on", "kiln destination resume " + name, "resume");
    advise("or set the one that it stands at aside, so that those behind it go on", "kiln destination skip " + name);
  }

  void next_try(const QueueFacts& queue) {
    if (queue.next_try_ms < 0) {
      out_.next = "it is being sent";
      return;
    }
    out_.next = "the next try is in " + print_age((queue.next_try_ms + 999) / 1'000);
    out_.next_try = {facts_.now.micros + queue.next_try_ms * 1'000};
  }

  void whole(const DestinationState& state) {
    since(state.updated);
    const Cause* cause = find_cause(state.ending.code);
    const std::string why = cause != nullptr              ? cause->text
                            : state.ending.detail.empty() ? state.ending.code
                                                          : state.ending.detail;
    const std::string detail =
        cause != nullptr && !state.ending.detail.empty() ? " (" + state.ending.detail + ")" : "";
    switch (state.ending.state) {
      case DeliveryState::rejected:
        sentence("It was refused, and the sender was told: " + why + detail + ".");
        step("accept", "refused: " + state.ending.code + detail);
        break;
      case DeliveryState::quarantined:
        sentence("It was set aside as a whole: " + why + detail + ".");
        step("accept", "set aside: " + state.ending.code + detail);
        quarantined(state);
        break;
      case DeliveryState::filtered:
        sentence("The channel does not want it: " +
                 (why.empty() ? std::string("its filter left it out") : why) + ".");
        step("accept", "left out by the filter");
        break;
      case DeliveryState::removed:
        removed(state, "");
        step("end", "removed");
        return;
      default:
        sentence("It ended as " + std::string(name_of(state.ending.state)) + ": " + why + detail + ".");
        step("end", name_of(state.ending.state));
    }
    if (cause != nullptr && state.ending.state != DeliveryState::filtered && !is_decided(state)) mend(*cause);
  }

  void mend(const Cause& cause) {
    const bool numbered = std::string_view(cause.code) == "sequence";
    advise(cause.can, numbered ? "kiln resume " + summary_.channel : std::string(), "edit");
  }

  /// Who took it out, why, and what it had been set aside for.
  void removed(const DestinationState& state, const std::string& where) {
    const std::string detail = state.ending.detail.empty() ? std::string() : " (" + state.ending.detail + ")";
    if (!state.note || state.note->by.empty()) {
      sentence("An operator removed it" + where + detail + ".");
      return;
    }
    since(state.note->changed);
    const Cause* cause = find_cause(state.ending.code);
    sentence("It was set aside" + where + ": " + (cause != nullptr ? cause->text : state.ending.code) + detail + ".");
    sentence(state.note->by + " removed it" + where + (state.note->reason.empty() ? "" : ": " + state.note->reason) + ".");
  }

  void ended(const DestinationState& state) {
    since(state.updated);
    const std::string& name = state.destination;
    const Ending& ending = state.ending;
    const Cause* cause = find_cause(ending.code);
    const std::string detail = ending.detail.empty() ? std::string() : " (" + ending.detail + ")";
    switch (ending.state) {
      case DeliveryState::sent: {
        if (ending.code == channels::kHandedOnCode) {
          sentence(name + " handed it on, as " + ending.detail + ".");
          step("end", "handed on by " + name + ", as " + ending.detail);
          break;
        }
        std::string text = name + " has it";
        if (!ending.code.empty()) text += ", answered " + ending.code;
        if (state.attempts > 1) text += ", after " + plural(state.attempts, "try", "tries");
        sentence(text + ".");
        step("end", "sent to " + name + (ending.code.empty() ? "" : ", answer " + ending.code));
        if (state.in_doubt) sentence("An earlier try may have arrived too: " + name + " can have it twice.");
        break;
      }
      case DeliveryState::filtered:
        sentence(name + " was not to get it: the condition of the destination or of its map did not hold.");
        step("map", "not for " + name);
        break;
      case DeliveryState::quarantined:
        sentence("For " + name + " it was set aside: " + (cause != nullptr ? cause->text : ending.code) +
                 detail + ".");
        step("end", "set aside for " + name + ": " + ending.code + detail);
        if (state.in_doubt) sentence("It may have arrived all the same: an answer that says so did not come.");
        quarantined(state);
        if (cause != nullptr && !is_decided(state)) mend(*cause);
        break;
      case DeliveryState::rejected:
        if (state.attempts > 0) {
          sentence(name + " answered " + ending.code + detail + ", and its `nak` says that it is not sent again.");
          step("end", "skipped for " + name + ": " + ending.code + detail);
          break;
        }
        sentence("The map for " + name + " refused it: " + (cause != nullptr ? cause->text : ending.code) +
                 detail + ".");
        step("map", "refused for " + name + ": " + ending.code + detail);
        break;
      case DeliveryState::expired:
        sentence(state.attempts > 0
                     ? name + " did not answer it (" + ending.code + "), and its `nak` says that it is not sent again."
                     : "It was too old for " + name + " when its turn came, and was not sent.");
        step("end", "expired for " + name);
        advise("send it all the same", "kiln replay " + id() + " --to " + name.substr(name.find('/') + 1),
               "replay");
        break;
      case DeliveryState::removed:
        removed(state, " for " + name);
        step("end", "removed for " + name);
        break;
    }
  }

  void quarantined(const DestinationState& state) {
    if (is_decided(state)) {
      since(state.note->changed);
      sentence("It was " + std::string(name_of(state.note->resolution)) + " by " + state.note->by +
               (state.note->reason.empty() ? "" : ": " + state.note->reason) + ".");
      if (state.note->released_as != 0)
        step("end", "released as message " + std::to_string(state.note->released_as));
      return;
    }
    out_.doing = "nothing: it stays set aside until somebody decides, and is never dropped by itself";
    if (state.note && !state.note->owner.empty()) sentence(state.note->owner + " takes care of it.");
    const bool several = open_endings() > 1;
    const std::string name = state.destination == kNoDestination ? state.destination : short_name(state.destination);
    decide(state, id() + (several ? " --dest " + name : ""));
  }

  /// What takes it out of the quarantine: `which` as the verbs take it.
  void decide(const DestinationState& state, const std::string& which) {
    const auto done = std::ranges::find_if(
        facts_.replays, [](const MadeMessage& one) { return one.state == "sent" || one.state == "pending"; });
    if (done != facts_.replays.end()) {
      const std::string as = std::to_string(done->id);
      advise("it was sent again as message " + as + ": take it out of the quarantine",
             "kiln quarantine resolve " + which + " --reason \"sent as message " + as + "\"", "resolve");
      return;
    }
    if (state.in_doubt)
      advise("ask the receiver whether it has it; if it has, take it out of the quarantine",
             "kiln quarantine resolve " + which + " --reason \"it had arrived\"", "resolve");
    if (!state.ending.reply.empty() && state.destination != kNoDestination)
      advise("see what the receiver answered", "kiln show " + id() + " --response --dest " + short_name(state.destination));
    if (state.destination == kNoDestination && summary_.replay_of != 0) {
      const std::string original = std::to_string(summary_.replay_of);
      advise("once the cause is mended, send the original again to where this one was to go",
             "kiln replay " + original + " --to DESTINATION", "replay");
      advise("and take this one out of the quarantine",
             "kiln quarantine resolve " + which + " --reason \"replayed from message " + original + "\"", "resolve");
    } else {
      advise(state.in_doubt ? "else, once the cause is mended, send it again" : "once the cause is mended, send it again",
             "kiln quarantine release " + which, "release");
    }
    advise("or correct it and send that", "", "edit");
  }

  static std::string list_of(const std::vector<MadeMessage>& made) {
    constexpr std::size_t kNamed = 8;
    std::string out;
    for (std::size_t i = 0; i < std::min(made.size(), kNamed); ++i)
      out += (out.empty() ? "" : ", ") + std::to_string(made[i].id) + " (" + made[i].state + ")";
    if (made.size() > kNamed) out += " and " + std::to_string(made.size() - kNamed) + " more";
    return out;
  }

  void related() {
    if (!facts_.replays.empty()) sentence("It was sent again as message " + list_of(facts_.replays) + ".");
    if (!facts_.edits.empty()) sentence("It was corrected and sent as message " + list_of(facts_.edits) + ".");
    if (!facts_.parts.empty())
      sentence((facts_.made_cut ? "At least " : "") +
               plural(facts_.parts.size(), "part of it is a message of its own: ", "parts of it are messages of their own: ") +
               list_of(facts_.parts) + ".");
    for (const auto* made : {&facts_.replays, &facts_.edits, &facts_.parts})
      for (const MadeMessage& one : *made)
        if (one.open) {
          if (out_.doing.empty()) out_.doing = "nothing: what was made of it stays set aside until somebody decides";
          advise("look at what was set aside", "kiln why " + std::to_string(one.id));
          break;
        }
    if (!facts_.running_hash.empty() && facts_.running_hash != facts_.config_hash && out_.state != "sent" &&
        out_.state != "filtered")
      sentence("The site has changed since: it now is version " + short_hash(facts_.running_hash) +
               "; a replay uses that one.");
    if (out_.doing.empty()) out_.doing = "nothing more is to be done";
  }

  const WhyFacts& facts_;
  const MessageSummary& summary_;
  Why out_;
};

}  // namespace

Why explain_state(const WhyFacts& facts) {
  return Teller(facts).tell();
}

std::string print_why_json(MessageId id, const Why& why) {
  base::JsonWriter json;
  json.begin_object().key("id").integer(static_cast<std::int64_t>(id)).member("state", why.state);
  json.member("since", print_time(why.since)).key("text").begin_array();
  for (const std::string& sentence : why.text) json.string(sentence);
  json.end_array().key("steps").begin_array();
  for (const WhyStep& step : why.steps) {
    json.begin_object().member("what", step.what).member("text", step.text);
    if (!step.place.empty()) json.member("place", step.place);
    json.end_object();
  }
  json.end_array().member("doing", why.doing);
  if (!why.next.empty()) json.member("next", why.next);
  if (why.next_try.micros != 0) json.member("next_try", print_time(why.next_try));
  json.key("can").begin_array();
  for (const WhyAdvice& one : why.can) {
    json.begin_object().member("text", one.text);
    if (!one.command.empty()) json.member("command", one.command);
    if (!one.action.empty()) json.member("action", one.action);
    json.end_object();
  }
  return json.end_array().end_object().take();
}

}  // namespace kiln::engine
