// Layer 8: a QuestionnaireResponse against its Questionnaire.

#include "fhir/validation/detail/questionnaire.h"

#include "fhir/validation/detail/compare.h"

namespace kiln::fhir::detail {
namespace {

std::size_t number_of(std::string_view text) {
  std::size_t number = 0;
  for (const char c : text.substr(0, 9)) number = number * 10 + static_cast<std::size_t>(c - '0');
  return number;
}

std::vector<Node> children_named(Node parent, std::string_view name) {
  std::vector<Node> list;
  for (const Node child : parent) {
    if (child.name() == name) list.push_back(child);
  }
  return list;
}

bool has_item(Node items, std::string_view link_id) {
  for (const Node item : items) {
    if (item.name() != "item") continue;
    if (item["linkId"].text() == link_id || has_item(item, link_id)) return true;
  }
  return false;
}

// ---- enableWhen ----

/// Answers to a question below an element of the response.
void collect_answers(Node at, std::string_view link_id, std::vector<Node>& answers) {
  for (const Node child : at) {
    if (child.name() == "item" && child["linkId"].text() == link_id) {
      for (const Node answer : child) {
        if (answer.name() == "answer") answers.push_back(answer["value"]);
      }
    }
    if (child.name() == "item" || child.name() == "answer") collect_answers(child, link_id, answers);
  }
}

/// Those nearest to `at`: in its own group first, then outwards.
std::vector<Node> answers_near(Node at, std::string_view link_id) {
  std::vector<Node> answers;
  for (; at && answers.empty(); at = at.parent()) {
    collect_answers(at, link_id, answers);
    if (at.is_resource()) break;
  }
  return answers;
}

bool condition_holds(Node condition, Node at) {
  const std::vector<Node> answers = answers_near(at, condition["question"].text());
  const std::string_view op = condition["operator"].text();
  const Node wanted = condition["answer"];
  if (op == "exists") return answers.empty() == (wanted.text() == "false");
  if (answers.empty()) return false;
  bool any_equal = false;
  for (const Node answer : answers) {
    const bool equal = same_answer(wanted, answer) || compare_values(answer, wanted) == 0;
    any_equal = any_equal || equal;
    const auto order = compare_values(answer, wanted);
    if ((op == "=" && equal) || (op == ">" && order == 1) || (op == "<" && order == -1)) return true;
    if ((op == ">=" && order && *order >= 0) || (op == "<=" && order && *order <= 0)) return true;
  }
  return op == "!=" && !any_equal;
}

// ---- the response ----

class Response {
 public:
  Response(Session& session, Node questionnaire) : session_(session), questionnaire_(questionnaire) {}

  void run(Node response) {
    const std::string_view status = response["status"].text();
    is_complete_ = status == "completed" || status == "amended";
    items(response, questionnaire_);
  }

 private:
  /// The items below `at` (the response, an item or an answer) against those below `definition`.
  void items(Node at, Node definition) {
    const std::vector<Node> wanted = children_named(definition, "item");
    const std::vector<Node> given = children_named(at, "item");
    std::size_t last = 0;
    for (const Node item : given) {
      std::size_t position = 0;
      while (position < wanted.size() && wanted[position]["linkId"].text() != item["linkId"].text()) ++position;
      if (position == wanted.size()) {
        const bool elsewhere = has_item(questionnaire_, item["linkId"].text());
        session_.error(elsewhere ? "structure" : "not-found", item,
                       elsewhere ? "the item stands where the questionnaire does not have it"
                                 : "the questionnaire has no item with this linkId");
        continue;
      }
      if (position < last) session_.error("structure", item, "the items are not in the order of the questionnaire");
      last = std::max(last, position);
    }
    for (const Node item : wanted) one(at, item, given);
  }

  void one(Node at, Node definition, const std::vector<Node>& given) {
    std::vector<Node> found;
    for (const Node item : given) {
      if (item["linkId"].text() == definition["linkId"].text()) found.push_back(item);
    }
    const bool enabled = is_enabled(session_, definition, at);
    if (!enabled) {
      for (const Node item : found) {
        if (has_answer(item)) session_.error("invalid", item, "the item has an answer although it is not enabled");
      }
      return;
    }
    const std::string_view type = definition["type"].text();
    const bool is_required = definition["required"].text() == "true";
    if (found.empty()) {
      if (is_required && type != "display")
        report_required(at, "the questionnaire requires an item that is not there");
      return;
    }
    if (type == "group" || type == "display") {
      if (found.size() > 1 && definition["repeats"].text() != "true")
        session_.error("invalid", found[1], "the item is there more than once and does not repeat");
    } else if (found.size() > 1) {
      session_.error("invalid", found[1], "a question has one item; several answers stand in it");
    }
    for (const Node item : found) check_item(item, definition, type, is_required);
  }

