#include "mappings/detail/test_expect.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "engine/base/decimal.h"
#include "engine/base/text.h"

namespace kiln::mappings::detail {

using ast::BinaryOp;

namespace {

TestValue number(std::uint64_t value) {
  return TestNumber{std::to_string(value)};
}

bool is_absent(const TestValue& value) {
  return std::holds_alternative<TestAbsent>(value);
}

/// The text of a scalar; nothing for absent, null and lists.
std::optional<std::string> text_of(const TestValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<TestNumber>(&value)) return number->text;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return std::nullopt;
}

std::string diagnostic_text(const RunDiagnostic& diagnostic) {
  std::string text(diagnostic.code);
  for (const std::string& part : {diagnostic.source, diagnostic.text, diagnostic.rule}) {
    if (!part.empty()) text += " " + part;
  }
  return text;
}

TestTexts warnings_of(const std::vector<RunDiagnostic>& diagnostics) {
  TestTexts out;
  out.loose = true;
  for (const RunDiagnostic& diagnostic : diagnostics) {
    if (diagnostic.level != RunDiagnostic::Level::note) out.texts.push_back(diagnostic_text(diagnostic));
  }
  return out;
}

}  // namespace

TestValue ExpectEvaluator::trouble(std::string text) {
  if (trouble_.empty()) trouble_ = std::move(text);
  return TestAbsent{};
}

std::string_view ExpectEvaluator::keep(std::string_view text) {
  names_.push_back(std::make_unique<std::string>(text));
  return *names_.back();
}

ExpectEvaluator::Outcome ExpectEvaluator::check(const ast::Expr& condition, const base::SourceMap& source) {
  Outcome outcome;
  trouble_.clear();
  outcome.holds = truth(condition);
  if (!trouble_.empty()) {
    outcome.holds = false;
    outcome.actual = std::exchange(trouble_, {});
    return outcome;
  }
  if (outcome.holds) return outcome;
  if (const auto* binary = condition.get_if<ast::Binary>(); binary != nullptr && binary->op >= BinaryOp::eq) {
    outcome.expected =
        source.text({binary->right->span.file, binary->op_span.begin, binary->right->span.end});
    outcome.actual = show(evaluate(*binary->left));
  } else if (const auto* test = condition.get_if<ast::Is>()) {
    outcome.expected = source.text({condition.span.file, test->operand->span.end, condition.span.end});
    outcome.actual = show(evaluate(*test->operand));
  } else {
    outcome.actual = "false";
  }
  outcome.expected = std::string(base::trim(outcome.expected));
  return outcome;
}

std::string ExpectEvaluator::show(const TestValue& value) {
  if (is_absent(value)) return "absent";
  if (std::holds_alternative<TestNull>(value)) return "null";
  if (const auto* texts = std::get_if<TestTexts>(&value)) {
    std::string out = "[";
    for (const std::string& text : texts->texts) out += (out.size() > 1 ? ", \"" : "\"") + text + "\"";
    return out + "]";
  }
  if (std::holds_alternative<TestResultsList>(value)) return std::to_string(*count_of(value)) + " items";
  if (const auto* path = std::get_if<TestPath>(&value)) {
    const auto found = items(*path);
    if (found.empty()) return "absent";
    std::string out;
    for (const ReadItem& item : found) {
      out += (out.empty() ? "" : ", ");
      out += item.is_null ? "null" : item.is_object ? item.type + " {…}" : "\"" + item.text + "\"";
    }
    return out;
  }
  if (const auto* text = std::get_if<std::string>(&value)) return "\"" + *text + "\"";
  return text_of(value).value_or("");
}

// ---- conditions ----

bool ExpectEvaluator::truth(const ast::Expr& expr) {
  if (const auto* negation = expr.get_if<ast::Not>()) return !truth(*negation->operand);
  if (const auto* test = expr.get_if<ast::Is>()) return is(*test);
  if (const auto* binary = expr.get_if<ast::Binary>()) {
    switch (binary->op) {
      case BinaryOp::logical_or:
        return truth(*binary->left) || truth(*binary->right);
      case BinaryOp::logical_and:
        return truth(*binary->left) && truth(*binary->right);
      case BinaryOp::in:
        return in_list(*binary->left, *binary->right);
      case BinaryOp::matches:
        return matches(*binary->left, *binary->right);
      case BinaryOp::contains:
        return contains(evaluate(*binary->left), evaluate(*binary->right));
      case BinaryOp::eq:
      case BinaryOp::ne:
      case BinaryOp::lt:
      case BinaryOp::le:
      case BinaryOp::gt:
      case BinaryOp::ge:
        return compare(binary->op, *binary->left, *binary->right);
      default:
        break;
    }
  }
  const TestValue value = scalar(evaluate(expr));
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  const auto text = text_of(value);
  if (!text || (*text != "true" && *text != "false")) trouble("this is no condition: " + show(value));
  return text == "true";
}

