#include "fhir/path/detail/parser.h"

#include <re2/re2.h>

#include <algorithm>

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/lexer.h"
#include "fhir/path/detail/pattern.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
namespace limits = base::limits;

/// A tree higher than this could overflow the stack of its evaluation.
constexpr unsigned kHeightMax = 600;

struct Operator {
  std::string_view text;
  bool word;
  int level;  ///< binds tighter when larger
  PathOp op;
};
constexpr int kTypeLevel = 8;
constexpr Operator kOperators[] = {
    {"implies", true, 1, PathOp::implies}, {"or", true, 2, PathOp::or_},
    {"xor", true, 2, PathOp::xor_},        {"and", true, 3, PathOp::and_},
    {"in", true, 4, PathOp::in},           {"contains", true, 4, PathOp::contains},
    {"=", false, 5, PathOp::equal},        {"!=", false, 5, PathOp::not_equal},
    {"~", false, 5, PathOp::equivalent},   {"!~", false, 5, PathOp::not_equivalent},
    {"<", false, 6, PathOp::less},         {"<=", false, 6, PathOp::less_equal},
    {">", false, 6, PathOp::greater},      {">=", false, 6, PathOp::greater_equal},
    {"|", false, 7, PathOp::unite},        {"is", true, kTypeLevel, PathOp::is},
    {"as", true, kTypeLevel, PathOp::as},  {"+", false, 9, PathOp::add},
    {"-", false, 9, PathOp::subtract},     {"&", false, 9, PathOp::concatenate},
    {"*", false, 10, PathOp::multiply},    {"/", false, 10, PathOp::divide},
    {"div", true, 10, PathOp::div},        {"mod", true, 10, PathOp::mod},
};

class Parser {
 public:
  Parser(PathProgram& program, std::vector<Token> tokens) : program_(program), tokens_(std::move(tokens)) {}

  base::Status run() {
    const PathExpr* root = binary(1);
    if (root && now().kind != TokenKind::end) root = stop("an operator or the end is expected here");
    if (!root) return base::fail(std::move(error_));
    program_.root = root;
    return {};
  }

 private:
  const Token& now() const { return tokens_[at_]; }
  const Token& following() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool take(std::string_view symbol) {
    if (!now().is(symbol)) return false;
    ++at_;
    return true;
  }

  PathExpr* stop(std::string what, ErrorCode code = ErrorCode::fhirpath_syntax) {
    return stop_at(std::move(what), now().offset, code);
  }
  PathExpr* stop_at(std::string what, std::size_t offset, ErrorCode code) {
    if (error_.text.empty()) error_ = path_error(code, std::move(what), program_.text, offset);
    return nullptr;
  }

  PathExpr* make(PathOp op, std::uint32_t offset) {
    PathExpr& expr = program_.exprs.emplace_back();
    expr.op = op;
    expr.offset = offset;
    return &expr;
  }
  std::string_view keep(const std::string& text) { return program_.texts.emplace_back(text); }

  /// Notes how high the tree below is; refuses what would overflow the stack.
  PathExpr* finish(PathExpr* expr) {
    unsigned height = 0;
    const auto see = [&height](const PathExpr* part) {
      if (part) height = std::max<unsigned>(height, part->height);
    };
    see(expr->left);
    see(expr->right);
    for (const PathExpr* arg : expr->args) see(arg);
    expr->height = static_cast<std::uint16_t>(height + 1);
    if (expr->height > kHeightMax)
      return stop_at("the expression is too long a chain", expr->offset, ErrorCode::fhirpath_budget);
    return expr;
  }

  const Operator* operator_here() const {
    const Token& token = now();
    if (token.kind != TokenKind::symbol && token.kind != TokenKind::name) return nullptr;
    for (const Operator& op : kOperators)
      if (op.word == (token.kind == TokenKind::name) && op.text == token.text) return &op;
    return nullptr;
  }

  PathExpr* binary(int level) {
    if (++depth_ > limits::kPathDepthMax) return stop("nested too deeply", ErrorCode::fhirpath_budget);
    PathExpr* left = unary();
    while (left) {
      const Operator* op = operator_here();
      if (!op || op->level < level) break;
      const std::uint32_t offset = now().offset;
      ++at_;
      PathExpr* expr = make(op->op, offset);
      expr->left = left;
      expr->text = op->text;
      if (op->level == kTypeLevel) {
        if (!type_specifier(*expr)) return nullptr;
      } else {
        expr->right = binary(op->level + 1);
        if (!expr->right) return nullptr;
      }
      left = finish(expr);
    }
    --depth_;
    return left;
  }