  static bool has_answer(Node item) {
    if (item["answer"]) return true;
    for (const Node child : item) {
      if (child.name() == "item" && has_answer(child)) return true;
    }
    return false;
  }

  void report_required(Node at, const char* text) {
    if (is_complete_)
      session_.error("required", at, text);
    else
      session_.warning("required", at, text);
  }

  void check_item(Node item, Node definition, std::string_view type, bool is_required) {
    const std::vector<Node> answers = children_named(item, "answer");
    if (type == "group") {
      if (!answers.empty()) session_.error("structure", item, "a group has no answers of its own");
      return items(item, definition);
    }
    if (type == "display") {
      if (!answers.empty()) session_.error("structure", item, "a text that is only shown has no answers");
      return;
    }
    if (type == "question") return session_.error("structure", item, "the type of the question is abstract");
    if (item["item"]) session_.error("structure", item, "the items below a question stand inside its answers");
    check_count(item, definition, answers.size(), is_required);
    for (const Node answer : answers) {
      check_answer(session_, answer, definition, questionnaire_);
      items(answer, definition);
    }
    check_exclusive(definition, answers);
  }

  void check_count(Node item, Node definition, std::size_t count, bool is_required) {
    if (count == 0 && is_required) report_required(item, "a required question has no answer");
    if (count > 1 && definition["repeats"].text() != "true")
      session_.error("invalid", item, "the question has more than one answer and does not repeat");
    const Node least = item_extension(definition, "questionnaire-minOccurs");
    if (least && count < number_of(least.text())) session_.error("invalid", item, "the question has too few answers");
    const Node most = item_extension(definition, "questionnaire-maxOccurs");
    if (most && count > number_of(most.text())) session_.error("invalid", item, "the question has too many answers");
  }

  void check_exclusive(Node definition, const std::vector<Node>& answers) {
    if (answers.size() < 2) return;
    for (const Node option : definition) {
      if (option.name() != "answerOption" || item_extension(option, "questionnaire-optionExclusive").text() != "true")
        continue;
      for (const Node answer : answers) {
        if (same_answer(option["value"], answer["value"]))
          session_.error("invariant", answer, "the answer excludes all others");
      }
    }
  }

  Session& session_;
  Node questionnaire_;
  bool is_complete_ = false;
};

}  // namespace

bool is_enabled(Session& session, Node item, Node at) {
  if (const Node expression = item_extension(item, "enableWhenExpression"); expression["expression"].has_value()) {
    if (expression["language"].text() != "text/fhirpath") return true;
    const auto compiled = PathExpression::compile(expression["expression"].text());
    if (!compiled) return true;
    const auto holds = compiled->holds(at.resource(), session.environment, session.scratch);
    return !holds || holds->value_or(true);
  }
  bool any = false, all = true, some = false;
  for (const Node condition : item) {
    if (condition.name() != "enableWhen") continue;
    any = true;
    const bool holds = condition_holds(condition, at);
    all = all && holds;
    some = some || holds;
  }
  if (!any) return true;
  return item["enableBehavior"].text() == "all" ? all : some;
}

namespace {

void check_questions(Session& session, Node items, Node questionnaire) {
  for (const Node item : items) {
    if (item.name() != "item") continue;
    for (const Node condition : item) {
      if (condition.name() == "enableWhen" && !has_item(questionnaire, condition["question"].text()))
        session.error("business-rule", item, "a condition asks for a question that the questionnaire does not have");
      else if (condition.name() == "enableWhen" && (condition["question"].text() == item["linkId"].text() ||
                                                    has_item(item, condition["question"].text())))
        session.error("business-rule", item, "a condition asks for a question that it enables itself");
    }
    check_questions(session, item, questionnaire);
  }
}

}  // namespace

void check_questionnaire(Session& session, Node questionnaire) {
  check_questions(session, questionnaire, questionnaire);
}

void check_questionnaire_response(Session& session, Node response) {
  const Node named = response["questionnaire"];
  if (!named.has_value()) return;
  Node questionnaire;
  if (named.text().starts_with('#')) {
    questionnaire = resolve_reference(session, named.text(), response);
  } else {
    questionnaire = session.library->find("Questionnaire", named.text());
    if (!questionnaire && named.text().find('|') != std::string_view::npos &&
        session.library->find("Questionnaire", split_canonical(named.text()).url))
      return session.error("not-found", named, "the questionnaire is at hand in another version only");
  }
  if (!questionnaire) return session.warning("not-found", named, "not checked: the questionnaire is not at hand");
  Response(session, questionnaire).run(response);
}

}  // namespace kiln::fhir::detail
