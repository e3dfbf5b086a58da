#include "channels/connectors/detail/sender_rule.h"

#include <algorithm>

#include "channels/connectors/detail/mllp_batch.h"
#include "hl7/batch.h"
#include "hl7/delimiters.h"

namespace kiln::channels::detail {

SenderRule::SenderRule(const Options& source) {
  if (!source.has("tls")) return;
  const auto* allowed = source.block("tls").all("allow");
  if (allowed == nullptr) return;
  for (const OptionValue& one : *allowed) rules_.push_back({one.text, one.words.front()});
}

std::vector<std::string> SenderRule::names_for(const std::string& subject,
                                               const std::vector<std::string>& alternative_names) const {
  std::vector<std::string> out;
  for (const Rule& rule : rules_)
    if (names_certificate(rule.certificate, subject, alternative_names)) out.push_back(rule.application);
  return out;
}

std::vector<std::string> SenderRule::names_for(const base::StreamPtr& stream) const {
  const auto* secure = dynamic_cast<const SecureStream*>(stream.get());
  if (secure == nullptr) return {};
  return names_for(secure->certificate(), secure->alternative_names());
}

bool may_send(std::string_view message, const std::vector<std::string>& names) {
  message = message.substr(0, message.find_first_of("\r\n"));  // of MSH, not of what follows it
  if (message.size() < 9 || message.substr(0, 3) != "MSH") return false;
  const char separator = message[3];
  const std::size_t begin = message.find(separator, 4);
  if (begin == std::string_view::npos) return false;
  // The separators as the parser of the engine takes them: what it reads as MSH-3 is what counts.
  const auto read = hl7::read_delimiters(separator, message.substr(4, begin - 4));
  if (!read || !read->clean) return false;
  const char component = read->delimiters.component;
  const std::string_view field = message.substr(begin + 1, message.find_first_of(std::string{separator, '\r', '\n'}, begin + 1) - begin - 1);
  const std::string_view first = field.substr(0, field.find(component));
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name == field || name == first; });
}

std::string first_denied(const std::string& frame, const std::vector<std::string>& names) {
  if (!is_batch(frame)) return may_send(frame, names) ? std::string() : frame;
  for (const hl7::Slice& message : hl7::split_batch(frame).messages)
    if (!may_send(message.of(frame), names)) return std::string(message.of(frame));
  return {};
}

}  // namespace kiln::channels::detail