  PathExpr* unary() {
    if (!now().is("-") && !now().is("+")) return postfix();
    PathExpr* expr = make(now().is("-") ? PathOp::negate : PathOp::plus_sign, now().offset);
    ++at_;
    if (++depth_ > limits::kPathDepthMax) return stop("nested too deeply", ErrorCode::fhirpath_budget);
    expr->left = unary();
    --depth_;
    return expr->left ? finish(expr) : nullptr;
  }

  PathExpr* postfix() {
    PathExpr* left = term();
    while (left) {
      const std::uint32_t offset = now().offset;
      if (take(".")) {
        left = invocation(left);
      } else if (take("[")) {
        PathExpr* expr = make(PathOp::indexer, offset);
        expr->left = left;
        expr->right = binary(1);
        if (!expr->right) return nullptr;
        if (!take("]")) return stop("] is expected here");
        left = finish(expr);
      } else {
        break;
      }
    }
    return left;
  }

  bool is_name() const { return now().kind == TokenKind::name || now().kind == TokenKind::quoted_name; }

  /// What stands behind "." or alone: a name, a call, $this …
  PathExpr* invocation(PathExpr* left) {
    const Token token = now();
    if (token.kind == TokenKind::symbol && token.text.starts_with('$')) {
      if (left) return stop("$this, $index and $total stand at the start of a path");
      ++at_;
      return finish(make(token.text == "$this"    ? PathOp::self
                         : token.text == "$index" ? PathOp::index
                                                  : PathOp::total,
                         token.offset));
    }
    if (!is_name()) return stop("a name is expected here");
    ++at_;
    if (token.kind == TokenKind::name && now().is("(")) return call(left, token);
    PathExpr* expr = make(left ? PathOp::member : PathOp::head, token.offset);
    expr->left = left;
    expr->text = keep(token.text);
    expr->name = find_name(expr->text);
    if (!left) expr->type_def = find_type(expr->text);
    return finish(expr);
  }

  PathExpr* call(PathExpr* left, const Token& name) {
    PathExpr* expr = make(PathOp::call, name.offset);
    expr->left = left;
    expr->text = keep(name.text);
    expr->function = find_path_function(expr->text);
    if (!expr->function)
      return stop_at("there is no function " + name.text + "()", name.offset, ErrorCode::fhirpath_semantic);
    ++at_;  // (
    if (expr->function->takes_type) {
      if (!type_specifier(*expr)) return nullptr;
      if (!take(")")) return stop(") is expected here");
      return finish(expr);
    }
    const bool sorts = expr->text == "sort";
    while (!now().is(")")) {
      if (!expr->args.empty() && !take(",")) return stop(", or ) is expected here");
      PathExpr* arg = binary(1);
      if (!arg) return nullptr;
      if (sorts) arg = sort_key(arg);
      expr->args.push_back(arg);
    }
    ++at_;
    const std::size_t count = expr->args.size();
    if (count < expr->function->args_min || count > expr->function->args_max)
      return stop_at(name.text + "() takes another number of arguments", name.offset,
                     ErrorCode::fhirpath_semantic);
    if (!prepare_pattern(*expr)) return nullptr;
    return finish(expr);
  }

  /// sort(-$this): the sign is the direction. Also "asc" and "desc" behind the key.
  PathExpr* sort_key(PathExpr* arg) {
    if (arg->op == PathOp::negate) {
      arg = arg->left;
      arg->descending = true;
    }
    if (now().is_word("desc") || now().is_word("asc")) {
      arg->descending = now().is_word("desc");
      ++at_;
    }
    return arg;
  }

  /// A literal pattern is compiled once.
  bool prepare_pattern(PathExpr& expr) {
    const bool full = expr.text == "matchesFull";
    if (!full && expr.text != "matches" && expr.text != "replaceMatches") return true;
    const PathExpr& pattern = *expr.args[0];
    if (pattern.op != PathOp::literal || !pattern.literal.is(PathKind::string)) return true;
    expr.regex = compile_pattern(pattern.literal.text());
    if (expr.regex) return true;
    stop_at("the regular expression is not valid", pattern.offset, ErrorCode::fhirpath_semantic);
    return false;
  }

  bool type_specifier(PathExpr& expr) {
    if (!is_name()) return stop("the name of a type is expected here") != nullptr;
    std::string space, name = now().text;
    ++at_;
    if (now().is(".") && (name == "FHIR" || name == "System")) {
      ++at_;
      if (!is_name()) return stop("the name of a type is expected here") != nullptr;
      space = name;
      name = now().text;
      ++at_;
    }
    expr.type = resolve_type(keep(space), keep(name));
    return true;
  }

