#include "hl7/reassembler.h"

#include <algorithm>
#include <deque>

namespace kiln::hl7 {
namespace {

using base::ErrorCode;

base::Error error_of(ErrorCode code, std::string text) {
  return {code, std::move(text), "MSH-14", {}};
}

}  // namespace

std::string sender_of(const Message& message) {
  const SegmentView header = message.header();
  return std::string(header.field(3).raw()) + '|' + std::string(header.field(4).raw());
}

Reassembler::Chain Reassembler::take(Chains::iterator place) {
  Chain chain = std::move(place->second);
  bytes_ -= chain.bytes;
  chains_.erase(place);
  return chain;
}

std::optional<base::Error> Reassembler::excess(const Chain& chain) const {
  if (chain.ids.size() > limits_.fragments)
    return error_of(ErrorCode::limit_exceeded, "the message has more fragments than allowed");
  if (chain.bytes > limits_.message_bytes)
    return error_of(ErrorCode::limit_exceeded, "the fragments are larger than a message may be");
  if (bytes_ + chain.bytes > limits_.bytes)
    return error_of(ErrorCode::limit_exceeded, "the fragments that wait are larger than allowed");
  return std::nullopt;
}

base::Result<std::string> Reassembler::join(const Chain& chain) const {
  std::deque<Message> kept;
  std::vector<const Message*> fragments;
  for (const std::string& text : chain.texts) {
    TRY(Message fragment, Message::parse(text, options_));
    fragments.push_back(&kept.emplace_back(std::move(fragment)));
  }
  return join_fragments(fragments);
}

Reassembler::Outcome Reassembler::add(std::uint64_t id, std::string_view sender, const Message& message,
                                      std::int64_t now_ms) {
  Outcome outcome;
  const Continuation place = continuation_of(message);
  if (!place.fragment()) return outcome;
  Chain chain;
  bool known = place.from.empty();
  if (const auto before = chains_.find({std::string(sender), place.from});
      !known && before != chains_.end()) {
    chain = take(before);
    known = true;
  }
  chain.ids.push_back(id);
  chain.texts.push_back(message.original());
  chain.bytes += message.original().size();

  const auto refuse = [&](base::Error error) {
    outcome.state = State::refused;
    outcome.ids = std::move(chain.ids);
    outcome.error = std::move(error);
    return std::move(outcome);
  };
  if (!known) return refuse(error_of(ErrorCode::bad_batch, "the fragment before this one has not come"));
  if (auto error = excess(chain)) return refuse(std::move(*error));
  if (place.to.empty()) {
    auto text = join(chain);
    if (!text) return refuse(std::move(text.error()));
    outcome.state = State::complete;
    outcome.ids = std::move(chain.ids);
    outcome.text = std::move(*text);
    return outcome;
  }
  const Key next{std::string(sender), place.to};
  if (const auto same = chains_.find(next); same != chains_.end()) {
    outcome.replaced =
        GivenUp{take(same).ids, error_of(ErrorCode::bad_batch, "the sender began the message anew")};
  }
  if (chains_.size() >= limits_.messages)
    return refuse(error_of(ErrorCode::limit_exceeded, "more messages in fragments wait than allowed"));
  chain.deadline = now_ms + limits_.wait_ms;
  bytes_ += chain.bytes;
  chains_.emplace(next, std::move(chain));
  outcome.state = State::waiting;
  return outcome;
}

std::vector<Reassembler::GivenUp> Reassembler::overdue(std::int64_t now_ms) {
  std::vector<GivenUp> given_up;
  for (auto place = chains_.begin(); place != chains_.end();) {
    const auto here = place++;
    if (here->second.deadline > now_ms) continue;
    given_up.push_back(
        {take(here).ids, error_of(ErrorCode::bad_batch, "the next fragment did not come in time")});
  }
  return given_up;
}

std::optional<std::int64_t> Reassembler::deadline() const {
  std::optional<std::int64_t> first;
  for (const auto& [key, chain] : chains_) first = std::min(first.value_or(chain.deadline), chain.deadline);
  return first;
}

}  // namespace kiln::hl7
