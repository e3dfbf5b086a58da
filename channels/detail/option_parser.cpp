#include "channels/detail/option_parser.h"

#include <charconv>
#include <set>

#include "channels/detail/option_text.h"

namespace kiln::channels::detail {

namespace ast = mappings::ast;
using base::ErrorCode;

void report(base::Diagnostics& diagnostics, ErrorCode code, base::Span span, std::string message,
            std::string help, base::Severity severity) {
  base::Diagnostic out;
  out.code = code;
  out.severity = severity;
  out.message = std::move(message);
  out.span = span;
  if (!help.empty()) out.helps.push_back(std::move(help));
  diagnostics.add(std::move(out));
}

std::string did_you_mean(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  const std::string_view near = base::nearest(wrong, candidates);
  return near.empty() ? std::string() : "did you mean `" + std::string(near) + "`?";
}

namespace {

class Parser {
 public:
  Parser(std::string owner, base::Diagnostics& diagnostics)
      : owner_(std::move(owner)), diagnostics_(diagnostics) {}

  ParsedOptions parse(const std::vector<ast::Option>& written, std::span<const FieldSpec> fields,
                      base::Span owner_span) {
    ParsedOptions out;
    out.options = Options(fields);
    for (const ast::Option& option : written) parse_option(option, fields, out);
    for (const FieldSpec& field : fields) {
      if (out.options.has(field.name)) continue;
      if (field.required && !failed(field.name))
        report(diagnostics_, ErrorCode::E0905, owner_span, owner_ + " needs `" + field.name + "`",
               field.summary);
      if (auto value = default_of(field)) out.options.add(field.name, std::move(*value));
      if (field.type == FieldType::block && !field.later && !field.optional_block && !failed(field.name))
        add_default_block(field, out);
    }
    return out;
  }

 private:
  bool failed(std::string_view name) const {
    for (const std::string& one : failed_)
      if (one == name) return true;
    return false;
  }
  void wrong(const ast::Option& option, base::Span span, const std::string& expected) {
    failed_.push_back(option.name.text);
    report(diagnostics_, ErrorCode::E0917, span, "`" + option.name.text + "`: " + expected);
  }

  void parse_option(const ast::Option& option, std::span<const FieldSpec> fields, ParsedOptions& out) {
    const FieldSpec* field = find_field(fields, option.name.text);
    if (field == nullptr) {
      std::vector<std::string_view> names;
      for (const FieldSpec& known : fields) names.emplace_back(known.name);
      report(diagnostics_, ErrorCode::E0904, option.name.span,
             owner_ + " has no option `" + option.name.text + "`", did_you_mean(option.name.text, names));
      return;
    }
    if (!field->repeated && (out.options.has(field->name) || failed(field->name))) {
      wrong(option, option.name.span, "is given twice");
      return;
    }
    if (field->type == FieldType::block || field->type == FieldType::named_block)
      return parse_block(option, *field, out);
    if (option.has_children && field->type != FieldType::any)
      return wrong(option, option.name.span, "takes no block");
    if (field->type == FieldType::expressions) return parse_order(option, *field, out);
    if (!option.by.empty()) return wrong(option, option.name.span, "takes no `by`");
    if (field->type == FieldType::retry) return parse_retry(option, out);
    if (field->type == FieldType::nak) return parse_nak(option, out);
    parse_value(option, *field, out);
  }

  void parse_block(const ast::Option& option, const FieldSpec& field, ParsedOptions& out) {
    OptionValue value;
    value.span = option.name.span;
    const bool named = field.type == FieldType::named_block;
    if (named != (option.values.size() == 1))
      return wrong(option, option.name.span, named ? "needs a name" : "takes no value");
    if (!option.has_children) return wrong(option, option.name.span, "needs a block { … }");
    if (named) value.text = option.values.front().text;
    Parser inner(owner_ + " " + field.name, diagnostics_);
    auto parsed = inner.parse(option.children, field.fields, option.name.span);
    value.block.push_back(std::move(parsed.options));
    out.options.add(field.name, std::move(value));
  }

  /// A block that is not written has the defaults of its options.
  void add_default_block(const FieldSpec& field, ParsedOptions& out) {
    Parser inner(owner_ + " " + field.name, diagnostics_);
    OptionValue value;
    value.origin = OptionValue::Origin::default_value;
    value.block.push_back(inner.parse({}, field.fields, {}).options);
    out.options.add(field.name, std::move(value));
  }

  void parse_order(const ast::Option& option, const FieldSpec& field, ParsedOptions& out) {
    if (option.by.empty() || !option.values.empty())
      return wrong(option, option.name.span, "write `order by PID-3[1].1`");
    OptionValue value;
    value.span = option.span;
    for (const ast::ExprPtr& expr : option.by) {
      value.expressions.push_back(expr->span);
      out.order_by.push_back(expr.get());
    }
    out.options.add(field.name, std::move(value));
  }