bool ExpectEvaluator::compare(BinaryOp op, const ast::Expr& left_expr, const ast::Expr& right_expr) {
  const TestValue left_value = scalar(evaluate(left_expr));
  const TestValue right_value = scalar(evaluate(right_expr));
  const auto left = text_of(left_value), right = text_of(right_value);
  // With an absent operand `!=` is true and every other comparison false (hmap.md §10).
  if (!left || !right) return op == BinaryOp::ne;
  int order = left->compare(*right);
  const bool numeric =
      std::holds_alternative<TestNumber>(left_value) || std::holds_alternative<TestNumber>(right_value);
  if (numeric) {
    const auto a = base::Decimal::parse(*left), b = base::Decimal::parse(*right);
    if (!a || !b) return op == BinaryOp::ne;
    const auto compared = a->compare(*b);
    order = compared < 0 ? -1 : compared > 0 ? 1 : 0;
  }
  switch (op) {
    case BinaryOp::eq:
      return order == 0;
    case BinaryOp::ne:
      return order != 0;
    case BinaryOp::lt:
      return order < 0;
    case BinaryOp::le:
      return order <= 0;
    case BinaryOp::gt:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool ExpectEvaluator::contains(const TestValue& left, const TestValue& right_value) {
  const auto right = text_of(scalar(right_value));
  if (!right) return false;
  if (const auto* texts = std::get_if<TestTexts>(&left)) {
    return std::any_of(texts->texts.begin(), texts->texts.end(), [&](const std::string& text) {
      return texts->loose ? text.find(*right) != std::string::npos : text == *right;
    });
  }
  if (const auto* path = std::get_if<TestPath>(&left)) {
    const auto found = items(*path);
    if (found.size() == 1) return found[0].text.find(*right) != std::string::npos;
    return std::any_of(found.begin(), found.end(), [&](const ReadItem& item) { return item.text == *right; });
  }
  const auto text = text_of(left);
  return text && text->find(*right) != std::string::npos;
}

bool ExpectEvaluator::in_list(const ast::Expr& left_expr, const ast::Expr& right_expr) {
  const auto left = text_of(scalar(evaluate(left_expr)));
  const auto* list = right_expr.get_if<ast::List>();
  if (list == nullptr) {
    trouble("`in` needs a list: [\"a\", \"b\"]");
    return false;
  }
  return left && std::any_of(list->items.begin(), list->items.end(), [&](const ast::ExprPtr& item) {
           return text_of(scalar(evaluate(*item))) == left;
         });
}

bool ExpectEvaluator::matches(const ast::Expr& left_expr, const ast::Expr& right_expr) {
  const auto left = text_of(scalar(evaluate(left_expr)));
  const auto* regex = right_expr.get_if<ast::Regex>();
  if (regex == nullptr) {
    trouble("`matches` needs a pattern: re\"…\"");
    return false;
  }
  const re2::RE2 pattern(regex->pattern, re2::RE2::Quiet);
  if (!pattern.ok()) trouble("the pattern is not understood");
  return left && pattern.ok() && re2::RE2::PartialMatch(*left, pattern);
}

bool ExpectEvaluator::is(const ast::Is& test) {
  const TestValue value = evaluate(*test.operand);
  bool result = false;
  if (test.kind == ast::Is::Kind::type) {
    const auto* path = std::get_if<TestPath>(&value);
    if (path == nullptr && !is_absent(value)) trouble("only a path has a type");
    const auto found = path != nullptr ? items(*path) : std::vector<ReadItem>();
    result = !found.empty() && std::all_of(found.begin(), found.end(), [&](const ReadItem& item) {
      return item.type == test.type.name.text;
    });
  } else {
    const auto* path = std::get_if<TestPath>(&value);
    const auto found = path != nullptr ? items(*path) : std::vector<ReadItem>();
    const bool null = std::holds_alternative<TestNull>(value) || (!found.empty() && found[0].is_null);
    const bool absent = is_absent(value) || (path != nullptr && found.empty());
    result = test.kind == ast::Is::Kind::null ? null : !null && !absent;
  }
  return result != test.negated;
}

// ---- values ----

TestValue ExpectEvaluator::evaluate(const ast::Expr& expr) {
  if (const auto* literal = expr.get_if<ast::Literal>()) {
    if (literal->kind == ast::Literal::Kind::number) return TestNumber{literal->text};
    return literal->text;
  }
  if (const auto* fallback = expr.get_if<ast::Binary>();
      fallback != nullptr && fallback->op == BinaryOp::coalesce) {
    TestValue first = scalar(evaluate(*fallback->left));
    return is_absent(first) ? evaluate(*fallback->right) : first;
  }
  if (const auto* node = expr.get_if<ast::Call>()) return call(*node);
  if (expr.get_if<ast::Binary>() != nullptr || expr.get_if<ast::Not>() != nullptr ||
      expr.get_if<ast::Is>() != nullptr) {
    if (const auto* binary = expr.get_if<ast::Binary>(); binary != nullptr && binary->op >= BinaryOp::add) {
      return trouble("`expect` does not calculate");
    }
    return truth(expr);
  }
  return path_or_name(expr);
}

TestValue ExpectEvaluator::path_or_name(const ast::Expr& expr) {
  if (const auto* ident = expr.get_if<ast::Ident>()) return name(ident->name);
  if (const auto* node = expr.get_if<ast::Member>()) {
    const auto* owner = node->base->get_if<ast::Ident>();
    if (results_.channel != nullptr && owner != nullptr) return channel_member(owner->name, node->name.text);
    return member(evaluate(*node->base), node->name.text);
  }
  if (const auto* node = expr.get_if<ast::Index>()) return index(evaluate(*node->base), node->selector);
  if (const auto* node = expr.get_if<ast::V2Ref>()) return v2ref(*node);
  if (const auto* node = expr.get_if<ast::Component>()) {
    return add_step(evaluate(*node->base), ReadStep::Kind::component, {},
                    static_cast<std::uint32_t>(node->number.value));
  }
  if (const auto* node = expr.get_if<ast::ExtStep>()) {
    return add_step(evaluate(*node->base), ReadStep::Kind::extension, node->name.text, 0);
  }
  if (expr.get_if<ast::This>() != nullptr) {
    if (this_.empty()) return trouble("`.` has a meaning only inside `[where …]`");
    return this_.back();
  }
  return trouble("`expect` takes paths, literals, comparisons, count, exists, lineage and golden");
}

TestValue ExpectEvaluator::name(const std::string& name) {
  if (name == "true" || name == "false") return name == "true";
  if (results_.channel != nullptr) return channel_name(name);
  const RunResult* result = results_.map;
  if (result == nullptr) return trouble("nothing has been run yet");
  if (name == "warnings") return warnings_of(result->diagnostics);
  if (name == "unread") return TestTexts{results_.runner->unread(), false};
  if (name == "quarantined") {
    return number((result->outcome == kiln::mappings::Outcome::quarantined ? 1u : 0u) + result->children.size());
  }
  if (name == "outcome") return std::string(name_of(result->outcome));
  if (name == "reason") return result->reason;
  if (name == "error") return number(static_cast<std::uint64_t>(result->error_code));
  return enter(*result, name);
}

TestValue ExpectEvaluator::channel_name(const std::string& name) {
  const ChannelTestOutcome& outcome = *results_.channel;
  if (name == "warnings") return warnings_of(outcome.diagnostics);
  if (name == "quarantined") return number(outcome.quarantined);
  if (name == "unread") return trouble("`unread` is known where a test runs a map");
  return trouble("there is no `" + name +
                 "`: `ack`, `warnings`, `quarantined` or a destination with a property");
}

/// `ack.code`, `pas.attempts`, `repo.sent`.
TestValue ExpectEvaluator::channel_member(const std::string& owner, const std::string& property) {
  const ChannelTestOutcome& outcome = *results_.channel;
  if (owner == "ack") {
    if (property == "code")
      return outcome.ack_code.empty() ? TestValue(TestAbsent{}) : TestValue(outcome.ack_code);
    if (property != "error") return trouble("`ack` has `code` and `error`");
    return outcome.ack_error == 0 ? TestValue(TestAbsent{})
                                  : number(static_cast<std::uint64_t>(outcome.ack_error));
  }
  const auto destination = std::find_if(outcome.destinations.begin(), outcome.destinations.end(),
                                        [&](const DestinationOutcome& other) { return other.name == owner; });
  if (destination == outcome.destinations.end())
    return trouble("the channel has no destination `" + owner + "`");
  if (property == "queued") return number(destination->queued);
  if (property == "quarantined") return number(destination->quarantined);
  if (property == "attempts") return number(destination->attempts);
  TestResultsList list;
  list.rows = property == "rows";
  if (!list.rows && property != "sent") {
    return trouble("a destination has `sent`, `rows`, `queued`, `quarantined` and `attempts`");
  }
  for (const RunResult& result : destination->sent) list.results.push_back(&result);
  return list;
}

TestValue ExpectEvaluator::member(TestValue base, const std::string& name) {
  if (auto* path = std::get_if<TestPath>(&base)) {
    // `repo.sent[1].patient`: the first name after a sent message may be a handle.
    if (path->root.empty() && path->steps.empty() && path->reader->has_root(name)) {
      path->root = name;
      return base;
    }
    return add_step(std::move(base), ReadStep::Kind::member, name, 0);
  }
  if (is_absent(base)) return base;
  return trouble("`." + name + "` does not apply to " + show(base));
}

TestValue ExpectEvaluator::add_step(TestValue base, ReadStep::Kind kind, std::string_view text,
                                    std::uint32_t number) {
  auto* path = std::get_if<TestPath>(&base);
  if (path != nullptr)
    path->steps.push_back({kind, keep(text), number});
  else if (!is_absent(base))
    return trouble("a path does not go into " + show(base));
  return base;
}

TestValue ExpectEvaluator::index(TestValue base, const ast::Selector& selector) {
  using SelectorKind = ast::Selector::Kind;
  if (selector.kind == SelectorKind::all || is_absent(base)) return base;
  if (selector.kind == SelectorKind::where) {
    auto* path = std::get_if<TestPath>(&base);
    return path != nullptr ? select_where(std::move(*path), *selector.expr) : trouble("`where` needs a path");
  }
  std::uint64_t at = 0;
  if (selector.kind == SelectorKind::last) {
    at = count_of(base).value_or(0);
  } else {
    const std::string text = text_of(scalar(evaluate(*selector.expr))).value_or("");
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), at);
    if (code != std::errc() || end != text.data() + text.size() || at == 0)
      return trouble("an index is 1, 2, …");
  }
  if (const auto* list = std::get_if<TestResultsList>(&base)) {
    for (const RunResult* result : list->results) {
      const std::uint64_t here = list->rows ? result->csv_row_offsets.size() : 1;
      if (at > here) {
        at -= here;
        continue;
      }
      TestValue entered = enter(*result, list->rows ? "rows" : "");
      if (!list->rows) return entered;
      return add_step(std::move(entered), ReadStep::Kind::index, {}, static_cast<std::uint32_t>(at));
    }
    return TestAbsent{};
  }
  return add_step(std::move(base), ReadStep::Kind::index, {}, static_cast<std::uint32_t>(at));
}

