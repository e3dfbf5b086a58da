#include "engine/journal/query_sql.h"

#include <algorithm>

namespace kiln::engine {
namespace {

using Field = QueryTerm::Field;
using Kind = QueryNode::Kind;

constexpr std::size_t kFirstValue = 3;

/// Endings that are few and have an index of their own (schema.h).
bool is_rare(DeliveryState state) {
  return state >= DeliveryState::rejected;
}

bool selects_few(const QueryNode& node) {
  if (node.kind == Kind::all) return std::any_of(node.parts.begin(), node.parts.end(), selects_few);
  if (node.kind == Kind::any) return std::all_of(node.parts.begin(), node.parts.end(), selects_few);
  const QueryTerm& term = node.term;
  if (term.negated) return false;
  if (term.field == Field::pending) return true;
  if (term.field != Field::state) return false;
  const auto state = delivery_state(term.text);
  return !state || is_rare(*state);
}

}  // namespace

QuerySql::QuerySql(const Query& query, const QueryTables& tables) : tables_(tables) {
  if (has_content(query.root)) node(query.root, true);
  where_ = node(query.root, false);
  selective_ = selects_few(query.root);
}

std::string QuerySql::text(std::string value) {
  values_.push_back({true, std::move(value), 0});
  return "?" + std::to_string(kFirstValue + values_.size() - 1);
}

std::string QuerySql::integer(std::int64_t value) {
  values_.push_back({false, {}, value});
  return "?" + std::to_string(kFirstValue + values_.size() - 1);
}

void QuerySql::bind(base::Statement& statement) const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const int index = static_cast<int>(kFirstValue + i);
    if (values_[i].is_text)
      statement.bind(index, std::string_view(values_[i].text));
    else
      statement.bind(index, values_[i].integer);
  }
}

/// `columns`: each term becomes a column, and nothing is returned.
std::string QuerySql::node(const QueryNode& node, bool columns) {
  if (node.kind == Kind::term) {
    if (is_content(node.term)) return "1";
    std::string sql = term(node.term);
    if (!columns) return sql;
    columns_ += ", " + sql;
    ++column_count_;
    return {};
  }
  std::string out;
  for (const QueryNode& part : node.parts) {
    const std::string sql = this->node(part, columns);
    if (!columns) out += (out.empty() ? "" : node.kind == Kind::all ? " AND " : " OR ") + sql;
  }
  if (columns) return {};
  if (out.empty()) return "1";
  return "(" + out + ")";
}

std::string QuerySql::term(const QueryTerm& term) {
  const std::string sql = condition(term);
  return term.negated ? "NOT (" + sql + ")" : "(" + sql + ")";
}

namespace {

std::string exists_delivery(const std::string& condition) {
  return "EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=m.id AND " + condition + ")";
}

/// What waits is found from the outbox, what is rare from its index: not by looking at every message.
std::string state_condition(const std::string& name) {
  // As the view `unprocessed`, but from where messages are not settled: of the two lower ends a view has, SQLite takes one.
  const std::string unprocessed =
      "SELECT u.id FROM msg u WHERE u.id BETWEEN max(?1,(SELECT CAST(value AS INTEGER)+1 FROM meta WHERE key='settled_to')) AND ?2"
      " AND NOT EXISTS(SELECT 1 FROM delivery d WHERE d.msg_id=u.id)"
      " AND NOT EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=u.id)";
  if (name == "unprocessed") return "m.id IN (" + unprocessed + ")";
  if (name == "pending")
    return "m.id IN (SELECT o.msg_id FROM dests CROSS JOIN outbox o ON o.dest=dests.dest WHERE o.msg_id BETWEEN ?1 AND ?2"
           " UNION ALL " + unprocessed + ")";
  const DeliveryState state = *delivery_state(name);
  const std::string number = std::to_string(static_cast<int>(state));
  if (!is_rare(state)) return exists_delivery("d.state=" + number);
  return "m.id IN (SELECT msg_id FROM delivery WHERE state=" + number + " AND state>=2 AND msg_id BETWEEN ?1 AND ?2)";
}

}  // namespace

std::string QuerySql::condition(const QueryTerm& term) {
  switch (term.field) {
    case Field::channel:
      return "m.channel=" + text(term.text);
    case Field::type: {  // beginnings are compared by bytes
      const std::string value = text(term.text);
      return "substr(m.type,1,length(" + value + "))=" + value;
    }
    case Field::peer: {
      const std::string value = text(term.text);
      return "substr(m.peer,1,length(" + value + "))=" + value;
    }
    case Field::id:
      if (tables_.keys == nullptr) return "m.control_id=" + text(term.text);
      return "m.control_id=CASE WHEN m.key_id=0 THEN " + text(term.text) + " ELSE " +
             text(tables_.keys->control_token(term.text)) + " END";
    case Field::code:
      return exists_delivery("d.code=" + text(term.text));
    case Field::state:
      return state_condition(term.text);
    case Field::pending:
      return state_condition("pending") + " AND m.received_us<" + integer(term.low);
    case Field::attempts: {
      const std::string value = integer(term.low);
      return exists_delivery("d.attempts>" + value) +
             " OR EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=m.id WHERE o.attempts>" +
             value + ")";
    }
    case Field::dest: {
      const std::string value = text(term.text);
      return exists_delivery("(d.dest=" + value + " OR d.dest=m.channel||'/'||" + value + ")") +
             " OR EXISTS(SELECT 1 FROM dests CROSS JOIN outbox o ON o.dest=dests.dest AND o.msg_id=m.id WHERE dests.dest=" +
             value + " OR substr(dests.dest,instr(dests.dest,'/')+1)=" + value + ")";
    }
    case Field::since:
      return "m.received_us>=" + integer(term.low);
    case Field::before:
      return "m.received_us<" + integer(term.low);
    case Field::msg:
      return "m.id BETWEEN " + integer(term.low) + " AND " + integer(term.high);
    case Field::replay_of:
      return "m.replay_of IS NOT NULL AND m.replay_of BETWEEN " + integer(term.low) + " AND " + integer(term.high);
    case Field::same_id_as:
      if (!tables_.same_id) return "0";
      return "EXISTS(SELECT 1 FROM same_id s WHERE s.msg_id=m.id AND s.earlier BETWEEN " + integer(term.low) + " AND " +
             integer(term.high) + ")";
    default:
      return "1";  // content
  }
}

}  // namespace kiln::engine
