#pragma once
// Expressions of a syntax tree as text; syntax_dump.cpp has statements and declarations.

#include <string>
#include <string_view>

#include "mappings/ast.h"

namespace kiln::mappings::test {

using namespace ast;

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '"')
      out += "\\\"";
    else
      out += c;
  }
  return out + "\"";
}

class ExpressionDumper {
 public:
  virtual ~ExpressionDumper() = default;
  void expr(const ExprPtr& expr) {
    if (expr)
      this->expr(*expr);
    else
      line("(none)");
  }
  void expr(const Expr& expr) {
    std::visit([&](const auto& node) { expression(node); }, expr.node);
  }

 protected:
  virtual void block(const Block& block) = 0;
  void line(std::string_view text) { out_.append(2 * depth_, ' ').append(text).append("\n"); }
  template <class F>
  void nested(F body) {
    ++depth_;
    body();
    --depth_;
  }
  void labelled(std::string_view label, const ExprPtr& child) {
    if (!child) return;
    line(label);
    nested([&] { expr(child); });
  }

  static std::string text(const Literal& literal) {
    switch (literal.kind) {
      case Literal::Kind::string:
        return quoted(literal.text);
      case Literal::Kind::text:
        return "text " + quoted(literal.text);
      case Literal::Kind::number:
        return literal.text;
      case Literal::Kind::duration:
        return literal.text + "=" + std::to_string(literal.milliseconds) + "ms";
    }
    return {};
  }
  static std::string text(const Type& type) {
    static constexpr std::string_view kModels[] = {"", "hl7 ", "fhir ", "csv "};
    static constexpr std::string_view kArity[] = {"", "?", "*"};
    std::string out(kModels[static_cast<int>(type.model)]);
    out += type.name.text;
    if (!type.version.empty()) out += " " + type.version;
    if (type.profile) out += "(" + quoted(type.profile->text) + ")";
    return out.append(kArity[static_cast<int>(type.arity)]);
  }
  static std::string text(const Policy& policy) {
    static constexpr std::string_view kActions[] = {"keep",   "omit",   "reject",  "quarantine",
                                                    "delete", "absent", "literal", "skip"};
    std::string out = policy.warn ? "warn " : "";
    if (!policy.action_given) out += "(default) ";
    out += kActions[static_cast<int>(policy.action)];
    if (!policy.ack.empty()) out += " " + policy.ack;
    if (policy.code) out += " " + std::to_string(*policy.code);
    if (!policy.text.empty()) out += " " + quoted(policy.text);
    if (policy.value) out += " " + text(*policy.value);
    return out;
  }
  static std::string text(const Target& target) {
    std::string out;
    for (const TargetStep& step : target.steps) {
      switch (step.kind) {
        case TargetStep::Kind::field:
          out += step.name.text + "-" + std::to_string(step.number);
          break;
        case TargetStep::Kind::element:
          out += (out.empty() ? "" : ".") + step.name.text;
          break;
        case TargetStep::Kind::ext:
          out += (out.empty() ? "ext(" : ".ext(") + step.name.text + ")";
          break;
        case TargetStep::Kind::component:
          out += "." + std::to_string(step.number);
          break;
        case TargetStep::Kind::slice:
          out += ":" + step.name.text;
          break;
        case TargetStep::Kind::index:
          out += "[" + std::to_string(step.number) + "]";
          break;
      }
    }
    return out;
  }
  void params(const std::vector<Param>& list) {
    for (const Param& param : list) line("param " + param.name.text + " : " + text(param.type));
  }
  void arguments(const std::vector<Arg>& args) {
    for (const Arg& arg : args) labelled(arg.name ? "arg " + arg.name->text : "arg", arg.value);
  }

