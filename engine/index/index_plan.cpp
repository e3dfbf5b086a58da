#include "engine/index/index_plan.h"

#include <algorithm>

namespace kiln::engine {
namespace {

using base::Result;
using Field = QueryTerm::Field;
using Kind = QueryNode::Kind;

/// Terms that hold for the whole query.
std::vector<const QueryTerm*> required_terms(const QueryNode& root) {
  std::vector<const QueryTerm*> out;
  if (root.kind == Kind::term) out.push_back(&root.term);
  if (root.kind == Kind::all)
    for (const QueryNode& part : root.parts)
      if (part.kind == Kind::term) out.push_back(&part.term);
  std::erase_if(out, [](const QueryTerm* term) { return term->negated; });
  return out;
}

class Planner {
 public:
  Planner(const Query& query, IndexReader& index, const IndexRules& rules) : index_(index), rules_(rules) {
    has_text_ = rules.text_channels.contains("*");
    for (const QueryTerm* term : required_terms(query.root))
      if (term->field == Field::channel && rules.has_text(term->text)) has_text_ = true;
  }

  Result<IndexPlan> node(const QueryNode& node) {
    if (node.kind == Kind::term) return term(node.term);
    IndexPlan out;
    const bool all = node.kind == Kind::all;
    out.keys.kind = all ? KeyNode::Kind::all : KeyNode::Kind::any;
    out.selective = !all;
    for (const QueryNode& part : node.parts) {
      TRY(IndexPlan inner, this->node(part));
      if (inner.keys.empty()) {
        if (!all) return IndexPlan{};
        continue;
      }
      out.keys.parts.push_back(std::move(inner.keys));
      out.selective = all ? out.selective || inner.selective : out.selective && inner.selective;
    }
    return out;
  }

 private:
  Result<IndexPlan> term(const QueryTerm& term) {
    if (term.negated || (term.field == Field::text && !has_text_)) return IndexPlan{};
    IndexPlan out;
    if (term.field == Field::type) {
      TRY(const auto types, index_.types(term.text));
      out.keys.kind = KeyNode::Kind::any;
      for (const std::string& type : types) out.keys.parts.push_back(index_.key("type", type));
      // No message has it: neither has one this key.
      if (types.empty()) out.keys.parts.push_back(index_.key("type", ""));
      out.selective = types.empty();
      return out;
    }
    const auto wanted = wanted_keys(term, rules_);
    if (!wanted) return out;
    for (const std::string& value : wanted->values) out.keys.parts.push_back(index_.key(wanted->kind, value));
    out.selective = term.field != Field::channel;
    return out;
  }

  IndexReader& index_;
  const IndexRules& rules_;
  bool has_text_ = false;
};

}  // namespace

Result<IndexPlan> plan_index(const Query& query, IndexReader& index, const IndexRules& rules) {
  return Planner(query, index, rules).node(query.root);
}

QueryRange range_of(const Query& query) {
  QueryRange out;
  for (const QueryTerm* term : required_terms(query.root)) {
    if (term->field == Field::since) out.received_from = std::max(out.received_from, term->low);
    if (term->field == Field::before || term->field == Field::pending) out.received_to = std::min(out.received_to, term->low - 1);
    if (term->field != Field::msg) continue;
    out.first = std::max(out.first, static_cast<MessageId>(term->low));
    out.last = std::min(out.last, static_cast<MessageId>(term->high));
  }
  return out;
}

}  // namespace kiln::engine
