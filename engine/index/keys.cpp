#include "engine/index/keys.h"

#include <algorithm>
#include <cstring>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/journal/seal.h"
#include "engine/limits.h"
#include "hl7/message.h"

namespace kiln::engine {
namespace {

using base::JsonView;
using base::Result;
using Field = QueryTerm::Field;

bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

/// Words of a text, folded: letters, digits and everything beyond ASCII; what is longer than a word is cut.
template <class Visit>
void each_word(std::string_view text, const Visit& visit) {
  constexpr std::size_t kWordMax = 64;
  for (std::size_t at = 0; at < text.size();) {
    while (at < text.size() && !is_word_byte(text[at])) ++at;
    std::size_t end = at;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    if (end > at) visit(base::lower_ascii(text.substr(at, std::min(end - at, kWordMax))));
    at = end;
  }
}

std::string fold(std::string_view value) {
  return base::lower_ascii(base::trim(value));
}

/// Compiled once; any thread may use them.
struct Paths {
  hl7::Path mrn = compile("PID-3[*].1"), prior = compile("MRG-1[*].1"), account = compile("PID-18.1");
  std::vector<hl7::Path> names = {compile("PID-5[*].1"), compile("PID-5[*].2"), compile("PID-5[*].3")};
  static hl7::Path compile(std::string_view text) { return std::move(*hl7::Path::compile(text)); }
};
const Paths& paths() {
  static const Paths all;
  return all;
}

void visit_path(const hl7::Message& message, const hl7::Path& path, std::string_view kind, const KeyVisitor& visit) {
  path.visit(message, [&](const hl7::Piece& piece) {
    const std::string value = fold(piece.to_text());
    if (!value.empty()) visit(kind, value);
    return true;
  });
}

std::string path_kind(const hl7::Path& path) {
  return "path " + path.print();
}

void visit_hl7(const IndexedMessage& message, const IndexRules& rules, const KeyVisitor& visit) {
  auto parsed = hl7::Message::parse(std::string(message.body));
  if (!parsed) return;
  visit_path(*parsed, paths().mrn, "mrn", visit);
  visit_path(*parsed, paths().prior, "mrn", visit);
  visit_path(*parsed, paths().account, "account", visit);
  for (const hl7::Path& path : paths().names)
    path.visit(*parsed, [&](const hl7::Piece& piece) {
      const std::string text = piece.to_text();
      each_word(text, [&](const std::string& word) { visit("name", word); });
      return true;
    });
  for (const IndexRules::Key& key : rules.keys)
    if (key.channel.empty() || key.channel == message.channel) visit_path(*parsed, key.path, path_kind(key.path), visit);
}

void visit_resource(JsonView resource, const KeyVisitor& visit) {
  for (const JsonView identifier : resource["identifier"])
    if (const std::string value = fold(identifier["value"].text()); !value.empty()) visit("mrn", value);
  auto words = [&](JsonView text) { each_word(text.text(), [&](const std::string& word) { visit("name", word); }); };
  for (const JsonView name : resource["name"]) {
    if (name.kind() != base::JsonKind::object) continue;
    words(name["family"]);
    for (const JsonView given : name["given"]) words(given);
  }
}

void visit_fhir(const IndexedMessage& message, const KeyVisitor& visit) {
  const auto document = base::parse_json(std::string(message.body));
  if (!document) return;
  visit_resource(document->root(), visit);
  for (const JsonView entry : document->root()["entry"]) visit_resource(entry["resource"], visit);
}

/// "ADT^A01^ADT_A01": the index finds whole types; which of them a beginning means is asked of its list.
void visit_columns(const IndexedMessage& message, const KeyVisitor& visit) {
  visit("channel", message.channel);
  if (!message.type.empty()) visit("type", message.type);
  if (!message.control_id.empty()) visit("id", message.control_id);
}

}  // namespace

bool IndexRules::has_text(std::string_view channel) const {
  return text_channels.contains("*") || text_channels.contains(channel);
}

std::string IndexRules::print() const {
  std::string out = "3";  // of the extraction itself: raise it when keys change
  for (const Key& key : keys) out += ";" + key.channel + " " + key.path.print();
  for (const std::string& channel : text_channels) out += ";text " + channel;
  return out;
}

Result<IndexRules> read_index_rules(const channels::Options& server) {
  IndexRules rules;
  const channels::Options& options = server.block("index");
  if (const auto* keys = options.all("key")) {
    for (const channels::OptionValue& value : *keys) {
      const channels::Options& block = value.block.front();
      auto path = hl7::Path::compile(block.text("path"));
      if (!path || path->field() == 0)
        return base::fail(base::ErrorCode::bad_path, "this is no path of a field", "index { key " + value.text + " }",
                          "PV1-3.1 or PID-3[*].1");
      rules.keys.push_back({value.text, std::move(*path), block.text("channel")});
    }
  }
  const std::string channels(options.text("text"));  // named: the parts point into it
  for (const std::string_view channel : base::split(channels, ' '))
    if (!channel.empty()) rules.text_channels.emplace(channel);
  return rules;
}

/// Of both, eight bytes at a time, and of their lengths; what is found is compared with the message itself.
std::uint64_t key_hash(std::string_view kind, std::string_view value, std::string_view secret) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = 14695981039346656037ULL;
  const auto stir = [&hash](std::uint64_t part) {
    __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(hash ^ part) * kFactor;
    hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto take = [&stir](std::string_view text) {
    const std::size_t size = text.size();
    for (; text.size() >= sizeof(std::uint64_t); text.remove_prefix(sizeof(std::uint64_t))) {
      std::uint64_t part = 0;
      std::memcpy(&part, text.data(), sizeof part);
      stir(part);
    }
    std::uint64_t rest = 0;
    if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
    stir(rest);
    stir(size);
  };
  if (!secret.empty()) {
    const std::string keyed = hmac_sha256(secret, std::string(kind) + "\n" + std::string(value));
    std::memcpy(&hash, keyed.data(), sizeof hash);
    return hash;
  }
  take(kind);
  take(value);
  hash ^= hash >> 31;
  hash *= 0x7fb5d329728ea185ULL;
  return hash ^ (hash >> 27);
}

void append_token(std::uint64_t hash, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  constexpr std::size_t kLength = 13;  // of 5 bits each
  for (std::size_t i = 0; i < kLength; ++i) {
    out += kDigits[hash & 31U];
    hash >>= 5;
  }
}

std::string key_token(std::string_view kind, std::string_view value, std::string_view secret) {
  std::string out;
  append_token(key_hash(kind, value, secret), out);
  return out;
}

void visit_keys(const IndexedMessage& message, const IndexRules& rules, bool with_text, const KeyVisitor& visit) {
  visit_columns(message, visit);
  if (message.kind == channels::ContentKind::hl7) visit_hl7(message, rules, visit);
  if (message.kind == channels::ContentKind::fhir) visit_fhir(message, visit);
  if (with_text)
    each_word(message.body.substr(0, limits::kIndexTextBytesMax), [&](const std::string& word) { visit("text", word); });
}

std::optional<WantedKeys> wanted_keys(const QueryTerm& term, const IndexRules& rules) {
  WantedKeys out;
  switch (term.field) {
    case Field::mrn:
      return WantedKeys{"mrn", {fold(term.text)}};
    case Field::account:
      return WantedKeys{"account", {fold(term.text)}};
    case Field::id:
      return WantedKeys{"id", {term.text}};
    case Field::channel:
      return WantedKeys{"channel", {term.text}};
    case Field::name:
    case Field::text:
      out.kind = term.field == Field::name ? "name" : "text";
      each_word(term.text, [&](const std::string& word) { out.values.push_back(word); });
      if (out.values.empty()) return std::nullopt;
      return out;
    case Field::path:
      for (const IndexRules::Key& key : rules.keys) {
        const auto path = hl7::Path::compile(term.name);
        // A key of one channel says nothing about the others.
        const bool same = key.name == term.name || (key.channel.empty() && path && path->print() == key.path.print());
        if (same) return WantedKeys{path_kind(key.path), {fold(term.text)}};
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool ContentMatcher::holds(const QueryTerm& term) {
  if (term.field == Field::path) return path_holds(term);
  const auto wanted = wanted_keys(term, rules_);
  if (!wanted) return false;
  if (wanted->kind == "text") {
    if (!std::exchange(has_words_, true))
      each_word(message_.body, [this](const std::string& word) { words_.insert(word); });
    return std::all_of(wanted->values.begin(), wanted->values.end(),
                       [this](const std::string& word) { return words_.contains(word); });
  }
  if (!std::exchange(has_keys_, true))
    visit_keys(message_, rules_, false,
               [this](std::string_view kind, std::string_view value) { keys_.insert(std::string(kind) + "\n" + std::string(value)); });
  return std::all_of(wanted->values.begin(), wanted->values.end(),
                     [&](const std::string& value) { return keys_.contains(wanted->kind + "\n" + value); });
}

bool ContentMatcher::path_holds(const QueryTerm& term) const {
  if (message_.kind != channels::ContentKind::hl7) return false;
  auto parsed = hl7::Message::parse(std::string(message_.body));
  if (!parsed) return false;
  const std::string wanted = fold(term.text);
  bool found = false;
  auto look = [&](const hl7::Piece& piece) {
    found = found || fold(piece.to_text()) == wanted;
    return !found;
  };
  for (const IndexRules::Key& key : rules_.keys)
    if (key.name == term.name && (key.channel.empty() || key.channel == message_.channel)) key.path.visit(*parsed, look);
  if (const auto path = hl7::Path::compile(term.name)) path->visit(*parsed, look);
  return found;
}

}  // namespace kiln::engine
