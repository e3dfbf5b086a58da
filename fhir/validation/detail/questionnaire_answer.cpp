// One answer against its question.

#include <algorithm>

#include "engine/base/decimal.h"
#include "fhir/reference.h"
#include "fhir/validation/detail/compare.h"
#include "fhir/validation/detail/questionnaire.h"

namespace kiln::fhir::detail {
namespace {

/// The types of value that a type of question takes.
bool type_fits(std::string_view question, std::string_view value) {
  if (question == "string" || question == "text") return value == "string";
  if (question == "url") return value == "uri";
  if (question == "choice") return value == "Coding";
  if (question == "open-choice") return value == "Coding" || value == "string";
  if (question == "attachment") return value == "Attachment";
  if (question == "reference") return value == "Reference";
  if (question == "quantity") return value == "Quantity";
  return question == value;  // boolean, decimal, integer, date, dateTime, time
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::size_t number_of(Node node) {
  std::size_t number = 0;
  for (const char c : node.text()) {
    if (c < '0' || c > '9' || number > 1'000'000'000) return number;
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return number;
}

class Answer {
 public:
  Answer(Session& session, Node answer, Node item, Node questionnaire)
      : session_(session), value_(answer["value"]), item_(item), questionnaire_(questionnaire) {}

  void run() {
    if (!value_ || !value_.type()) return;
    const std::string_view question = item_["type"].text();
    const std::string_view type = value_.type()->name();
    const bool by_options = (question == "choice" || question == "open-choice") && item_["answerOption"];
    if (!type_fits(question, type) && !(by_options && option_has_type(type)))
      return wrong("the answer has not the type that the question asks for");
    check_limits();
    check_decimal_places();
    check_length_and_form();
    if (item_["answerOption"]) check_options();
    if (item_["answerValueSet"]) check_value_set(value_, item_["answerValueSet"].text(), "answer");
    if (type == "Quantity") check_unit();
    if (type == "Attachment") check_attachment();
    if (type == "Reference") check_target();
  }

 private:
  void wrong(std::string text) { session_.error("invariant", value_, std::move(text)); }

  bool option_has_type(std::string_view type) const {
    for (const Node option : item_) {
      if (option.name() == "answerOption" && option["value"].type() && option["value"].type()->name() == type) return true;
    }
    return false;
  }

  void check_limits() {
    for (const char* name : {"/minValue", "minQuantity"}) {
      const Node limit = item_extension(item_, name);
      if (limit && compare_values(value_, limit).value_or(0) < 0) wrong("the answer is less than the question allows");
    }
    for (const char* name : {"/maxValue", "maxQuantity"}) {
      const Node limit = item_extension(item_, name);
      if (limit && compare_values(value_, limit).value_or(0) > 0) wrong("the answer is greater than the question allows");
    }
  }

  void check_decimal_places() {
    const Node most = item_extension(item_, "/maxDecimalPlaces");
    const Node number = value_.type()->name() == "Quantity" ? value_["value"] : value_;
    if (!most || number.kind() != NodeKind::number) return;
    const auto value = base::Decimal::parse(number.text());
    if (value && value->scale() > static_cast<int>(number_of(most)))
      wrong("the answer has more decimal places than the question allows");
  }

  void check_length_and_form() {
    if (value_.kind() != NodeKind::string) return;
    const std::size_t length = characters_of(value_.text());
    if (const Node most = item_["maxLength"]; most && length > number_of(most))
      wrong("the answer is longer than the question allows");
    if (const Node least = item_extension(item_, "/minLength"); least && length < number_of(least))
      wrong("the answer is shorter than the question allows");
    if (const Node pattern = item_extension(item_, "/regex")) check_pattern(pattern.text());
  }

  void check_pattern(std::string_view pattern) {
    std::string quoted;
    for (const char c : pattern) {
      if (c == '\\' || c == '\'') quoted += '\\';
      quoted += c;
    }
    const auto expression = PathExpression::compile("matches('^(?:" + quoted + ")$')");
    const auto matches = expression ? expression->holds(value_, session_.environment, session_.scratch)
                                    : tl::unexpected(expression.error());
    if (!matches)
      session_.note("not-supported", value_, "not checked: the regular expression of the question cannot be used");
    else if (!matches->value_or(false))
      wrong("the answer does not match the regular expression of the question");
  }

  void check_options() {
    const bool is_open = item_["type"].text() == "open-choice";
    if (is_open && value_.type()->name() == "string") return;
    for (const Node option : item_) {
      if (option.name() == "answerOption" && same_answer(option["value"], value_)) return;
    }
    if (is_open && !value_["system"]) return;
    wrong("the answer is none of the options of the question");
  }

  /// `canonical` may name a value set that is contained in the questionnaire.
  void check_value_set(Node coding, std::string_view canonical, std::string_view what) {
    if (!coding.type() || (coding.type()->name() != "Coding" && coding.type()->name() != "Quantity")) return;
    const std::string_view system = coding["system"].text(), code = coding["code"].text();
    if (code.empty() || !session_.terminology) return;
    Membership in = Membership::unknown;
    if (canonical.starts_with('#')) {
      for (const Node contained : questionnaire_) {
        if (contained.name() == "contained" && contained["id"].text() == canonical.substr(1))
          in = session_.terminology->in_value_set(contained, system, code);
      }
    } else {
      in = session_.terminology->in_value_set(canonical, system, code);
    }
    if (in == Membership::unknown)
      session_.note("not-supported", coding, "not checked offline: the " + std::string(what) + " against its value set");
    if (in == Membership::no)
      session_.error("code-invalid", coding, "the " + std::string(what) + " is not in the value set of the question");
    const std::string_view display = session_.terminology->display_of(system, code), given = coding["display"].text();
    if (!display.empty() && !given.empty() && display != given)
      session_.error("invalid", coding, "the display is not the one of the code system");
  }

  void check_unit() {
    bool any = false;
    for (const Node extension : item_) {
      if (extension.name() != "extension" || !extension["url"].text().ends_with("questionnaire-unitOption")) continue;
      any = true;
      const Node option = extension["value"];
      const bool same = option["code"].text() == value_["code"].text() && option["system"].text() == value_["system"].text();
      if (same) return;
    }
    if (any) wrong("the unit is none of the options of the question");
    if (const Node set = item_extension(item_, "questionnaire-unitValueSet")) {
      if (!value_["code"])
        wrong("the unit has no code, and the question asks for one of a value set");
      else
        check_value_set(value_, set.text(), "unit");
    }
  }

  void check_attachment() {
    check_size();
    const std::string_view type = value_["contentType"].text();
    bool any = false;
    for (const Node extension : item_) {
      if (extension.name() != "extension" || !extension["url"].text().ends_with("StructureDefinition/mimeType")) continue;
      any = true;
      if (extension["value"].text() == type) return;
    }
    if (any) wrong("the type of the attachment is none of those that the question allows");
  }

  /// maxSize is in megabytes; what the data has counts more than what the size says.
  void check_size() {
    const Node most = item_extension(item_, "StructureDefinition/maxSize");
    if (!most) return;
    std::size_t bytes = number_of(value_["size"]);
    if (const Node data = value_["data"]) {
      const std::string_view text = data.text();
      const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return c > ' ' && c != '='; });
      bytes = static_cast<std::size_t>(characters) * 3 / 4;
    }
    const auto limit = base::Decimal::parse(most.text()), size = base::Decimal::parse(std::to_string(bytes));
    const auto megabyte = base::Decimal::parse("1048576");
    if (limit && size && megabyte && size->compare(*limit * *megabyte) > 0)
      wrong("the attachment is larger than the question allows");
  }

  void check_target() {
    const std::string_view text = value_["reference"].text();
    if (text.empty()) return;
    const ReferenceParts parts = parse_reference(text);
    const std::string_view type = parts.type.empty() ? value_["type"].text() : parts.type;
    if (parts.form == ReferenceParts::Form::other || (parts.type.empty() && text.starts_with("http"))) {
      return wrong("what is referred to cannot be told to be a resource");
    }
    bool any = false;
    for (const Node extension : item_) {
      if (extension.name() != "extension" || !extension["url"].text().ends_with("questionnaire-referenceResource")) continue;
      any = true;
      if (extension["value"].text() == type) return;
    }
    if (any) return wrong("the type of what is referred to is none of those that the question allows");
    if (!type.empty() && !find_resource_type(type)) wrong("what is referred to is no resource type of FHIR R4");
  }

  Session& session_;
  Node value_, item_, questionnaire_;
};

}  // namespace

Node item_extension(Node item, std::string_view name) {
  for (const Node extension : item) {
    if (extension.name() == "extension" && extension["url"].text().ends_with(name)) return extension["value"];
  }
  return {};
}

bool same_answer(Node a, Node b) {
  if (!a || !b || !a.type() || !b.type()) return false;
  if (a.type()->name() == "Coding" && b.type()->name() == "Coding")
    return a["code"].text() == b["code"].text() && (a["system"].text() == b["system"].text() || !a["system"] || !b["system"]);
  if (a.type()->name() == "Reference") return a["reference"].text() == b["reference"].text();
  if (a.type()->is_primitive() != b.type()->is_primitive()) return false;
  return a.type()->is_primitive() ? a.text() == b.text() : matches_pattern(b, a);
}

void check_answer(Session& session, Node answer, Node item, Node questionnaire) {
  Answer(session, answer, item, questionnaire).run();
}

}  // namespace kiln::fhir::detail
