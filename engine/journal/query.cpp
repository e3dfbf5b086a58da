#include "engine/journal/query.h"

#include <algorithm>
#include <charconv>

#include "engine/base/diagnostic.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/limits.h"
#include "hl7/path.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using Field = QueryTerm::Field;
using Kind = QueryNode::Kind;

struct FieldName {
  std::string_view name;
  Field field;
  const char* help;
};
constexpr FieldName kFields[] = {
    {"channel", Field::channel, "name of the channel"},
    {"type", Field::type, "beginning of MSH-9, a resource type, or csv"},
    {"id", Field::id, "MSH-10"},
    {"mrn", Field::mrn, "patient id: PID-3.1, or an identifier of a FHIR resource"},
    {"account", Field::account, "account number: PID-18.1"},
    {"name", Field::name, "words of the patient's name"},
    {"path", Field::path, "path:PID-8=F: a value of the message; fast for a path of the index"},
    {"text", Field::text, "words of the message; fast for channels of `index { text … }`"},
    {"state", Field::state, "state of the message, or at any destination"},
    {"pending", Field::pending, "pending>10m: waits for longer than that"},
    {"attempts", Field::attempts, "attempts>3: more attempts than that"},
    {"dest", Field::dest, "has an output for that destination"},
    {"code", Field::code, "outcome code"},
    {"peer", Field::peer, "beginning of the sender's address"},
    {"msg", Field::msg, "sequence number, or a range 10..20"},
    {"replay_of", Field::replay_of, "replays of a message"},
    {"same_id_as", Field::same_id_as, "MSH-10 of an earlier message, with another body"},
    {"since", Field::since, "received at or after: 2h, 2026-11-22"},
    {"after", Field::since, "the same as since"},
    {"before", Field::before, "received before"}};

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
  constexpr std::int64_t kLongest = 36'500;  // a century of days: nothing overflows
  if (count > kLongest * 86'400) return std::nullopt;
  switch (text.back()) {
    case 's':
      return count * 1'000'000;
    case 'm':
      return count * 60'000'000;
    case 'h':
      return count * 3'600'000'000;
    case 'd':
      return count > kLongest ? std::nullopt : std::optional(count * 86'400'000'000);
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

/// PID-8=F, or ward=W1 of `index { key ward { … } }`.
base::Status read_path(QueryTerm& term, std::string_view whole) {
  const auto equals = term.text.find('=');
  constexpr const char* kRemedy = "path:PID-8=F, or a key of `index` in kiln.conf: path:ward=W1";
  if (equals == std::string::npos || equals + 1 == term.text.size() || equals == 0)
    return bad_term(whole, "the path needs a value", kRemedy);
  term.name = term.text.substr(0, equals);
  term.text.erase(0, equals + 1);
  const bool is_key = std::all_of(term.name.begin(), term.name.end(),
                                  [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  if (is_key) return {};
  const auto path = hl7::Path::compile(term.name);
  if (!path || path->field() == 0) return bad_term(whole, "this is no path of a field", kRemedy);
  return {};
}

/// `pending>10m`, `attempts>3`.
base::Status read_more_than(QueryTerm& term, std::string_view whole, base::WallTime now) {
  if (term.field == Field::attempts) {
    if (number(term.text, term.low)) return {};
    return bad_term(whole, "this is no number", "attempts>3");
  }
  const auto ago = duration(term.text);
  if (!ago) return bad_term(whole, "this is no duration", "pending>10m");
  term.low = now.micros - *ago;
  return {};
}

base::Status read_value(QueryTerm& term, std::string_view whole, base::WallTime now) {
  switch (term.field) {
    case Field::since:
    case Field::before:
      return read_time(term, whole, now);
    case Field::msg:
    case Field::replay_of:
    case Field::same_id_as:
      return read_ids(term, whole);
    case Field::state:
      return read_state(term, whole);
    case Field::path:
      return read_path(term, whole);
    default:
      return {};
  }
}

tl::unexpected<base::Error> unknown_field(std::string_view whole, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& field : kFields) names.push_back(field.name);
  const std::string_view near = base::nearest(name, names);
  std::string remedy = near.empty() ? "fields: " : "did you mean `" + std::string(near) + ":`? fields: ";
  for (std::size_t i = 0; i < names.size(); ++i) remedy += (i == 0 ? "" : ", ") + std::string(names[i]);
  return bad_term(whole, "unknown field", std::move(remedy));
}

Result<QueryTerm> read_term(std::string_view whole, base::WallTime now) {
  QueryTerm term{};
  const auto sign = whole.find_first_of(":>");
  std::int64_t id = 0;
  if (sign == std::string_view::npos && number(whole, id)) {
    term.field = Field::msg;
    term.low = term.high = id;
    return term;
  }
  const std::string_view name = whole.substr(0, sign);
  for (const auto& field : kFields) {
    if (sign == std::string_view::npos || field.name != name) continue;
    const bool more_than = field.field == Field::pending || field.field == Field::attempts;
    if (more_than != (whole[sign] == '>'))
      return bad_term(whole, more_than ? "this field wants a `>`" : "this field wants a `:`",
                      "pending>10m, attempts>3, state:pending");
    term.field = field.field;
    term.text = whole.substr(sign + 1);
    if (term.text.empty()) return bad_term(whole, "the value is missing");
    if (more_than)
      TRY_VOID(read_more_than(term, whole, now));
    else
      TRY_VOID(read_value(term, whole, now));
    return term;
  }
  return unknown_field(whole, name);
}

struct Word {
  std::string text;
  bool quoted = false;  ///< some of it was: `"("` is no parenthesis
};

Result<std::vector<Word>> cut_words(std::string_view text) {
  std::vector<Word> out;
  while (!(text = base::trim(text)).empty()) {
    Word word;
    std::size_t at = 0;
    bool open = false;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '"') {
        open = !open;
        word.quoted = true;
        continue;
      }
      const bool parenthesis = c == '(' || c == ')';
      if (!open && (c == ' ' || c == '\t' || c == '\n' || (parenthesis && at > 0))) break;
      word.text += c;
      if (!open && parenthesis) {
        ++at;
        break;
      }
    }
    if (open) return bad_term(word.text, "the quote is not closed");
    text.remove_prefix(at);
    out.push_back(std::move(word));
    if (out.size() > limits::kQueryWordsMax) return bad_term("", "the query is too long");
  }
  return out;
}

/// any := all ("OR" all)*; all := one ("AND"? one)*; one := "NOT" one | "-" term | "(" any ")" | number number+ | term.
class QueryParser {
 public:
  QueryParser(std::vector<Word> words, base::WallTime now) : words_(std::move(words)), now_(now) {}

  Result<QueryNode> parse() {
    if (words_.empty()) return QueryNode{};
    TRY(QueryNode root, any(false, 0));
    if (at_ < words_.size()) return bad_term(words_[at_].text, "there is no parenthesis to close");
    return root;
  }

 private:
  bool is_number(std::size_t at) const {
    std::int64_t id = 0;
    return at < words_.size() && !words_[at].quoted && number(words_[at].text, id);
  }

  /// `4711 4712`: no message has two numbers, so either is meant.
  Result<QueryNode> numbers(bool negated) {
    QueryNode node;
    node.kind = negated ? Kind::all : Kind::any;
    while (is_number(at_)) {
      QueryNode part;
      part.kind = Kind::term;
      TRY(part.term, read_term(words_[at_++].text, now_));
      part.term.negated = negated;
      node.parts.push_back(std::move(part));
    }
    return node;
  }

  bool is(std::string_view word) const {
    return at_ < words_.size() && !words_[at_].quoted && words_[at_].text == word;
  }

  /// `negated`: the opposite of what is written, by De Morgan.
  Result<QueryNode> any(bool negated, std::size_t depth) {
    return list(negated, depth, true);
  }

  Result<QueryNode> list(bool negated, std::size_t depth, bool alternatives) {
    if (depth > limits::kQueryDepthMax) return bad_term(words_[at_].text, "the query is nested too deeply");
    QueryNode node;
    node.kind = alternatives != negated ? Kind::any : Kind::all;
    for (bool first = true;; first = false) {
      if (!first) {
        if (alternatives && !is("OR")) break;
        if (!alternatives && (at_ == words_.size() || is("OR") || is(")"))) break;
        if (alternatives || is("AND")) ++at_;
      }
      if (at_ == words_.size() || is(")") || is("OR") || is("AND"))
        return bad_term(at_ == words_.size() ? "" : words_[at_].text, "a term is missing");
      TRY(QueryNode part, alternatives ? list(negated, depth, false) : one(negated, depth));
      node.parts.push_back(std::move(part));
    }
    if (node.parts.size() > 1) return node;
    QueryNode only = std::move(node.parts.front());
    return only;
  }

  Result<QueryNode> one(bool negated, std::size_t depth) {
    if (is("NOT")) {
      ++at_;
      if (at_ == words_.size()) return bad_term("NOT", "a term is missing");
      if (depth > limits::kQueryDepthMax) return bad_term("NOT", "the query is nested too deeply");
      return one(!negated, depth + 1);
    }
    if (is("(")) {
      ++at_;
      TRY(QueryNode inner, any(negated, depth + 1));
      if (!is(")")) return bad_term("(", "the parenthesis is not closed");
      ++at_;
      return inner;
    }
    if (is_number(at_) && is_number(at_ + 1)) return numbers(negated);
    std::string_view text = words_[at_++].text;
    if (text == "-" && is("(")) return bad_term("-(", "a parenthesis is negated by NOT", "NOT (…)");
    if (text.size() > 1 && text.starts_with('-')) {
      negated = !negated;
      text.remove_prefix(1);
    }
    QueryNode node;
    node.kind = Kind::term;
    TRY(node.term, read_term(text, now_));
    node.term.negated = negated;
    return node;
  }

  std::vector<Word> words_;
  base::WallTime now_;
  std::size_t at_ = 0;
};

}  // namespace

void Query::add(QueryTerm term) {
  QueryNode leaf;
  leaf.kind = Kind::term;
  leaf.term = std::move(term);
  if (root.kind != Kind::all) {
    QueryNode whole;
    whole.parts.push_back(std::move(root));
    root = std::move(whole);
  }
  root.parts.push_back(std::move(leaf));
}

bool is_content(const QueryTerm& term) {
  switch (term.field) {
    case Field::mrn:
    case Field::account:
    case Field::name:
    case Field::text:
    case Field::path:
      return true;
    default:
      return false;
  }
}

bool has_content(const QueryNode& node) {
  if (node.kind == Kind::term) return is_content(node.term);
  return std::any_of(node.parts.begin(), node.parts.end(), has_content);
}

Result<Query> parse_query_text(std::string_view text, base::WallTime now) {
  TRY(std::vector<Word> words, cut_words(text));
  Query query;
  TRY(query.root, QueryParser(std::move(words), now).parse());
  return query;
}

std::vector<QueryFieldHelp> query_fields() {
  std::vector<QueryFieldHelp> out;
  for (const FieldName& field : kFields) {
    QueryFieldHelp help{field.name.data(), field.help, {}};
    if (field.field == Field::state)
      help.values = {"pending", "unprocessed", "sent", "filtered", "rejected", "quarantined", "expired", "removed"};
    out.push_back(std::move(help));
  }
  return out;
}

const char* query_help() {
  return "  4711 or msg:10..20     sequence numbers\n"
         "  channel:adt_in         name of the channel\n"
         "  type:ADT^A01           beginning of MSH-9, a resource type, or csv\n"
         "  id:MSG0001             MSH-10\n"
         "  mrn:12345              PID-3.1, or an identifier of a FHIR resource\n"
         "  account:A77            PID-18.1\n"
         "  name:\"muster anna\"     words of the patient's name, in any order\n"
         "  path:PID-8=F           a value of the message; path:ward=W1 for `index { key ward … }`\n"
         "  text:\"potassium high\"  words of the message\n"
         "  state:quarantined      pending, unprocessed, sent, filtered, rejected, quarantined, expired, "
         "removed\n"
         "  pending>10m            waits for longer than that\n"
         "  attempts>3             more attempts than that at a destination\n"
         "  dest:adt_in/pas        has an output for that destination\n"
         "  code:AE                outcome code\n"
         "  peer:10.1.             beginning of the sender's address\n"
         "  replay_of:4711         replays of a message\n"
         "  same_id_as:1..         MSH-10 of an earlier message, with another body\n"
         "  since:2h before:2026-11-22   time of receipt (UTC); after: is since:\n"
         "  terms are joined by AND, which may be left out; OR, NOT (or -term) and ( ); quote a value with spaces or "
         "parentheses\n";
}

}  // namespace kiln::engine