TestValue ExpectEvaluator::select_where(TestPath path, const ast::Expr& condition) {
  const std::size_t size = items(path).size();
  for (std::size_t i = 1; i <= size; ++i) {
    TestPath one = path;
    one.steps.push_back({ReadStep::Kind::index, {}, static_cast<std::uint32_t>(i)});
    this_.push_back(one);
    const bool found = truth(condition);
    this_.pop_back();
    if (found) return one;
  }
  return TestAbsent{};
}

TestValue ExpectEvaluator::v2ref(const ast::V2Ref& ref) {
  TestValue value = TestAbsent{};
  if (ref.base)
    value = evaluate(*ref.base);
  else if (results_.map != nullptr)
    value = enter(*results_.map, "");
  else
    return trouble("write the destination first: `adt.sent[1].PID-5`");
  value = add_step(std::move(value), ReadStep::Kind::hl7_field, ref.segment.text,
                   static_cast<std::uint32_t>(ref.field.value));
  if (ref.selector.kind != ast::Selector::Kind::none) value = index(std::move(value), ref.selector);
  for (const ast::PathNumber& piece : {ref.component, ref.subcomponent}) {
    if (piece.value == 0) continue;
    value =
        add_step(std::move(value), ReadStep::Kind::component, {}, static_cast<std::uint32_t>(piece.value));
  }
  return value;
}

TestValue ExpectEvaluator::enter(const RunResult& result, std::string root) {
  auto reader = readers_.find(&result);
  if (reader == readers_.end()) {
    auto opened = ResultReader::open(result);
    if (!opened) return trouble("the result cannot be read: " + opened.error().message());
    reader = readers_.emplace(&result, std::move(*opened)).first;
  }
  return TestPath{&reader->second, std::move(root), {}};
}

TestValue ExpectEvaluator::call(const ast::Call& node) {
  const auto* callee = node.callee->get_if<ast::Ident>();
  const std::string name = callee != nullptr ? callee->name : "";
  if (name == "golden") return golden(node);
  if (node.args.size() != 1) return trouble("functions in `expect`: count(x), exists(x), lineage(path), golden(\"file\")");
  const ast::Expr& argument = *node.args[0].value;
  if (name == "lineage") return lineage(argument);
  if (name != "count" && name != "exists") {
    return trouble("there is no function `" + name + "` in `expect`: count, exists, lineage, golden");
  }
  const TestValue value = evaluate(argument);
  const std::uint64_t size = count_of(value).value_or(is_absent(value) ? 0 : 1);
  if (name == "count") return number(size);
  return size != 0;
}

}  // namespace kiln::mappings::detail