  // ---- expressions ----
  void expression(const Invalid&) { line("invalid"); }
  void expression(const Literal& node) { line(text(node)); }
  void expression(const Interpolation& node) {
    line("interpolation");
    nested([&] {
      for (const auto& part : node.parts) {
        if (part.expr)
          expr(part.expr);
        else
          line(quoted(part.text));
      }
    });
  }
  void expression(const Regex& node) { line("re " + quoted(node.pattern)); }
  void expression(const V2Ref& node) {
    std::string out = node.segment.text + "-" + std::to_string(node.field.value);
    if (node.selector.kind == Selector::Kind::all) out += "[*]";
    if (node.selector.kind == Selector::Kind::last) out += "[last]";
    if (node.selector.kind == Selector::Kind::where) out += "[where]";
    if (node.selector.kind == Selector::Kind::at) out += "[at]";
    if (node.component.value != 0) out += "." + std::to_string(node.component.value);
    if (node.subcomponent.value != 0) out += "." + std::to_string(node.subcomponent.value);
    line("v2 " + out);
    nested([&] {
      labelled("base", node.base);
      if (node.selector.expr) expr(node.selector.expr);
    });
  }
  void expression(const Ident& node) { line("name " + node.name); }
  void expression(const This&) { line("this"); }
  void expression(const Member& node) {
    line("member " + node.name.text);
    nested([&] { expr(node.base); });
  }
  void expression(const Component& node) {
    line("component " + std::to_string(node.number.value));
    nested([&] { expr(node.base); });
  }
  void expression(const ExtStep& node) {
    line("ext " + node.name.text);
    nested([&] { expr(node.base); });
  }
  void expression(const Index& node) {
    static constexpr std::string_view kKinds[] = {"none", "all", "last", "where", "at"};
    line("index " + std::string(kKinds[static_cast<int>(node.selector.kind)]));
    nested([&] {
      expr(node.base);
      if (node.selector.expr) expr(node.selector.expr);
    });
  }
  void expression(const Call& node) {
    line("call");
    nested([&] {
      expr(node.callee);
      arguments(node.args);
    });
  }
  void expression(const Omit&) { line("omit"); }
  void expression(const SkipValue&) { line("skip"); }
  void expression(const Ref& node) { line("ref " + node.handle.text); }
  void expression(const List& node) {
    line("list");
    nested([&] {
      for (const auto& item : node.items) expr(item);
    });
  }
  void expression(const Object& node) {
    line("object");
    nested([&] { block(*node.block); });
  }
  void expression(const IfThenElse& node) {
    line("if");
    nested([&] {
      expr(node.condition);
      expr(node.then);
      expr(node.otherwise);
    });
  }
  void expression(const Match& node) {
    line("match");
    nested([&] {
      expr(node.subject);
      for (const MatchArm& arm : node.arms) {
        std::string patterns = "arm";
        for (const Pattern& pattern : arm.patterns) {
          switch (pattern.kind) {
            case Pattern::Kind::literal:
              patterns += " " + text(pattern.literal);
              break;
            case Pattern::Kind::regex:
              patterns += " re " + quoted(pattern.regex);
              break;
            case Pattern::Kind::is_type:
              patterns += " is " + text(pattern.type);
              break;
            case Pattern::Kind::any:
              patterns += " _";
              break;
          }
        }
        labelled(patterns, arm.value);
      }
    });
  }
  void expression(const Not& node) {
    line("not");
    nested([&] { expr(node.operand); });
  }
  void expression(const Binary& node) {
    static constexpr std::string_view kOps[] = {"??", "or",       "and",     "==", "!=", "<", "<=", ">", ">=",
                                                "in", "contains", "matches", "+",  "-",  "*", "/",  "&"};
    line(kOps[static_cast<int>(node.op)]);
    nested([&] {
      expr(node.left);
      expr(node.right);
    });
  }
  void expression(const Is& node) {
    std::string test = node.negated ? "is not " : "is ";
    if (node.kind == Is::Kind::valued) test += "valued";
    if (node.kind == Is::Kind::null) test += "null";
    if (node.kind == Is::Kind::type) test += text(node.type);
    line(test);
    nested([&] { expr(node.operand); });
  }
  void expression(const As& node) {
    line("as " + text(node.type));
    nested([&] { expr(node.operand); });
  }
  void expression(const Of& node) {
    line("of " + text(node.type));
    nested([&] { expr(node.operand); });
  }
  void expression(const Using& node) {
    line("using " + node.variant.text);
    nested([&] { expr(node.operand); });
  }
  void expression(const Each& node) {
    line("each");
    nested([&] {
      expr(node.operand);
      expr(node.body);
    });
  }
  void expression(const Via& node) {
    line("via " + node.table.text() + (node.otherwise ? " else " + text(*node.otherwise) : ""));
    nested([&] { expr(node.operand); });
  }
  void expression(const Guarded& node) {
    line("guarded");
    nested([&] {
      expr(node.value);
      expr(node.condition);
    });
  }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace kiln::mappings::test