  /// The values after the lead word, if the field has one.
  bool take_lead(const ast::Option& option, const FieldSpec& field, std::size_t& at) {
    if (field.lead == nullptr) return true;
    if (option.values.empty() || option.values[0].kind != ast::OptionValue::Kind::word ||
        option.values[0].text != field.lead) {
      wrong(option, option.name.span, std::string("write `") + field.name + " " + field.lead + " …`");
      return false;
    }
    at = 1;
    return true;
  }

  void parse_value(const ast::Option& option, const FieldSpec& field, ParsedOptions& out) {
    std::size_t at = 0;
    if (!take_lead(option, field, at)) return;
    if (field.type == FieldType::any) {
      OptionValue value;
      value.span = option.span;
      out.options.add(field.name, std::move(value));
      return;
    }
    if (at >= option.values.size()) return wrong(option, option.name.span, "needs a value");
    if (field.type == FieldType::binding) return parse_binding(option, field, out);
    if (field.type != FieldType::words && at + 1 != option.values.size())
      return wrong(option, option.values[at + 1].span, "takes one value");
    const ast::OptionValue& written = option.values[at];
    // Also a name without ${…} is a template, so that every name is rendered in one way.
    if (field.type == FieldType::name_template && written.expr == nullptr)
      out.templates.push_back({field.name, {written.text}, {}});
    if (written.kind == ast::OptionValue::Kind::call) return parse_reference(option, written, field, out);
    if (field.type == FieldType::secret) {
      failed_.push_back(field.name);
      report(diagnostics_, ErrorCode::E0909, written.span, "literal secret in `" + option.name.text + "`",
             "env(\"X\"), file(\"/run/secrets/x\") or cred(\"x\")");
      return;
    }
    if (written.expr != nullptr) return parse_template(option, written, field, out);
    std::string text = written.text;
    for (std::size_t i = at + 1; i < option.values.size(); ++i) text += " " + option.values[i].text;
    if (!kind_fits(written, field))
      return wrong(option, written.span, std::string("a ") + name_of(field.type) + " is expected");
    auto value = parse_option_text(field, std::move(text));
    if (!value) return wrong(option, written.span, value.error().text);
    value->span = written.span;
    out.options.add(field.name, std::move(*value));
  }

  void parse_binding(const ast::Option& option, const FieldSpec& field, ParsedOptions& out) {
    const auto& values = option.values;
    const auto is_text = [&](std::size_t i) {
      return values[i].kind == ast::OptionValue::Kind::string && values[i].expr == nullptr && !values[i].text.empty();
    };
    if (values.size() != 3 || !is_text(0) || !is_word(values[1], "as") || !is_text(2))
      return wrong(option, option.name.span, "write `" + option.name.text + " \"…\" as \"…\"`");
    OptionValue value;
    value.text = values[0].text;
    value.words = {values[2].text};
    value.span = option.span;
    out.options.add(field.name, std::move(value));
  }

  static bool kind_fits(const ast::OptionValue& written, const FieldSpec& field) {
    using Kind = ast::OptionValue::Kind;
    switch (field.type) {
      case FieldType::string:
      case FieldType::path:
      case FieldType::name_template:
        return written.kind == Kind::string;
      case FieldType::integer:
        return written.kind == Kind::number;
      case FieldType::word:
      case FieldType::words:
      case FieldType::boolean:
        return written.kind == Kind::word;
      case FieldType::address:
        return written.kind == Kind::address || written.kind == Kind::string;
      default:
        return written.kind != Kind::string;
    }
  }

  void parse_reference(const ast::Option& option, const ast::OptionValue& written, const FieldSpec& field,
                       ParsedOptions& out) {
    OptionValue value;
    value.span = written.span;
    value.resolved = false;
    const ast::Literal* argument = written.args.size() == 1 && written.args[0].value
                                       ? written.args[0].value->get_if<ast::Literal>()
                                       : nullptr;
    if (argument == nullptr || argument->kind != ast::Literal::Kind::string)
      return wrong(option, written.span, "a reference is written " + written.text + "(\"name\")");
    value.reference = argument->text;
    if (written.text == "env") value.origin = OptionValue::Origin::env;
    if (written.text == "file") value.origin = OptionValue::Origin::file;
    if (written.text == "cred") value.origin = OptionValue::Origin::cred;
    if (value.origin == OptionValue::Origin::literal)
      return wrong(option, written.span, "`" + written.text + "` is not known; env(\"X\") is");
    if (value.origin != OptionValue::Origin::env && field.type != FieldType::secret)
      return wrong(option, written.span,
                   "only secrets come from " + written.text + "(…); other values from env(\"X\")");
    out.options.add(field.name, std::move(value));
  }