  PathExpr* term() {
    const Token token = now();
    switch (token.kind) {
      case TokenKind::string:
        ++at_;
        return literal(token, PathItem::of_text(PathKind::string, keep(token.text)));
      case TokenKind::number:
        ++at_;
        return number(token);
      case TokenKind::date:
        ++at_;
        return date(token);
      case TokenKind::variable: {
        ++at_;
        PathExpr* expr = make(PathOp::variable, token.offset);
        expr->text = keep(token.text);
        return finish(expr);
      }
      case TokenKind::name:
        if ((token.text == "true" || token.text == "false") && !following().is("(")) {
          ++at_;
          return literal(token, PathItem::of_boolean(token.text == "true"));
        }
        return invocation(nullptr);
      case TokenKind::quoted_name:
        return invocation(nullptr);
      case TokenKind::symbol:
        break;
      case TokenKind::end:
        return stop("the expression is not finished");
    }
    if (take("(")) {
      PathExpr* inner = binary(1);
      if (inner && !take(")")) return stop(") is expected here");
      return inner;
    }
    if (take("{")) {
      if (!take("}")) return stop("} is expected here");
      return finish(make(PathOp::nothing, token.offset));
    }
    if (token.text.starts_with('$')) return invocation(nullptr);
    return stop("a value, a name or ( is expected here");
  }

  PathExpr* literal(const Token& token, PathItem item) {
    PathExpr* expr = make(PathOp::literal, token.offset);
    expr->literal = item;
    return finish(expr);
  }

  PathExpr* number(const Token& token) {
    const bool is_integer = token.text.find('.') == std::string::npos;
    if (token.text.size() > 100) return stop_at("too many digits", token.offset, ErrorCode::fhirpath_budget);
    const std::string text = plain_number(token.text);
    std::string unit;
    bool calendar = false;
    if (now().kind == TokenKind::string) {
      unit = now().text;
    } else if (now().kind == TokenKind::name) {
      unit = calendar_word(now().text);
      calendar = !unit.empty();
    }
    if (!unit.empty()) {
      ++at_;
      const PathQuantity& quantity =
          program_.quantities.emplace_back(PathQuantity{keep(text), keep(unit), calendar});
      return literal(token, PathItem::of_quantity(&quantity));
    }
    if (!is_integer) return literal(token, PathItem::of_text(PathKind::decimal, keep(text)));
    std::int64_t value = 0;
    for (const char c : text) {
      value = value * 10 + (c - '0');
      // Larger than an Integer: a Decimal.
      if (value > 2'147'483'648) return literal(token, PathItem::of_text(PathKind::decimal, keep(text)));
    }
    return literal(token, PathItem::of_integer(value));
  }

  PathExpr* date(const Token& token) {
    const std::string& text = token.text;
    const bool time = text.starts_with('T'), date_time = !time && text.find('T') != std::string::npos;
    const auto value = time ? parse_time(text) : date_time ? parse_date_time(text) : parse_date(text);
    if (!value) {
      PathExpr* expr = make(PathOp::failure, token.offset);
      expr->text = time ? "the time literal is not valid" : "the date literal is not valid";
      return finish(expr);
    }
    const PathKind kind = time ? PathKind::time : date_time ? PathKind::date_time : PathKind::date;
    return literal(token, PathItem::of_date(kind, &program_.dates.emplace_back(*value)));
  }

  PathProgram& program_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  base::Error error_;
};

}  // namespace

PathType resolve_type(std::string_view space, std::string_view name) {
  static constexpr std::string_view system[] = {"Boolean", "String",   "Integer", "Decimal",
                                                "Date",    "DateTime", "Time",    "Quantity"};
  PathType type;
  type.space = space;
  type.name = name;
  if (space != "System") type.fhir = find_type(name);
  if (space != "FHIR")
    type.system = std::find(std::begin(system), std::end(system), name) != std::end(system);
  return type;
}

base::Result<std::shared_ptr<PathProgram>> parse_path(std::string_view text) {
  if (text.size() > limits::kPathExpressionBytesMax)
    return base::fail(
        ErrorCode::fhirpath_budget,
        "the expression has more than " + std::to_string(limits::kPathExpressionBytesMax) + " bytes");
  TRY(auto tokens, path_tokens(text));
  auto program = std::make_shared<PathProgram>();
  program->text = std::string(text);
  Parser parser(*program, std::move(tokens));
  TRY_VOID(parser.run());
  return program;
}

}  // namespace kiln::fhir::detail
