#include "engine/journal/query.h"

#include <charconv>

#include "engine/base/diagnostic.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using Field = QueryTerm::Field;

struct FieldName {
  std::string_view name;
  Field field;
};
constexpr FieldName kFields[] = {
    {"channel", Field::channel},     {"type", Field::type},   {"id", Field::id},        {"msg", Field::msg},
    {"state", Field::state},         {"dest", Field::dest},   {"code", Field::code},    {"peer", Field::peer},
    {"replay_of", Field::replay_of}, {"same_id_as", Field::same_id_as},
    {"since", Field::since},         {"before", Field::before}};

tl::unexpected<base::Error> bad_term(std::string_view term, std::string why, std::string remedy = {}) {
  return base::fail(ErrorCode::query_syntax, std::move(why), std::string(term), std::move(remedy));
}

bool number(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 0;
}

/// "2h" -> micros; nullopt when it is no duration.
std::optional<std::int64_t> duration(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  std::int64_t count = 0;
  if (!number(text.substr(0, text.size() - 1), count)) return std::nullopt;
  switch (text.back()) {
    case 's':
      return count * 1'000'000;
    case 'm':
      return count * 60'000'000;
    case 'h':
      return count * 3'600'000'000;
    case 'd':
      return count * 86'400'000'000;
    default:
      return std::nullopt;
  }
}

base::Status read_time(QueryTerm& term, std::string_view whole, base::WallTime now) {
  if (const auto ago = duration(term.text)) {
    term.low = now.micros - *ago;
    return {};
  }
  auto date = base::PartialDate::parse_fhir(term.text);
  if (!date) date = base::PartialDate::parse_hl7(term.text);
  if (!date)
    return bad_term(whole, "this is no time", "2h, 30m, 7d, 2026-11-22 or 2026-11-22T09:30:00Z (UTC)");
  term.low = date->lowest_micros();
  return {};
}

base::Status read_ids(QueryTerm& term, std::string_view whole) {
  const std::string_view text = term.text;
  const auto dots = text.find("..");
  const bool range = dots != std::string_view::npos;
  if (!number(text.substr(0, dots), term.low))
    return bad_term(whole, "this is no message number", "msg:4711 or msg:10..20");
  term.high = term.low;
  if (range && dots + 2 == text.size()) {
    term.high = INT64_MAX;
    return {};
  }
  if (range && !number(text.substr(dots + 2), term.high))
    return bad_term(whole, "this is no message number", "msg:10..20");
  return {};
}

base::Status read_state(const QueryTerm& term, std::string_view whole) {
  if (term.text == "pending" || term.text == "unprocessed" || delivery_state(term.text)) return {};
  return bad_term(whole, "unknown state",
                  "pending, unprocessed, sent, filtered, rejected, quarantined, expired or removed");
}

Result<QueryTerm> read_term(std::string_view whole, base::WallTime now) {
  std::string_view text = whole;
  QueryTerm term{};
  if (text.starts_with('-')) {
    term.negated = true;
    text.remove_prefix(1);
  }
  const auto colon = text.find(':');
  std::int64_t id = 0;
  if (colon == std::string_view::npos && number(text, id)) {
    term.field = Field::msg;
    term.low = term.high = id;
    return term;
  }
  std::vector<std::string_view> names;
  for (const auto& field : kFields) names.push_back(field.name);
  const std::string_view name = text.substr(0, colon);
  for (const auto& field : kFields) {
    if (colon == std::string_view::npos || field.name != name) continue;
    term.field = field.field;
    term.text = text.substr(colon + 1);
    if (term.text.empty()) return bad_term(whole, "the value is missing");
    if (field.field == Field::since || field.field == Field::before) TRY_VOID(read_time(term, whole, now));
    if (field.field == Field::msg || field.field == Field::replay_of || field.field == Field::same_id_as)
      TRY_VOID(read_ids(term, whole));
    if (field.field == Field::state) TRY_VOID(read_state(term, whole));
    return term;
  }
  const std::string_view near = base::nearest(name, names);
  std::string remedy = near.empty() ? "fields: " : "did you mean `" + std::string(near) + ":`? fields: ";
  for (std::size_t i = 0; i < names.size(); ++i) remedy += (i == 0 ? "" : ", ") + std::string(names[i]);
  return bad_term(whole, "unknown field", std::move(remedy));
}

}  // namespace

Result<Query> parse_query_text(std::string_view text, base::WallTime now) {
  Query query;
  while (!(text = base::trim(text)).empty()) {
    std::string word;
    std::size_t at = 0;
    bool quoted = false;
    for (; at < text.size() && (quoted || (text[at] != ' ' && text[at] != '\t')); ++at) {
      if (text[at] == '"')
        quoted = !quoted;
      else
        word += text[at];
    }
    if (quoted) return bad_term(word, "the quote is not closed");
    text.remove_prefix(at);
    if (word == "AND") continue;
    TRY(QueryTerm term, read_term(word, now));
    query.terms.push_back(std::move(term));
  }
  return query;
}

const char* query_help() {
  return "  4711 or msg:10..20     sequence numbers\n"
         "  channel:adt_in         name of the channel\n"
         "  type:ADT^A01           beginning of MSH-9, a resource type, or csv\n"
         "  id:MSG0001             MSH-10\n"
         "  state:quarantined      pending, unprocessed, sent, filtered, rejected, quarantined, expired, "
         "removed\n"
         "  dest:adt_in/pas        has an output for that destination\n"
         "  code:AE                outcome code\n"
         "  peer:10.1.             beginning of the sender's address\n"
         "  replay_of:4711         replays of a message\n"
         "  same_id_as:1..         MSH-10 of an earlier message, with another body\n"
         "  since:2h before:2026-11-22   time of receipt (UTC)\n"
         "  terms are joined by AND; -term negates; quote a value with spaces\n";
}

}  // namespace kiln::engine