  void parse_template(const ast::Option& option, const ast::OptionValue& written, const FieldSpec& field,
                      ParsedOptions& out) {
    const auto* interpolation = written.expr->get_if<ast::Interpolation>();
    if (field.type != FieldType::name_template || interpolation == nullptr)
      return wrong(option, written.span, "${…} is not possible here");
    ParsedExpressions parsed;
    parsed.option = field.name;
    parsed.literals.emplace_back();
    OptionValue value;
    value.span = written.span;
    for (const auto& part : interpolation->parts) {
      if (part.expr == nullptr) {
        parsed.literals.back() += part.text;
        continue;
      }
      parsed.exprs.push_back(part.expr.get());
      parsed.literals.emplace_back();
      value.expressions.push_back(part.span);
    }
    out.templates.push_back(std::move(parsed));
    out.options.add(field.name, std::move(value));
  }

  static bool is_word(const ast::OptionValue& value, std::string_view word) {
    return value.kind == ast::OptionValue::Kind::word && value.text == word;
  }

  /// `retry forever | N` `[backoff a..b]` `[jitter]` `[then quarantine | stop]`
  void parse_retry(const ast::Option& option, ParsedOptions& out) {
    const auto bad = [&](base::Span span) {
      wrong(option, span, "write `retry forever|N [backoff 1s..60s] [jitter] [then quarantine|stop]`");
    };
    RetryPolicy policy;
    const auto& values = option.values;
    if (values.empty()) return bad(option.name.span);
    if (!is_word(values[0], "forever")) {
      const auto& text = values[0].text;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), policy.attempts_max);
      if (error != std::errc() || end != text.data() + text.size() || policy.attempts_max == 0)
        return bad(values[0].span);
      policy.forever = false;
    }
    policy.jitter = false;
    bool has_then = false;
    for (std::size_t i = 1; i < values.size(); ++i) {
      const bool more = i + 1 < values.size();
      if (is_word(values[i], "jitter")) {
        policy.jitter = true;
      } else if (is_word(values[i], "backoff") && more &&
                 values[i + 1].kind == ast::OptionValue::Kind::duration_range && values[i + 1].number > 0 &&
                 values[i + 1].number <= values[i + 1].number_end) {
        policy.backoff_min_ms = values[++i].number;
        policy.backoff_max_ms = values[i].number_end;
      } else if (is_word(values[i], "then") && more && !policy.forever &&
                 (is_word(values[i + 1], "quarantine") || is_word(values[i + 1], "stop"))) {
        policy.then = values[++i].text == "stop" ? RetryEnd::stop : RetryEnd::quarantine;
        has_then = true;
      } else {
        return bad(values[i].span);
      }
    }
    if (!policy.forever && !has_then)
      return wrong(option, option.name.span, "a retry that ends must say `then quarantine` or `then stop`");
    out.options.retry = policy;
    OptionValue value;
    value.span = option.span;
    out.options.add("retry", std::move(value));
  }

  /// `nak AE|AR|CE|CR|timeout|mismatch retry|block|quarantine|skip`
  void parse_nak(const ast::Option& option, ParsedOptions& out) {
    const auto& values = option.values;
    std::optional<NakAction> action;
    if (values.size() == 2 && is_word(values[1], "retry")) action = NakAction::retry;
    if (values.size() == 2 && is_word(values[1], "block")) action = NakAction::block;
    if (values.size() == 2 && is_word(values[1], "quarantine")) action = NakAction::quarantine;
    if (values.size() == 2 && is_word(values[1], "skip")) action = NakAction::skip;
    const std::string code = values.empty() || values[0].kind != ast::OptionValue::Kind::word ? "" : values[0].text;
    NakPolicy& nak = out.options.nak;
    const bool known = code == "AE" || code == "AR" || code == "CE" || code == "CR" || code == "timeout" || code == "mismatch";
    if (!action || !known)
      return wrong(option, option.name.span,
                   "write `nak AE|AR|CE|CR|timeout|mismatch retry|block|quarantine|skip`");
    if (!nak_codes_.insert(code).second)
      return wrong(option, values[0].span, "`nak " + code + "` stands here already");
    if (code == "AE") nak.on_error = *action;
    if (code == "AR") nak.on_reject = *action;
    if (code == "CE") nak.on_commit_error = *action;
    if (code == "CR") nak.on_commit_reject = *action;
    if (code == "timeout") nak.on_timeout = *action;
    if (code == "mismatch") nak.on_mismatch = *action;
    OptionValue value;
    value.span = option.span;
    out.options.add("nak", std::move(value));
  }

  std::string owner_;
  base::Diagnostics& diagnostics_;
  std::vector<std::string> failed_;
  std::set<std::string> nak_codes_;
};

}  // namespace

ParsedOptions parse_options(const std::vector<ast::Option>& written, std::span<const FieldSpec> fields,
                            const std::string& owner, base::Span owner_span, base::Diagnostics& diagnostics) {
  return Parser(owner, diagnostics).parse(written, fields, owner_span);
}

}  // namespace kiln::channels::detail
